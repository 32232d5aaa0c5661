package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"time"

	"github.com/entente-mesh/entente/benchmarks/proc"
)

// A Stand is the process in which a subject is measured. Its methods are called by the benchmark from another process, one at a time.
type Stand struct {
	ctx     context.Context // the process's; net/rpc has none
	dir     string          // for the socket
	subject subject
	number  int // of the newest change
	failed  chan error
}

// Setup says what stands there.
type Setup struct {
	System    string
	Resources int
	Newest    int       // content of the first resource
	Identity  *identity // nil: plaintext on a unix socket
}

// Address is where the subject listens.
type Address struct{ Network, Address string }

// Begin fills the subject and has it listen.
func (s *Stand) Begin(setup Setup, reply *Address) error {
	build, ok := subjects()[setup.System]
	if !ok || s.subject != nil {
		return fmt.Errorf("%q is no system, or another one stands here already", setup.System)
	}
	s.subject, s.number, s.failed = build(), setup.Newest, make(chan error, 1)
	if err := s.subject.fill(setup.Resources, setup.Newest); err != nil {
		return fmt.Errorf("fill %s: %w", setup.System, err)
	}
	reply.Network, reply.Address = "unix", filepath.Join(s.dir, "xds")
	if setup.Identity != nil {
		reply.Network, reply.Address = "tcp", "127.0.0.1:0"
	}
	listener, err := net.Listen(reply.Network, reply.Address) //nolint:noctx // local
	if err != nil {
		return fmt.Errorf("listen for %s: %w", setup.System, err)
	}
	reply.Address = listener.Addr().String()
	go func() { s.failed <- s.subject.serve(s.ctx, listener, setup.Identity) }() // ends with the process
	return nil
}

// Amount says how many changes are made.
type Amount struct {
	Streams int           // that are connected
	Changes int           // at most
	Least   int           // even beyond Budget
	Budget  time.Duration // no further change begins after it
	Profile string        // file for a CPU profile; empty: none
}

// Changed is how that went.
type Changed struct {
	Confirmed []time.Duration // from just before each commit until the last stream had confirmed it
	CPU       time.Duration   // of this process, for all of them
	Commit    time.Duration   // CPU of this process, for the commits alone
}

// Change makes changes, one after the other, each once the one before is confirmed by all.
func (s *Stand) Change(a Amount, reply *Changed) (err error) {
	const patience = 2 * time.Minute
	ctx, cancel := context.WithTimeoutCause(s.ctx, a.Budget+patience, errors.New("gave up"))
	defer cancel()
	stop, err := profile(a.Profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	began := time.Now()
	before, err := proc.OwnCPU()
	if err != nil {
		return err
	}
	for i := 0; i < a.Changes && (i < a.Least || time.Since(began) < a.Budget); i++ {
		s.number++
		start := time.Now()
		wait, err := s.subject.change(s.number, a.Streams)
		if err != nil {
			return err
		}
		if err := wait(ctx); err != nil {
			return err
		}
		reply.Confirmed = append(reply.Confirmed, time.Since(start))
	}
	after, err := proc.OwnCPU()
	reply.CPU = after - before
	return err
}

// profile writes a CPU profile to the file until stop is called.
func profile(path string) (stop func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("write a profile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(fmt.Errorf("write a profile: %w", err), file.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return file.Close()
	}, nil
}

// Commit makes changes with no stream connected.
func (s *Stand) Commit(a Amount, reply *Changed) error {
	runtime.GC()
	began := time.Now()
	before, err := proc.OwnCPU()
	if err != nil {
		return err
	}
	n := 0
	for ; n < a.Changes && (n < a.Least || n%64 != 0 || time.Since(began) < a.Budget); n++ {
		s.number++
		if _, err := s.subject.change(s.number, 0); err != nil {
			return err
		}
	}
	after, err := proc.OwnCPU()
	reply.Commit = (after - before) / time.Duration(n)
	return err
}

// Collect frees what is garbage, so that what is left is what the process holds.
func (s *Stand) Collect(_ int, _ *int) error {
	for range 4 { // a stack shrinks by half each time
		runtime.GC()
	}
	debug.FreeOSMemory()
	select {
	case err := <-s.failed:
		return fmt.Errorf("the server has ended: %w", err)
	default:
		return nil
	}
}
