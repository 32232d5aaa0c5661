package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/entente-mesh/entente/auth/seal"
	"github.com/entente-mesh/entente/internal/latest"
	"github.com/entente-mesh/entente/internal/run"
	"github.com/entente-mesh/entente/internal/version"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/mesh/source"
	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/publish"
	"github.com/entente-mesh/entente/xds/serve"
	"github.com/entente-mesh/entente/xds/translate"
)

// streamIdle is how long a stream through a gateway may be silent, as in a node's configuration.
const streamIdle = time.Minute

// A fleetDomain serves one domain, and begins again when that fails, until it is stopped.
type fleetDomain struct {
	// Set once in newFleetDomain.
	domains *fleetDomains
	folder  *fleetFolder
	settled chan struct{} // closed when it is ready, or has failed for the first time
	once    sync.Once

	// Set once by start.
	cancel context.CancelFunc
	ended  chan struct{}

	life    atomic.Pointer[fleetLife]           // nil while it is not ready
	figures atomic.Pointer[prometheus.Registry] // of the newest life

	mu    sync.Mutex
	state Part // guarded by mu
}

func newFleetDomain(d *fleetDomains, folder *fleetFolder) *fleetDomain {
	return &fleetDomain{
		domains: d, folder: folder, settled: make(chan struct{}), ended: make(chan struct{}),
		state: Part{Name: folder.domain, State: Starting, Since: time.Now()},
	}
}

// start serves the domain in the background; stop ends that.
func (d *fleetDomain) start(ctx context.Context) {
	ctx, d.cancel = context.WithCancel(ctx)
	task := run.Restart("domain "+d.folder.domain, run.Backoff{First: 200 * time.Millisecond, Most: 10 * time.Second}, d.begin, d.observe)
	go func() { // stop waits for it
		defer close(d.ended)
		if err := task.Run(ctx); err != nil {
			d.domains.fleet.log.Error("a domain did not end in order", "domain", d.folder.domain, "error", err)
		}
	}()
}

// stop sends the domain's Envoys away and waits until nothing of it is left.
func (d *fleetDomain) stop() {
	d.cancel()
	<-d.ended
}

// observe notes how far the domain is, and tells people.
func (d *fleetDomain) observe(e run.Event) {
	d.mu.Lock()
	before := d.state
	d.state.Since = time.Now()
	switch e.Phase {
	case run.Started:
		d.state.State = Starting // and why the life before ended, until this one is ready
	case run.Ready:
		d.state.State, d.state.Took, d.state.Error = Ready, round(e.Took).String(), ""
	case run.Waiting:
		d.state.State, d.state.Error = Waiting, e.Err.Error()
	case run.Stopped:
		d.state.State = Stopped
	}
	after := d.state
	d.mu.Unlock()
	log := d.domains.fleet.log.With("domain", d.folder.domain)
	switch {
	case e.Phase == run.Ready:
		log.Info("a domain is served", "took", round(e.Took))
	case e.Phase == run.Waiting && after.Error != before.Error: // not each time that the same fails again
		log.Error("a domain cannot be served; it is tried again and again", "error", e.Err)
	}
	if e.Phase == run.Ready || e.Phase == run.Waiting {
		d.once.Do(func() { close(d.settled) })
	}
}

// A fleetLife is a domain from its beginning until something fails or its folder changes.
type fleetLife struct {
	// Set once in begin.
	domain    *fleetDomain
	cache     *cache.Cache
	publisher *publish.Publisher
	done      chan struct{} // closed at the end, for the streams

	ctx  context.Context // of the lines; set by serve, before anybody can see the life
	wait sync.WaitGroup  // the lines' goroutines

	mu sync.Mutex
	// Guarded by mu.
	over      bool // no line may begin
	lines     map[*fleetLine]struct{}
	condemned map[string]error // gateways that were seen to let in who has no token, and how
}

// begin puts a new life together.
func (d *fleetDomain) begin() (run.Task, error) {
	f, id := d.domains.fleet, d.folder.domain
	registry := prometheus.NewRegistry()
	l := &fleetLife{domain: d, cache: cache.New(d.domains.salt), done: make(chan struct{}), lines: map[*fleetLine]struct{}{}, condemned: map[string]error{}}
	var settings latest.Value[*mesh.Settings]
	settings.Set(&mesh.Settings{Domain: id, StreamIdle: streamIdle})
	keeper, err := d.keeper()
	if err != nil {
		return nil, err
	}
	objects, err := source.New(source.Config{REST: f.rest, Namespace: id, Settings: &settings, Opener: keeper, Log: f.log})
	if err != nil {
		return nil, err
	}
	l.publisher, err = publish.New(publish.Config{
		Wanted: func() (publish.Wanted, <-chan struct{}) {
			w, newer := objects.Wanted().Get()
			return publish.Wanted{Mesh: w.Mesh, Since: w.Since}, newer
		},
		Cache: l.cache, Client: d.domains.objects, Log: f.log,
		Metrics: prometheus.WrapRegistererWith(prometheus.Labels{"domain": id}, registry),
		Patient: true, // Envoys that come back have tokens that must not be taken from them
	})
	if err != nil {
		return nil, err
	}
	d.figures.Store(registry)
	namespace := newFleetPart("namespace", d.namespace)
	parts := run.NewGroup("domain "+id, nil)
	parts.Add(namespace)
	parts.Add(objects, namespace)
	parts.Add(l.publisher, objects)
	parts.Add(newFleetPart("gateways", l.serve), l.publisher)
	return parts, nil
}

