package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A Crowd is many clients in a process of their own, each on a connection of its own, which confirm whatever comes. Its methods are called
// by the benchmark from another process.
type Crowd struct {
	mu    sync.Mutex // one call at a time
	conns []net.Conn
	calls sync.WaitGroup
	held  map[string]string // of the first client, of its last connection
	first sync.Mutex        // guards held while a client writes it
}

// A Connect says what the crowd shall do.
type Connect struct {
	Network, Address string
	TLS              bool
	Key, Certificate []byte // of the client, in PEM, with TLS
	Clients          int
	AtOnce           int  // how many connect at the same time
	Names            int  // how many resources each asks for by name; 0: for all
	Held             bool // bring the versions of the last connection
	Expect           int  // how many resources make a client be in sync
}

// Connected is how that went.
type Connected struct {
	Took time.Duration // from the first connection's begin until the last client was in sync
}

// Connect connects all clients and returns when each has what it expects.
func (c *Crowd) Connect(task Connect, reply *Connected) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var held map[string]string
	if task.Held {
		held = c.held
	}
	first, err := hello(task.Names, held)
	if err != nil {
		return err
	}
	dial, err := task.dialer()
	if err != nil {
		return err
	}
	if !task.Held {
		c.held = make(map[string]string)
	}
	begun := time.Now()
	in, failed := make(chan struct{}, task.Clients), make(chan error, task.Clients)
	gate := make(chan struct{}, task.AtOnce)
	for i := range task.Clients {
		gate <- struct{}{}
		raw, err := dial()
		if err != nil {
			return err
		}
		c.conns = append(c.conns, raw)
		m := &member{call: raw, expect: task.Expect, entered: func() { <-gate }, synced: func() { in <- struct{}{} }}
		if i == 0 {
			m.note = c.note
		}
		c.calls.Go(func() {
			if err := m.live(first); err != nil {
				failed <- err
			}
			m.enter()
		})
	}
	for range task.Clients {
		select {
		case <-in:
		case err := <-failed:
			return fmt.Errorf("a client was cut off before it was in sync: %w", err)
		}
	}
	reply.Took = time.Since(begun)
	return nil
}

func (c *Crowd) note(name, version string) {
	c.first.Lock()
	defer c.first.Unlock()
	c.held[name] = version
}

// dialer returns how to make one connection.
func (task Connect) dialer() (func() (net.Conn, error), error) {
	plain := func() (net.Conn, error) { return net.Dial(task.Network, task.Address) } //nolint:noctx // a local address answers or refuses
	if !task.TLS {
		return plain, nil
	}
	pair, err := tls.X509KeyPair(task.Certificate, task.Key)
	if err != nil {
		return nil, fmt.Errorf("read the clients' certificate: %w", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2"}, InsecureSkipVerify: true} //nolint:gosec // the server is not what is tested
	return func() (net.Conn, error) {
		raw, err := plain()
		if err != nil {
			return nil, err
		}
		return tls.Client(raw, config), nil
	}, nil
}

// Leave closes all connections.
func (c *Crowd) Leave(_ int, _ *int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close() // the server may have been faster
	}
	c.conns = nil
	c.calls.Wait()
	return nil
}

// A member is one client.
type member struct {
	call     net.Conn
	note     func(name, version string) // of each resource; may be nil
	expect   int
	entered  func() // once, when the first response is there or will not come
	synced   func() // once
	isIn     atomic.Bool
	received int
}

func (m *member) enter() {
	if m.isIn.CompareAndSwap(false, true) {
		m.entered()
	}
}

// live confirms everything until the connection ends. That is an error only before the client is in sync.
func (m *member) live(first []byte) error {
	c, err := openCall(m.call, deltaMethod)
	if err != nil {
		return err
	}
	if err := c.send(first); err != nil {
		return err
	}
	var confirmation []byte
	for {
		response, err := c.receive()
		if err != nil {
			if m.received >= m.expect {
				return nil
			}
			return errors.Join(fmt.Errorf("with %d of %d resources", m.received, m.expect), err)
		}
		m.enter()
		a, err := read(response, m.note)
		if err != nil {
			return err
		}
		confirmation = appendConfirmation(confirmation[:0], a.nonce)
		before := m.received
		m.received += a.resources
		if err := c.send(confirmation); err != nil {
			return err
		}
		if before < m.expect && m.received >= m.expect {
			m.synced()
		}
	}
}
