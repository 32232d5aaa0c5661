package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/entente-mesh/entente/benchmarks/report"
)

// confirmSection: one endpoint changes, until the last of many streams has confirmed it.
func confirmSection(p plan) section {
	s := section{
		key: "confirm", title: "one endpoint change, until the last stream has confirmed it",
		systems: systems(keyOurs, keySnapshot, keyLinear, keyMux, keyBare),
		notes: []string{
			noteGCP, noteCores, fmt.Sprintf("each stream asks for %d endpoints by name, as an Envoy does; a sample is the percentile of the changes of one round", p.watched),
			"bare grpc-go sends the same bytes to the same streams and receives the same answers, and does nothing else",
		},
		round: measureConfirm,
	}
	for _, n := range p.crowds {
		reach := 20e-3
		if n > 1_000 {
			reach = 100e-3
		}
		ms := func(key, title string, reach float64) report.Figure {
			return report.Figure{Key: fmt.Sprintf("Confirm%d%s", n, key), Title: few(n) + " streams: " + title, Unit: "sec", Shown: "ms", Scale: 1e3, Digits: 1, Reach: reach}
		}
		s.figures = append(s.figures, ms("P50", "p50", 0), ms("P99", "p99", reach), ms("Max", "slowest", 0),
			report.Figure{Key: fmt.Sprintf("Confirm%dCPU", n), Title: few(n) + " streams: server CPU per stream", Unit: "cpu-sec", Shown: "µs", Scale: 1e6, Digits: 1})
	}
	return s
}

func measureConfirm(ctx context.Context, b *bench, system string) error {
	for _, n := range b.plan.crowds {
		if err := b.confirm(ctx, system, n); err != nil {
			return fmt.Errorf("with %d streams: %w", n, err)
		}
	}
	return nil
}

func (b *bench) confirm(ctx context.Context, system string, streams int) (err error) {
	p, err := b.pair(ctx, Setup{System: system, Resources: b.plan.watched})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	expect := b.plan.watched
	if system == keyBare {
		expect = 1
	}
	if _, err := p.connect(ctx, Connect{Clients: streams, Names: b.plan.watched, Expect: expect}); err != nil {
		return err
	}
	if _, err := p.change(ctx, Amount{Streams: streams, Changes: 5, Least: 1, Budget: time.Second}); err != nil { // not counted
		return err
	}
	got, err := p.change(ctx, Amount{Streams: streams, Changes: b.plan.confirms, Least: 10, Budget: b.plan.budget, Profile: b.profileOf("confirm", system, streams)})
	if err != nil {
		return err
	}
	var seconds []float64
	for _, d := range got.Confirmed {
		seconds = append(seconds, d.Seconds())
	}
	key := func(name string) string { return fmt.Sprintf("Confirm%d%s", streams, name) }
	b.results.Add(key("P50"), system, report.Percentile(seconds, 50))
	b.results.Add(key("P99"), system, report.Percentile(seconds, 99))
	b.results.Add(key("Max"), system, report.Percentile(seconds, 100))
	b.results.Add(key("CPU"), system, got.CPU.Seconds()/float64(len(seconds)*streams))
	b.say.printf("    %s streams: p50 %.1f ms, p99 %.1f ms over %d changes", few(streams), 1e3*report.Percentile(seconds, 50), 1e3*report.Percentile(seconds, 99), len(seconds))
	return nil
}
