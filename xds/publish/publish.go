// Package publish gives the Envoys of one domain the newest mesh, one commit per change, and tells the owners of the objects what became of it.
package publish

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/entente-mesh/entente/internal/run"
	"github.com/entente-mesh/entente/internal/sorted"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/translate"
)

// Wanted is what the gateways of the domain should do.
type Wanted struct {
	// Mesh is nil before there is any.
	Mesh *mesh.Mesh
	// Since is when the oldest change was seen that is in Mesh and was not in the one before.
	Since time.Time
}

// Config says what is published and where.
type Config struct {
	// Wanted returns the newest wanted mesh, and a channel that is closed when there is a newer one.
	Wanted func() (Wanted, <-chan struct{})
	// Cache is the domain's. Only the Publisher commits to it.
	Cache *cache.Cache
	// Patient holds the first commit back until every sealed token has been tried. It is for Envoys that were configured before this process
	// began: they go on with what they have, and no token that is in use is taken from them.
	Patient bool
	// Client writes annotations and events; nil writes none. It is used without any cache.
	Client client.Client
	// Reports bounds the reports per second, so that a start with many objects does not take the API server from those who wait for it. 0
	// means DefaultReports.
	Reports int
	// Metrics registers this package's figures; nil means nobody wants them.
	Metrics prometheus.Registerer
	// Log takes what a user would want to know; nil discards it.
	Log *slog.Logger
}

// DefaultReports is how many objects are reported on in a second.
const DefaultReports = 50

// A Publisher is the Task that brings one domain's mesh to its Envoys.
type Publisher struct {
	// Set once in New.
	cfg     Config
	metrics *metrics
	ready   chan struct{} // closed by Run after the first commit
	doors   *doors
	reports *reports

	published atomic.Pointer[published] // written by Run
}

// New returns a publisher.
func New(cfg Config) (*Publisher, error) {
	if cfg.Wanted == nil || cfg.Cache == nil {
		return nil, errors.New("a publisher needs a source of meshes and a cache")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Reports == 0 {
		cfg.Reports = DefaultReports
	}
	m, err := newMetrics(cfg.Metrics)
	if err != nil {
		return nil, err
	}
	p := &Publisher{cfg: cfg, metrics: m, ready: make(chan struct{}), doors: newDoors(cfg.Cache, cfg.Log)}
	p.published.Store(&published{})
	p.reports = newReports(p)
	return p, nil
}

// String names the publisher.
func (*Publisher) String() string { return "xDS publisher" }

// Ready is closed when the first mesh has been committed.
func (p *Publisher) Ready() <-chan struct{} { return p.ready }

// Run publishes until ctx ends. A change is committed at once; those that come in the meantime are committed together, next.
func (p *Publisher) Run(ctx context.Context) error {
	work := run.NewGroup(p.String(), nil)
	work.Add(&task{"xDS commits", p.ready, p.follow})
	if p.cfg.Client != nil {
		work.Add(&task{"reports on objects", closed(), p.reports.run})
		work.Add(&task{"confirmations", closed(), p.listen})
	}
	return work.Run(ctx)
}

// follow commits each wanted mesh.
func (p *Publisher) follow(ctx context.Context) error {
	first := true
	for {
		wanted, newer := p.cfg.Wanted()
		if m := wanted.Mesh; m != nil && (!first || !p.cfg.Patient || m.Unopened == 0) && p.publish(wanted) && first {
			first = false
			close(p.ready)
		}
		select {
		case <-newer:
		case <-ctx.Done():
			return nil
		}
	}
}

// publish commits one mesh. One that cannot be committed is left out, as if it had come and gone while another was worked on.
func (p *Publisher) publish(w Wanted) bool {
	before, begin := p.published.Load(), time.Now()
	delta, faults := translate.Delta(before.mesh, w.Mesh)
	after := before.with(w.Mesh, delta, faults)
	p.published.Store(after) // before the commit: Envoys may confirm it while Commit still runs
	now := time.Now()
	if _, err := p.cfg.Cache.Commit(delta, now); err != nil {
		p.published.Store(before)
		p.metrics.failures.Inc()
		p.cfg.Log.Error("the mesh could not be committed; gateways keep the one before", "domain", w.Mesh.Settings.Domain, "error", err)
		return false
	}
	p.doors.settle(w.Mesh.Settings, now)
	p.metrics.committed(p.cfg.Cache, now.Sub(begin), w.Since, now)
	p.metrics.problems.Set(float64(after.problems()))
	p.complain(before, after)
	return true
}

// complain logs problems that are new, and has the objects reported on whose problems have changed.
func (p *Publisher) complain(before, after *published) {
	found := sorted.Map[*mesh.Problem]{}
	if before.mesh != nil {
		found = before.mesh.Problems
	}
	p.complainOf(found, after.mesh.Problems)
	for _, table := range slices.Sorted(maps.Keys(after.faults)) {
		p.complainOf(before.faults[table], after.faults[table])
	}
	for table, faults := range before.faults {
		if _, stays := after.faults[table]; !stays {
			p.complainOf(faults, sorted.Map[*mesh.Problem]{})
		}
	}
}

func (p *Publisher) complainOf(before, after sorted.Map[*mesh.Problem]) {
	for change := range sorted.Diff(before, after) {
		if change.In && change.Out && *change.Old == *change.New {
			continue // found again
		}
		about := change.Old
		if change.Out {
			about = change.New
			p.cfg.Log.Warn("an object cannot be programmed as it is", "kind", about.Object.Kind, "namespace", about.Object.Namespace,
				"name", about.Object.Name, "field", about.Field, "reason", about.Reason, "remedy", about.Remedy)
		}
		p.reports.add(objectOf(about.Object))
	}
}

// listen has objects reported on as Envoys confirm or reject what was made from them.
func (p *Publisher) listen(ctx context.Context) error {
	for {
		events, more := p.cfg.Cache.Board().Events()
		for _, e := range events {
			p.reports.add(objectOf(e.Ref))
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil
		}
	}
}

// A task is one goroutine of the publisher.
type task struct {
	name  string
	ready <-chan struct{}
	work  func(context.Context) error
}

func (t *task) Run(ctx context.Context) error { return t.work(ctx) }
func (t *task) Ready() <-chan struct{}        { return t.ready }
func (t *task) String() string                { return t.name }

func closed() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}
