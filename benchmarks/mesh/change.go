package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/entente-mesh/entente/benchmarks/report"
	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/translate"
)

// A sort is one sort of change.
type sort struct {
	key, title string
	op         string
	bytes      float64 // what must be reached
	sealed     bool    // it brings a token that must be opened
	// ref is what is confirmed when the change of this number is, or ok is false while it is not in the mesh.
	ref func(m *mesh.Mesh, number int) (ref live.Ref, ok bool)
}

func sorts() []sort {
	return []sort{
		{"ServiceAdded", "service added", addService, 5e3, false, func(m *mesh.Mesh, number int) (live.Ref, bool) {
			s, ok := m.Services.Get(addedName(number))
			if !ok {
				return live.Ref{}, false
			}
			return s.Ref, true
		}},
		{"EndpointChanged", "endpoint changed", moveEndpoint, 5e3, false, func(m *mesh.Mesh, number int) (live.Ref, bool) {
			e, ok := m.Endpoints.Get(serviceName(number))
			if !ok || len(e.Ready) != 1 || e.Ready[0].Address.Addr().String() != address(1<<16+number) {
				return live.Ref{}, false
			}
			return translate.EndpointsRef(e), true
		}},
		{"TokenChanged", "token changed", rotateToken, 25e3, true, func(_ *mesh.Mesh, number int) (live.Ref, bool) {
			return live.CredentialRef(domain, routeName(callerName(number), domain), 2), true // sealed at first: the mesh has changed all the same
		}},
	}
}

// change measures single changes among everything that there is.
func (b *bench) change(ctx context.Context) (err error) {
	m, err := b.meter()
	if err != nil {
		return err
	}
	g, err := newGateway(b.rest, b.envoy, m)
	if err != nil {
		return err
	}
	b.printf("a gateway takes it all in")
	g.start(ctx)
	defer func() { err = errors.Join(err, g.close()) }()
	if _, err := g.await(ctx, g.tasks.doors); err != nil {
		return err
	}
	if err := errors.Join(g.opened(ctx), g.settled(ctx)); err != nil {
		return err
	}
	for _, s := range sorts() {
		if err := b.options.profiled(s.key, func() error { return b.batches(ctx, g, m, s) }); err != nil {
			return fmt.Errorf("%s: %w", s.title, err)
		}
	}
	return nil
}

// batches measures all changes of one sort. The first batch only warms up.
func (b *bench) batches(ctx context.Context, g *gateway, m *meter, s sort) error {
	b.printf("%s: %d batches of %d", s.title, b.plan.batches, b.plan.perBatch)
	var all []float64
	number := 0
	for batch := range b.plan.batches + 1 {
		one, err := b.batch(ctx, g, m, s, number)
		if err != nil {
			return err
		}
		number += b.plan.perBatch
		if batch == 0 {
			continue
		}
		n := float64(b.plan.perBatch)
		b.add(s.key+changeBytes, float64(one.bytes)/n)
		b.add(s.key+changeCPU, one.cpu.Seconds()/n)
		b.add(s.key+changeP50, report.Percentile(one.confirmed, 50))
		b.add(s.key+changeEvent, report.Percentile(one.seen, 50))
		if s.sealed {
			b.add(s.key+changeOpenCPU, one.opens.Seconds()/n)
		}
		all = append(all, one.confirmed...)
	}
	b.add(s.key+changeP99, report.Percentile(all, 99))
	return nil
}

// A batch is what some changes of one sort have cost together.
type batch struct {
	bytes     uint64
	cpu       time.Duration // without the opens
	opens     time.Duration
	confirmed []float64 // of each, seconds from the event
	seen      []float64 // of each, seconds from the write to the event
}

func (b *bench) batch(ctx context.Context, g *gateway, m *meter, s sort, first int) (batch, error) {
	var total batch
	if s.op == addService {
		if err := b.announce(ctx, g, first); err != nil {
			return total, err
		}
	}
	bytes, opens := g.sent(), m.spent()
	begun, err := ownCPU()
	if err != nil {
		return total, err
	}
	for number := first; number < first+b.plan.perBatch; number++ {
		confirmed, seen, err := b.single(ctx, g, s, number)
		if err != nil {
			return total, err
		}
		total.confirmed, total.seen = append(total.confirmed, confirmed.Seconds()), append(total.seen, seen.Seconds())
	}
	ended, err := ownCPU()
	if err != nil {
		return total, err
	}
	total.bytes, total.opens = g.sent()-bytes, m.spent()-opens
	total.cpu = ended - begun - total.opens
	return total, nil
}

// announce has the endpoints of a batch of services written before the services themselves: their events are not what is measured.
func (b *bench) announce(ctx context.Context, g *gateway, first int) error {
	events, _ := g.events.Get()
	want := events + b.plan.perBatch
	if err := b.clerk.fill(addEndpoints, first, first+b.plan.perBatch, b.plan.workers); err != nil {
		return err
	}
	return g.until(ctx, "the endpoints are known", func() (bool, <-chan struct{}) {
		events, changed := g.events.Get()
		return events >= want, changed
	})
}

// single has one thing changed and waits until Envoy has confirmed it.
func (b *bench) single(ctx context.Context, g *gateway, s sort, number int) (confirmed, seen time.Duration, err error) {
	before, _ := g.source.Wanted().Get()
	if err := b.clerk.order(order{Op: s.op, Number: number}); err != nil {
		return 0, 0, err
	}
	var ref live.Ref
	var event time.Time
	err = g.until(ctx, "the change is in the mesh", func() (bool, <-chan struct{}) {
		w, changed := g.source.Wanted().Get()
		found, ok := s.ref(w.Mesh, number)
		ref, event = found, w.Since
		return ok && w.Mesh != before.Mesh, changed
	})
	if err != nil {
		return 0, 0, err
	}
	err = g.until(ctx, "the change is confirmed", func() (bool, <-chan struct{}) {
		v, changed := g.domain.Board().Await(ref)
		return v.State == live.Confirmed, changed
	})
	now := time.Now()
	if err != nil {
		return 0, 0, err
	}
	from := event
	if s.sealed { // the newest mesh began with the opened token
		w, _ := g.source.Wanted().Get()
		from = w.Since
	}
	at, err := monotonic()
	if err != nil {
		return 0, 0, err
	}
	sent, err := b.clerk.answer()
	return now.Sub(from), at - time.Since(event) - sent, err
}
