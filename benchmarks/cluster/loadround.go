package main

import (
	"context"
	"os"
	"time"

	"github.com/entente-mesh/entente/benchmarks/proc"
	"github.com/entente-mesh/entente/benchmarks/report"
)

// load is one load round of one system: idle, flooded with each kind of object, at pace, and started once more on what is left.
func (b *bench) load(ctx context.Context, sys system) error {
	dir := b.folder()
	if err := b.loadOn(ctx, sys, dir); err != nil {
		return err
	}
	full, err := b.startAndStop(ctx, sys, dir)
	if err != nil {
		return err
	}
	b.addSeconds(readyFull, sys, full.ready)
	return os.RemoveAll(dir)
}

func (b *bench) loadOn(ctx context.Context, sys system, dir string) error {
	s, err := b.launch(ctx, sys, dir)
	if err != nil {
		return err
	}
	defer s.kill()
	if err := b.idle(ctx, sys, s); err != nil {
		return err
	}
	for _, k := range kinds() {
		if err := b.flood(ctx, sys, s, k); err != nil {
			return err
		}
	}
	if err := b.pace(ctx, sys, s, kinds()[0]); err != nil {
		return err
	}
	if err := b.remains(sys, s); err != nil {
		return err
	}
	took, err := s.stop(ctx)
	if err != nil {
		return err
	}
	b.addSeconds(readyFresh, sys, s.ready)
	b.addSeconds(costFresh, sys, s.cost)
	b.addSeconds(stopLoaded, sys, took)
	b.say.printf("  ready after %.2f s, stopped in %.2f s", s.ready.Seconds(), took.Seconds())
	return nil
}

// flood takes the throughput of one kind, what it costs the server, and how late a watcher hears of it.
func (b *bench) flood(ctx context.Context, sys system, s *server, k kind) error {
	l, err := newLoad(ctx, s.rest, k, "flood", b.plan.objects)
	if err != nil {
		return err
	}
	before, err := s.used()
	if err != nil {
		return err
	}
	found, err := l.flood(ctx, b.plan.workers)
	if err != nil {
		return err
	}
	after, err := s.used()
	if err != nil {
		return err
	}
	perSecond := float64(b.plan.objects) / found.took.Seconds()
	cost := (after.CPU - before.CPU).Seconds() / float64(b.plan.objects) * 1000
	b.add(k.key+rate, sys, perSecond)
	b.add(k.key+serverCPU, sys, cost)
	b.addPercentile(k.key+watchP50, sys, found.watched, 50)
	b.addPercentile(k.key+watchP99, sys, found.watched, 99)
	b.say.printf("  %s: %.0f creates/s, %.2f s of server CPU per 1000", k.title, perSecond, cost)
	b.ended[sys.Title] += found.reopened
	return nil
}

// pace takes the latencies of a server that has time.
func (b *bench) pace(ctx context.Context, sys system, s *server, k kind) error {
	l, err := newLoad(ctx, s.rest, k, "pace", int(b.plan.paced/time.Second)*b.plan.pace)
	if err != nil {
		return err
	}
	found, err := l.pace(ctx, b.plan.pace)
	if err != nil {
		return err
	}
	b.addPercentile(paceP50, sys, found.created, 50)
	b.addPercentile(paceP99, sys, found.created, 99)
	b.addPercentile(seenP50, sys, found.watched, 50)
	b.addPercentile(seenP99, sys, found.watched, 99)
	b.say.printf("  %d/s: watch event after %.1f ms in the median", b.plan.pace, 1e3*report.Percentile(seconds(found.watched), 50))
	b.ended[sys.Title] += found.reopened
	return nil
}

// remains takes what the load leaves in memory and on the disk.
func (b *bench) remains(sys system, s *server) error {
	used, err := s.used()
	if err != nil {
		return err
	}
	disk, err := proc.OnDisk(s.folder)
	if err != nil {
		return err
	}
	b.add(loadResident, sys, float64(used.Resident))
	b.add(diskAfter, sys, float64(disk))
	return nil
}

func (b *bench) addPercentile(figure string, sys system, samples []time.Duration, p float64) {
	b.add(figure, sys, report.Percentile(seconds(samples), p))
}

func seconds(durations []time.Duration) []float64 {
	out := make([]float64, len(durations))
	for i, d := range durations {
		out[i] = d.Seconds()
	}
	return out
}
