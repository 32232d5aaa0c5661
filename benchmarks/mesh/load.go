package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/entente-mesh/entente/benchmarks/proc"
	"github.com/entente-mesh/entente/internal/run"
)

// startGC is the pace of garbage collection until a node is ready, as `entente start` sets it.
const startGC = 400

// load measures a gateway that starts with nothing: in turn with tokens that were never opened, and with those that the round before has kept.
func (b *bench) load(ctx context.Context) error {
	for round := range b.plan.loads {
		b.printf("load round %d of %d", round+1, b.plan.loads)
		if err := os.Remove(b.vault()); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("forget the opened tokens: %w", err)
		}
		if err := b.loadSealed(ctx); err != nil {
			return err
		}
		o := b.options
		if round > 0 {
			o.profile = "" // of one round
		}
		if err := o.profiled("load", func() error { return b.loadOpened(ctx) }); err != nil {
			return err
		}
	}
	return nil
}

// loadSealed is a start with tokens that wait for their RSA opens: everything else goes live before them.
func (b *bench) loadSealed(ctx context.Context) (err error) {
	m, err := b.meter()
	if err != nil {
		return err
	}
	g, err := newGateway(b.rest, b.envoy, m)
	if err != nil {
		return err
	}
	defer debug.SetGCPercent(debug.SetGCPercent(startGC))
	g.start(ctx)
	defer func() { err = errors.Join(err, g.close()) }()
	var open, last time.Duration
	var both errgroup.Group // which of the two comes first is what is asked
	both.Go(func() (err error) {
		open, err = g.await(ctx, g.tasks.doors)
		return err
	})
	both.Go(func() error {
		err := g.opened(ctx)
		last = time.Since(g.begun)
		return err
	})
	if err := both.Wait(); err != nil {
		return err
	}
	if err := g.settled(ctx); err != nil {
		return err
	}
	b.addSeconds(coldOpen, open)
	b.addSeconds(coldTokens, last)
	b.addSeconds(coldOpens, m.spent())
	return nil
}

// opened waits until no token waits any more.
func (g *gateway) opened(ctx context.Context) error {
	return g.until(ctx, "every token is opened", func() (bool, <-chan struct{}) {
		w, changed := g.source.Wanted().Get()
		return w.Mesh != nil && w.Mesh.Unopened == 0, changed
	})
}

// loadOpened is a start with tokens that an earlier one has opened.
func (b *bench) loadOpened(ctx context.Context) (err error) {
	m, err := b.meter()
	if err != nil {
		return err
	}
	g, err := newGateway(b.rest, b.envoy, m)
	if err != nil {
		return err
	}
	before, err := proc.Used(b.api.PID())
	if err != nil {
		return err
	}
	defer debug.SetGCPercent(debug.SetGCPercent(startGC))
	idle, err := ownCPU()
	if err != nil {
		return err
	}
	g.start(ctx)
	defer func() { err = errors.Join(err, g.close()) }()
	at, err := g.pass(ctx)
	if err != nil {
		return err
	}
	if n := m.opened.Load(); n > 0 {
		return fmt.Errorf("%d tokens were opened anew although all were kept", n)
	}
	after, err := proc.Used(b.api.PID())
	if err != nil {
		return err
	}
	envoy, err := proc.Used(g.envoyPID())
	if err != nil {
		return err
	}
	b.addSeconds(loadMesh, at.compiled)
	b.addSeconds(loadCommit, at.committed)
	b.addSeconds(loadFeedCPU, at.cpuAll-at.cpuCommitted)
	b.addSeconds(loadOurs, at.committed+at.cpuAll-at.cpuCommitted)
	b.addSeconds(loadCPU, at.cpuAll-idle)
	b.addSeconds(loadAPI, after.CPU-before.CPU)
	b.addSeconds(loadEnvoy, at.all-at.committed-(at.cpuAll-at.cpuCommitted))
	b.addSeconds(loadEnvoyCPU, envoy.CPU)
	b.addSeconds(loadOpen, at.open)
	b.addSeconds(loadLag, at.open-at.live)
	b.addSeconds(loadAll, at.all)
	return nil
}

// marks say how long after its start a gateway was where, and what CPU time this process had used by then.
type marks struct {
	compiled, committed, live, open, all time.Duration
	cpuCommitted, cpuAll                 time.Duration
}

// pass follows a gateway that has just been started until everything is confirmed.
func (g *gateway) pass(ctx context.Context) (marks, error) {
	var at marks
	var err error
	for _, mark := range []struct {
		task run.Task
		at   *time.Duration
		cpu  *time.Duration
	}{
		{g.source, &at.compiled, nil},
		{g.tasks.publisher, &at.committed, &at.cpuCommitted},
		{g.tasks.envoy, &at.live, nil},
		{g.tasks.doors, &at.open, nil},
	} {
		if *mark.at, err = g.await(ctx, mark.task); err != nil {
			return at, err
		}
		if mark.cpu != nil {
			if *mark.cpu, err = ownCPU(); err != nil {
				return at, err
			}
		}
	}
	if err := g.settled(ctx); err != nil {
		return at, err
	}
	at.all = time.Since(g.begun)
	at.cpuAll, err = ownCPU()
	return at, err
}
