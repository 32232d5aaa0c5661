package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/entente-mesh/entente/benchmarks/report"
)

// costSection: what a change costs the server, depending on how much else there is.
func costSection(p plan) section {
	s := section{
		key: "cost", title: "server CPU per change",
		systems: systems(keyOurs, keyBare, keyLinear, keyMux, keySnapshot),
		notes: []string{
			noteGCP, noteCores, fmt.Sprintf("%d streams that ask for everything (a tenth for gcp above 10,000 resources); CPU time of the server's process from the commit to the last confirmation, the commit included", p.streams),
			"bare grpc-go has fixed windows as our server has; it knows no resources, so its figure is the same for all sizes",
		},
		round: measureCost,
	}
	for _, n := range p.sizes {
		us := func(key, title string, reach float64) report.Figure {
			return report.Figure{Key: fmt.Sprintf("%s%d", key, n), Title: few(n) + " resources: " + title, Unit: "cpu-sec", Shown: "µs", Scale: 1e6, Digits: 1, Reach: reach}
		}
		s.figures = append(s.figures, us("Commit", "commit", 10e-6), us("Stream", "per stream", 0))
	}
	return s
}

// streamsFor is how many streams a system gets. go-control-plane looks at all resources for each of them: with very many it gets fewer, so that the
// run ends, which leaves the cost of each as it is.
func (b *bench) streamsFor(system string, resources int) int {
	const many, share = 10_000, 10
	if resources <= many || system == keyOurs || system == keyBare {
		return b.plan.streams
	}
	return max(1, b.plan.streams/share)
}

func measureCost(ctx context.Context, b *bench, system string) error {
	for _, n := range b.plan.sizes {
		if err := b.cost(ctx, system, n); err != nil {
			return fmt.Errorf("with %d resources: %w", n, err)
		}
	}
	return nil
}

func (b *bench) cost(ctx context.Context, system string, resources int) (err error) {
	p, err := b.pair(ctx, Setup{System: system, Resources: resources})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	expect := resources
	if system == keyBare {
		expect = 1
	} else {
		var commits Changed
		if err := p.stand.Ask(ctx, "Stand.Commit", Amount{Changes: b.plan.commits, Least: 1, Budget: b.plan.budget / 4}, &commits); err != nil {
			return err
		}
		b.results.Add(fmt.Sprintf("Commit%d", resources), system, commits.Commit.Seconds())
		b.say.printf("    %s resources: commit %.1f µs", few(resources), float64(commits.Commit.Nanoseconds())/1e3)
	}
	streams := b.streamsFor(system, resources)
	if _, err := p.connect(ctx, Connect{Clients: streams, AtOnce: 8, Expect: expect}); err != nil {
		return err
	}
	if _, err := p.change(ctx, Amount{Streams: streams, Changes: 20, Least: 1, Budget: time.Second}); err != nil { // not counted
		return err
	}
	if err := p.stand.Ask(ctx, "Stand.Collect", 0, new(int)); err != nil { // what the beginning of so many streams has left behind
		return err
	}
	got, err := p.change(ctx, Amount{Streams: streams, Changes: b.plan.costs, Least: 3, Budget: b.plan.budget, Profile: b.profileOf("cost", system, resources)})
	if err != nil {
		return err
	}
	each := got.CPU.Seconds() / float64(len(got.Confirmed)*streams)
	b.results.Add(fmt.Sprintf("Stream%d", resources), system, each)
	b.say.printf("    %s resources: %.1f µs per stream over %d changes", few(resources), 1e6*each, len(got.Confirmed))
	return nil
}
