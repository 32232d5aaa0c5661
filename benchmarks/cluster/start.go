package main

import (
	"context"
	"os"
)

// start is one start round of one system: on a fresh folder, then on the data that this has left.
func (b *bench) start(ctx context.Context, sys system) error {
	dir := b.folder()
	fresh, err := b.startAndStop(ctx, sys, dir)
	if err != nil {
		return err
	}
	old, err := b.startAndStop(ctx, sys, dir)
	if err != nil {
		return err
	}
	b.addSeconds(readyFresh, sys, fresh.ready)
	b.addSeconds(costFresh, sys, fresh.cost)
	b.addSeconds(readyOld, sys, old.ready)
	b.addSeconds(costOld, sys, old.cost)
	return os.RemoveAll(dir)
}

// startAndStop starts a system, stops it at once and counts the stop. The server that it returns has ended.
func (b *bench) startAndStop(ctx context.Context, sys system, dir string) (*server, error) {
	s, err := b.launch(ctx, sys, dir)
	if err != nil {
		return nil, err
	}
	defer s.kill()
	took, err := s.stop(ctx)
	if err != nil {
		return nil, err
	}
	b.addSeconds(stopIdle, sys, took)
	b.say.printf("  ready after %.2f s with %.2f s of CPU, stopped in %.2f s", s.ready.Seconds(), s.cost.Seconds(), took.Seconds())
	return s, nil
}
