package publish

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/translate"
)

// doors keeps the listeners of the gateways that have an Envoy connected.
type doors struct {
	// Set once.
	domain *cache.Cache
	log    *slog.Logger

	mu sync.Mutex
	// Guarded by mu.
	settings *mesh.Settings // nil before the first mesh: there are no listeners yet
	all      map[*Door]struct{}
}

func newDoors(domain *cache.Cache, log *slog.Logger) *doors {
	return &doors{domain: domain, log: log, all: map[*Door]struct{}{}}
}

// A Door is a gateway's listeners while an Envoy is connected.
type Door struct {
	// Set once in doors.gateway.
	doors *doors
	cache *cache.Cache

	// Guarded by doors.mu.
	gateway translate.Gateway
}

// Gateway begins to serve listeners to one Envoy. The caller must Release what it gets.
//
// Each Envoy has a cache of its own and proves its doors by itself: the next Envoy of a gateway may be another version. One that serves traffic
// already must not be called closed when it comes back, since that takes its listeners away: whoever has proved it must remember so.
func (p *Publisher) Gateway(g translate.Gateway) *Door { return p.doors.gateway(g, time.Now()) }

// Listeners is the cache that serves the gateway's listeners, beside the domain's.
func (d *Door) Listeners() *cache.Cache { return d.cache }

// Open lets in partners and pods, after the proof that who has no token is refused. It may be called again.
func (d *Door) Open() {
	d.doors.mu.Lock()
	defer d.doors.mu.Unlock()
	if d.gateway.Closed {
		d.gateway.Closed = false
		d.doors.commit(d, time.Now())
	}
}

// Close takes the listeners for partners and pods away again, from an Envoy that was seen to let in who has no token. It may be called again.
func (d *Door) Close() {
	d.doors.mu.Lock()
	defer d.doors.mu.Unlock()
	if !d.gateway.Closed {
		d.gateway.Closed = true
		d.doors.commit(d, time.Now())
	}
}

// Release ends the service. The Envoy keeps what it has. It may be called again.
func (d *Door) Release() {
	d.doors.mu.Lock()
	defer d.doors.mu.Unlock()
	delete(d.doors.all, d)
}

func (s *doors) gateway(g translate.Gateway, now time.Time) *Door {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.Internal = slices.Clone(g.Internal)
	d := &Door{doors: s, cache: s.domain.Beside(), gateway: g}
	s.all[d] = struct{}{}
	s.commit(d, now)
	return d
}

// settle makes all listeners anew when a setting has changed.
func (s *doors) settle(settings *mesh.Settings, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.settings == settings {
		return
	}
	s.settings = settings
	for d := range s.all {
		s.commit(d, now)
	}
}

// commit makes the listeners of one gateway. It is called with mu held.
func (s *doors) commit(d *Door, now time.Time) {
	if s.settings == nil {
		return
	}
	delta := cache.Delta{Set: translate.Listeners(s.settings, d.gateway)}
	for name := range d.cache.All(cache.Listener).Keys() {
		if !slices.ContainsFunc(delta.Set, func(r cache.Resource) bool { return r.Name == name }) {
			delta.Delete = append(delta.Delete, cache.Key{Type: cache.Listener, Name: name})
		}
	}
	if _, err := d.cache.Commit(delta, now); err != nil {
		s.log.Error("the listeners could not be committed; the gateway keeps those before", "domain", s.settings.Domain, "gateway", d.gateway.Name, "error", err)
	}
}
