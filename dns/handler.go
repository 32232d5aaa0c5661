// Package dns is the CoreDNS plugin entente: it answers the names of the mesh from the same picture that the domain's gateways work from.
//
// It never says that a name does not exist before it has seen a mesh, and keeps answering from the last one while the API server is away.
package dns

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/pkg/fall"
	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/entente-mesh/entente/mesh"
)

// pluginName is the directive, and the plugin's name in logs and metrics.
const pluginName = "entente"

// defaultTTL is how long answers may be kept: as short as the original's, because tasks come and go.
const defaultTTL = 5 * time.Second

var (
	// errNotSynced is why names of the mesh are refused for a while after the start.
	errNotSynced = errors.New("no mesh was seen yet: names of the mesh are answered as soon as the API server has been read")
	// errNoGateway is why names behind the gateway are refused.
	errNoGateway = errors.New("no address of a gateway is known: start the domain's gateway, or name its address with the option gateway")
)

// Config is what a Handler answers from.
type Config struct {
	// Domain is the domain whose names these are. Required.
	Domain string
	// Mesh gives the domain's newest mesh, when the first of the events arrived that made it (zero if nobody knows), and a channel that is
	// closed by the next mesh. The mesh is nil until there is one. Required.
	Mesh func() (newest *mesh.Mesh, since time.Time, changed <-chan struct{})
	// Gateway are the addresses under which pods reach the gateway; empty means Settings.Address of the mesh, else its Gateways.
	Gateway []netip.Addr
	// TTL is how long answers may be kept, in whole seconds; 0 means 5 s.
	TTL time.Duration
	// Metrics takes the figures; nil keeps none.
	Metrics prometheus.Registerer
}

// A Handler answers the names of one domain's mesh. It is safe for use by many goroutines once it is part of a server.
type Handler struct {
	// Set before the first query.

	Next  plugin.Handler
	Zones []string // below which names are answered at all; empty means everywhere
	Fall  fall.F   // for which names an answer that the name does not exist is left to Next

	domain  string
	mesh    func() (*mesh.Mesh, time.Time, <-chan struct{})
	ttl     uint32
	metrics *metrics
	// packed lets hits leave as bytes and not as messages, where the plugins before this one allow it; see takesBytes and front.
	packed bool

	index   *index
	buffers buffers
	synced  chan struct{} // closed by Follow with the first mesh
}

// New makes a Handler. It answers nothing but SERVFAIL until Follow runs and has seen a mesh.
func New(c Config) *Handler {
	if c.TTL < time.Second {
		c.TTL = defaultTTL
	}
	ttl := uint32(c.TTL / time.Second)
	return &Handler{
		domain: c.Domain, mesh: c.Mesh, ttl: ttl, metrics: newMetrics(c.Metrics),
		index: newIndex(c.Domain, ttl, c.Gateway), synced: make(chan struct{}),
	}
}

// Follow brings each new mesh into the answers until ctx ends. It is called once.
func (h *Handler) Follow(ctx context.Context) {
	for {
		newest, since, changed := h.mesh()
		if newest != nil {
			if since.IsZero() {
				since = time.Now()
			}
			h.index.update(newest)
			h.metrics.updated(h.index.table.count, time.Since(since))
			if !h.Ready() {
				close(h.synced)
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// Name is the plugin's name.
func (h *Handler) Name() string { return pluginName }

// ServeDNS answers names of the mesh and leaves all others to the next plugin.
func (h *Handler) ServeDNS(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	if len(r.Question) != 1 || r.Question[0].Qclass != dns.ClassINET || r.Opcode != dns.OpcodeQuery || !h.mine(r.Question[0].Name) {
		return plugin.NextOrFailure(pluginName, h.Next, ctx, w, r)
	}
	var name lowered
	var key []byte // apart from q, for whose sake it would have to live on the heap
	q := query{kind: nobody}
	if name.set(r.Question[0].Name) {
		q.kind, key = classify(name.bytes(), h.domain)
	} else if !belowSvc(r.Question[0].Name) {
		q.kind = other
	}
	q.view = h.index.view.Load()
	switch {
	case q.kind == other, q.kind == foreign && q.view == nil:
		return plugin.NextOrFailure(pluginName, h.Next, ctx, w, r)
	case q.view == nil:
		return dns.RcodeServerFailure, errNotSynced
	case q.kind == partner:
		q.entry = q.view.partner
	case q.kind.indexed():
		q.entry = h.index.table.get(key)
	}
	if q.entry != nil && h.packed && ctx.Value(caught{}) == nil {
		if written, err := h.writePacked(w, r, q); written {
			return dns.RcodeSuccess, err
		}
	}
	return h.answer(ctx, w, r, &question{query: q, key: string(key)})
}

// mine says whether the name is below one of the zones.
func (h *Handler) mine(name string) bool {
	return len(h.Zones) == 0 || plugin.Zones(h.Zones).Matches(name) != ""
}

// A query is what was found out about a question.
type query struct {
	kind  kind
	view  *view
	entry *entry // nil: no such name in the index
}
