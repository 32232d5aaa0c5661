package main

import (
	"context"
	"errors"
	"time"

	"github.com/entente-mesh/entente/benchmarks/proc"
)

// A pair is a server and its clients, each in a process of its own.
type pair struct {
	stand, crowd *proc.Side
	address      Address
	client       *identity // of the clients, where the server wants one
}

// pair starts a server with its content and an empty crowd.
func (b *bench) pair(ctx context.Context, setup Setup) (*pair, error) {
	p := &pair{}
	if setup.Identity != nil {
		p.client = b.client
	}
	err := p.begin(ctx, setup)
	if err == nil {
		p.crowd, err = proc.StartSide(ctx, crowdRole)
	}
	if err != nil {
		return nil, errors.Join(err, p.end())
	}
	return p, nil
}

func (p *pair) begin(ctx context.Context, setup Setup) (err error) {
	if p.stand, err = proc.StartSide(ctx, standRole); err != nil {
		return err
	}
	return p.stand.Ask(ctx, "Stand.Begin", setup, &p.address)
}

// restart ends the server, and with it all connections, and starts another one.
func (p *pair) restart(ctx context.Context, setup Setup) error {
	if err := p.stand.End(); err != nil {
		return err
	}
	p.stand = nil
	if err := p.crowd.Ask(ctx, "Crowd.Leave", 0, new(int)); err != nil {
		return err
	}
	return p.begin(ctx, setup)
}

// connect has the clients connect, and returns how long it took until all were in sync.
func (p *pair) connect(ctx context.Context, task Connect) (time.Duration, error) {
	const atOnce = 500
	task.Network, task.Address = p.address.Network, p.address.Address
	if task.AtOnce == 0 {
		task.AtOnce = atOnce
	}
	if p.client != nil {
		task.TLS, task.Key, task.Certificate = true, p.client.Key, p.client.Certificate
	}
	var reply Connected
	err := p.crowd.Ask(ctx, "Crowd.Connect", task, &reply)
	return reply.Took, err
}

func (p *pair) change(ctx context.Context, a Amount) (Changed, error) {
	var reply Changed
	err := p.stand.Ask(ctx, "Stand.Change", a, &reply)
	return reply, err
}

// end ends both processes.
func (p *pair) end() error {
	var errs []error
	for _, s := range []*proc.Side{p.stand, p.crowd} {
		if s != nil {
			errs = append(errs, s.End())
		}
	}
	return errors.Join(errs...)
}
