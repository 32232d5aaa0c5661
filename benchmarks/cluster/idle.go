package main

import (
	"context"
	"time"
)

// idle lets a fresh server settle and then takes what it costs while nobody asks anything of it.
func (b *bench) idle(ctx context.Context, sys system, s *server) error {
	if err := until(ctx, time.Now().Add(b.plan.settle)); err != nil {
		return err
	}
	before, err := s.used()
	if err != nil {
		return err
	}
	begun := time.Now()
	if err := until(ctx, begun.Add(b.plan.idle)); err != nil {
		return err
	}
	after, err := s.used()
	if err != nil {
		return err
	}
	share := (after.CPU - before.CPU).Seconds() / time.Since(begun).Seconds()
	b.add(idleCPU, sys, share)
	b.add(idleResident, sys, float64(after.Resident))
	b.add(idleAnon, sys, float64(after.Anonymous))
	b.say.printf("  idle: %.0f MB resident, %.0f MB anonymous, %.1f %% of a core", float64(after.Resident)/1e6, float64(after.Anonymous)/1e6, 100*share)
	return nil
}
