package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/entente-mesh/entente/benchmarks/report"
)

// memorySection: what a stream costs while nothing happens.
func memorySection(p plan) section {
	bytes := func(key, title string, reach float64) report.Figure {
		return report.Figure{Key: key, Title: title, Unit: "B", Shown: "kB", Scale: 1e-3, Digits: 1, Reach: reach}
	}
	return section{
		key: "memory", title: "memory per idle stream",
		systems: systems(keyOurs, keyDefaults, keyLinear, keySnapshot),
		figures: []report.Figure{bytes("IdlePlain", few(p.idle)+" streams, plaintext", 30e3), bytes("IdleMTLS", few(p.idle)+" streams, mTLS", 55e3)},
		notes: []string{
			noteGCP, fmt.Sprintf("anonymous memory of the server's process after a thorough collection, less that with no stream, each stream in sync with %d resources; the kernel's socket buffers are not in it", p.held),
			"bare, defaults: grpc-go on its own options with a handler that answers once and waits, below which no server on them can be",
		},
		round: measureMemory,
	}
}

func measureMemory(ctx context.Context, b *bench, system string) error {
	for _, secure := range []bool{false, true} {
		if err := b.memory(ctx, system, secure); err != nil {
			return fmt.Errorf("with %d streams, mTLS %v: %w", b.plan.idle, secure, err)
		}
	}
	return nil
}

func (b *bench) memory(ctx context.Context, system string, secure bool) (err error) {
	setup, key := Setup{System: system, Resources: b.plan.held}, "IdlePlain"
	if secure {
		setup.Identity, key = b.server, "IdleMTLS"
	}
	p, err := b.pair(ctx, setup)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	expect := b.plan.held
	if system == keyDefaults {
		expect = 1
	}
	task := Connect{Clients: min(200, b.plan.idle), Expect: expect}
	if _, err := p.connect(ctx, task); err != nil { // what is needed once, however many streams there are
		return err
	}
	if err := p.crowd.Ask(ctx, "Crowd.Leave", 0, new(int)); err != nil {
		return err
	}
	before, err := p.settled(ctx)
	if err != nil {
		return err
	}
	task.Clients = b.plan.idle
	if _, err := p.connect(ctx, task); err != nil {
		return err
	}
	after, err := p.settled(ctx)
	if err != nil {
		return err
	}
	each := float64(after-before) / float64(b.plan.idle)
	b.results.Add(key, system, each)
	b.say.printf("    %s: %.1f kB per stream", key, each/1e3)
	return nil
}

// settled is the anonymous memory of the server once what is garbage has been freed.
func (p *pair) settled(ctx context.Context) (int64, error) {
	for range 2 { // the second after whatever was still on its way in the first
		if err := p.stand.Ask(ctx, "Stand.Collect", 0, new(int)); err != nil {
			return 0, err
		}
	}
	u, err := p.stand.Used()
	return u.Anonymous, err
}
