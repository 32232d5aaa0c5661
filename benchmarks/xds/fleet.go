package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/entente-mesh/entente/benchmarks/report"
)

// fleetSection: the server is started anew, and all clients come back.
func fleetSection(p plan) section {
	s := section{
		key: "reconnect", title: "clients reconnect after a restart of the server",
		systems: systems(keyOurs, keyLinear, keySnapshot),
		notes: []string{
			noteGCP, noteCores, fmt.Sprintf("%s clients with %d resources each; from the first connection's begin until each has confirmed what it lacks. With versions that is the one resource that has changed meanwhile", few(p.fleet), p.fleetHas),
			"work: CPU time of the server's process in that time",
		},
		round: measureFleet,
	}
	for _, transport := range []string{"plaintext", "mTLS"} {
		for _, how := range []string{"without versions", "with versions"} {
			seconds := func(what, title, unit string, reach float64) report.Figure {
				return report.Figure{Key: fleetKey(what, transport, how), Title: transport + ", " + how + ": " + title, Unit: unit, Shown: "s", Digits: 2, Reach: reach}
			}
			work := 0.0
			if how == "with versions" {
				work = 2
			}
			s.figures = append(s.figures, seconds("Sync", "all in sync", "sec", 10), seconds("Work", "work", "cpu-sec", work))
		}
	}
	return s
}

func fleetKey(what, transport, how string) string {
	key := what + "Plain"
	if transport == "mTLS" {
		key = what + "MTLS"
	}
	if how == "with versions" {
		key += "Held"
	}
	return key
}

func measureFleet(ctx context.Context, b *bench, system string) error {
	for _, transport := range []string{"plaintext", "mTLS"} {
		if err := b.fleet(ctx, system, transport); err != nil {
			return fmt.Errorf("over %s: %w", transport, err)
		}
	}
	return nil
}

func (b *bench) fleet(ctx context.Context, system, transport string) (err error) {
	setup := Setup{System: system, Resources: b.plan.fleetHas}
	if transport == "mTLS" {
		setup.Identity = b.server
	}
	p, err := b.pair(ctx, setup)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.end()) }()
	if _, err := p.connect(ctx, Connect{Clients: 10, Expect: b.plan.fleetHas}); err != nil { // the server of before, from which the versions are
		return err
	}
	for _, how := range []string{"without versions", "with versions"} {
		task := Connect{Clients: b.plan.fleet, Expect: b.plan.fleetHas}
		if how == "with versions" {
			task.Held, task.Expect = true, 1
			setup.Newest = 1
		}
		if err := p.restart(ctx, setup); err != nil {
			return err
		}
		before, err := p.stand.Used()
		if err != nil {
			return err
		}
		took, err := p.connect(ctx, task)
		if err != nil {
			return err
		}
		after, err := p.stand.Used()
		if err != nil {
			return err
		}
		b.results.Add(fleetKey("Sync", transport, how), system, took.Seconds())
		b.results.Add(fleetKey("Work", transport, how), system, (after.CPU - before.CPU).Seconds())
		b.say.printf("    %s, %s: in sync after %.2f s, %.2f s of work", transport, how, took.Seconds(), (after.CPU - before.CPU).Seconds())
	}
	return nil
}