// keeper opens the domain's tokens, and remembers them.
func (d *fleetDomain) keeper() (*source.Keeper, error) {
	dir := filepath.Join(d.domains.fleet.home.dir, "var", "domains", d.folder.domain)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of opened tokens: %w", err)
	}
	keeper, err := source.NewKeeper(d.folder.key, filepath.Join(dir, "tokens.vault"))
	if path := new(fs.PathError); errors.Is(err, seal.ErrVault) || errors.As(err, &path) {
		d.domains.fleet.log.Warn("tokens are opened anew, which takes some milliseconds for each", "domain", d.folder.domain, "error", err)
		err = nil
	}
	return keeper, err
}

// namespace refuses to serve a domain that does not exist: its empty mesh would take everything from its Envoys.
func (d *fleetDomain) namespace(ctx context.Context, ready func()) error {
	const most = 10 * time.Second
	asked, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	err := d.domains.objects.Get(asked, client.ObjectKey{Name: d.folder.domain}, &corev1.Namespace{})
	switch {
	case ctx.Err() != nil:
		return nil
	case apierrors.IsNotFound(err):
		return fmt.Errorf("the API server has no namespace %s; make it: kubectl create namespace %s", d.folder.domain, d.folder.domain)
	case err != nil:
		return fmt.Errorf("ask for namespace %s: %w", d.folder.domain, err)
	}
	ready()
	<-ctx.Done()
	return nil
}

// serve lets Envoys in until ctx ends, and then sends them away.
func (l *fleetLife) serve(ctx context.Context, ready func()) error {
	l.ctx = ctx
	l.domain.life.Store(l)
	ready()
	<-ctx.Done()
	l.domain.life.Store(nil)
	l.mu.Lock()
	l.over = true
	l.mu.Unlock()
	close(l.done)
	l.wait.Wait()
	return nil
}

// open shows an Envoy what it sees.
func (l *fleetLife) open(gateway string) (serve.View, error) {
	flags := l.domain.domains.fleet.flags
	at := l.domain.folder.gateway(gateway, flags.external, flags.internal)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return serve.View{}, fmt.Errorf("%w at this moment: the domain is begun anew", serve.ErrUnknown)
	}
	door := l.publisher.Gateway(translate.Gateway{
		Name: gateway, Version: version.String(), External: at.External, Internal: at.Internal, Logs: at.Logs, Closed: l.condemned[gateway] != nil,
	})
	view, err := cache.NewView(l.cache, door.Listeners())
	if err != nil {
		door.Release()
		return serve.View{}, err
	}
	line := newFleetLine(l, gateway, at, door)
	l.lines[line] = struct{}{}
	if err := l.condemned[gateway]; err != nil {
		line.tell(doorsShut, err)
	} else {
		l.wait.Go(line.run)
	}
	return serve.View{Resources: view, Board: l.cache.Board(), Done: l.done, Release: func() { l.release(line) }}, nil
}

func (l *fleetLife) release(line *fleetLine) {
	line.cancel()
	line.door.Release()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.lines, line)
}

// condemn keeps a gateway shut for the rest of this life.
func (l *fleetLife) condemn(gateway string, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.condemned[gateway] = why
	for line := range l.lines {
		if line.name == gateway {
			line.door.Close()
			line.tell(doorsShut, why)
		}
	}
}

// connected are the lines, by gateway.
func (l *fleetLife) connected() []*fleetLine {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*fleetLine
	for line := range l.lines {
		all = append(all, line)
	}
	slices.SortFunc(all, func(a, b *fleetLine) int { return strings.Compare(a.name, b.name) })
	return all
}

// A fleetPart is one of a domain's tasks.
type fleetPart struct {
	name  string
	ready chan struct{}
	work  func(ctx context.Context, ready func()) error
}

func newFleetPart(name string, work func(context.Context, func()) error) *fleetPart {
	return &fleetPart{name: name, ready: make(chan struct{}), work: work}
}

func (p *fleetPart) String() string                { return p.name }
func (p *fleetPart) Ready() <-chan struct{}        { return p.ready }
func (p *fleetPart) Run(ctx context.Context) error { return p.work(ctx, func() { close(p.ready) }) }
