package main

import (
	"iter"
	"sync/atomic"
	"time"

	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/mesh/source"
)

// A meter is the product's opener, with the CPU time of its RSA taken apart.
type meter struct {
	keeper *source.Keeper
	cpu    atomic.Int64 // nanoseconds
	opened atomic.Int64
}

// Known returns what is known without work.
func (m *meter) Known(sealed string) (mesh.Opened, bool) { return m.keeper.Known(sealed) }

// Save keeps what was opened.
func (m *meter) Save(inUse iter.Seq[string]) error { return m.keeper.Save(inUse) }

// Open opens a token.
func (m *meter) Open(sealed string) (opened mesh.Opened) {
	cpu, err := onThread(func() { opened = m.keeper.Open(sealed) })
	if err != nil {
		return mesh.Opened{Fault: err.Error()} // no clock: the run fails for want of the token
	}
	m.cpu.Add(int64(cpu))
	m.opened.Add(1)
	return opened
}

func (m *meter) spent() time.Duration { return time.Duration(m.cpu.Load()) }
