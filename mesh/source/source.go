// Package source turns the API objects of one domain into its mesh: the newest wanted mesh is one compile behind the API server, never partly
// synced, and stays while the API server is away.
package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"github.com/entente-mesh/entente/internal/latest"
	"github.com/entente-mesh/entente/mesh"
)

// Wanted is a mesh that gateways and DNS should have.
type Wanted struct {
	Mesh *mesh.Mesh
	// Since is when the earliest change that went into the mesh, and not into the one before, arrived in this process: an event of a watch,
	// an opened token, new settings, or the end of a certificate.
	Since time.Time
}

// A Config says whose objects to follow.
type Config struct {
	// REST is how to reach the API server. Its limits on requests do not matter: each kind is one watch, with a back-off of its own.
	REST *rest.Config
	// Namespace is where the domain's objects are: the domain's id.
	Namespace string
	// Settings are what the mesh depends on beside objects. A new value is a change like any other; nil in it means that they are not known
	// yet, and nothing is compiled.
	Settings *latest.Value[*mesh.Settings]
	// Opener opens sealed tokens. Without one they stay sealed, as DNS and controllers want it.
	Opener Opener
	// Openers is how many tokens are opened at a time; 0 means one for every two CPUs: who starts with thousands of them wants its services live
	// first, and that takes the other half.
	Openers int
	// Observe, if set, is told of each compile. It must not block.
	Observe func(Compiled)
	// Log may be nil.
	Log *slog.Logger
}

// Compiled is what one compile took.
type Compiled struct {
	Took    time.Duration
	Events  int  // changes that were merged into it
	Changed bool // the mesh is another one than before
}

// A Source is a Task that follows the objects of one domain.
type Source struct {
	cfg    Config
	world  *world
	kinds  []kind
	tokens *tokens // nil without an opener
	wanted latest.Value[Wanted]
	ready  chan struct{}
}

// New makes a Source. It does not reach for the API server yet.
func New(cfg Config) (*Source, error) {
	switch {
	case cfg.REST == nil:
		return nil, errors.New("the mesh's source has no API server: set Config.REST")
	case cfg.Namespace == "":
		return nil, errors.New("the mesh's source has no namespace: set Config.Namespace to the domain's id")
	case cfg.Settings == nil:
		return nil, errors.New("the mesh's source has no settings: set Config.Settings")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Observe == nil {
		cfg.Observe = func(Compiled) {}
	}
	s := &Source{cfg: cfg, world: newWorld(), ready: make(chan struct{})}
	clients, err := connect(cfg.REST)
	if err != nil {
		return nil, fmt.Errorf("connect to the API server of %s: %w", cfg.Namespace, err)
	}
	s.kinds = kinds(s.world, clients, cfg)
	s.world.kinds = len(s.kinds)
	if cfg.Opener != nil {
		s.tokens = newTokens(cfg.Opener, s.world, cfg.Log)
	}
	return s, nil
}

// Wanted is the newest mesh. It holds none until Ready is closed.
func (s *Source) Wanted() *latest.Value[Wanted] { return &s.wanted }

// Ready is closed when the first mesh is there: every kind of object has been read, and the settings are known. Sealed tokens may still wait.
func (s *Source) Ready() <-chan struct{} { return s.ready }

// String names the task.
func (s *Source) String() string { return "mesh of " + s.cfg.Namespace }

// Run follows the objects until ctx ends. An API server that is away is waited for.
func (s *Source) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, k := range s.kinds {
		g.Go(func() error {
			k.follow(ctx)
			return nil
		})
	}
	if s.tokens != nil {
		for range s.openers() {
			g.Go(func() error {
				s.tokens.work(ctx)
				return nil
			})
		}
	}
	g.Go(func() error {
		s.compile(ctx)
		return nil
	})
	err := g.Wait()
	if s.tokens != nil {
		s.tokens.save()
	}
	return err
}

// compile makes a mesh of whatever has changed since the last one, as soon as anything has. What changes while it works goes into the next.
func (s *Source) compile(ctx context.Context) {
	var last *mesh.Mesh
	due := time.NewTimer(time.Hour) // when a certificate begins or ends being valid; set after each compile
	defer due.Stop()
	for {
		settings, resettled := s.cfg.Settings.Get()
		if b, ok := s.world.take(); ok && settings != nil {
			last = s.step(b, settings, last)
			if at, ok := last.Until(); ok {
				due.Reset(time.Until(at))
			} else {
				due.Stop()
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-s.world.changed:
		case <-resettled:
		case <-due.C:
		}
	}
}

// step compiles one batch of changes and hands out the mesh if it is another one.
func (s *Source) step(b batch, settings *mesh.Settings, last *mesh.Mesh) *mesh.Mesh {
	begin := time.Now()
	if b.since.IsZero() {
		b.since = begin // new settings, or a date
	}
	if s.tokens != nil {
		b.objects.Opened = s.tokens.follow(b.objects.Routes)
	}
	b.objects.Settings = settings
	b.objects.Now = begin.Truncate(time.Second)
	next := mesh.Compile(b.objects, last)
	changed := last == nil || !next.Same(last)
	if changed {
		s.wanted.Set(Wanted{Mesh: next, Since: b.since})
	}
	if last == nil {
		close(s.ready)
	}
	s.cfg.Observe(Compiled{Took: time.Since(begin), Events: b.events, Changed: changed})
	return next
}
