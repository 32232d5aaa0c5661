package translate

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
)

// internalRoutes say where the requests of the domain's pods go, by their host. Hosts by which only Entente itself calls are not found.
func internalRoutes(m *mesh.Mesh) (cache.Resource, []*mesh.Problem) {
	return outward(m, RoutesInternal)
}

// egressRoutes say the same for Entente's own requests, and for those of partners that pass through, which external has bound to hosts of other
// domains.
func egressRoutes(m *mesh.Mesh) (cache.Resource, []*mesh.Problem) { return outward(m, RoutesEgress) }

func outward(m *mesh.Mesh, name string) (cache.Resource, []*mesh.Problem) {
	e := egress{table: newTable(m), pods: name == RoutesInternal, taken: map[string]bool{}}
	e.control()
	for _, s := range m.Services.All() {
		if named(s) {
			e.named(s)
		}
	}
	e.shared()
	limits := e.limits()
	for _, r := range m.Outbound.All() {
		e.handshakes(r)
		e.partner(r, limits[r.Destination])
	}
	return e.resource(name, e.hosts, ourOwn()...)
}

// An egress is the table of internalRoutes or of egressRoutes.
type egress struct {
	table
	pods  bool            // for pods
	taken map[string]bool // hosts that stand in the table: Envoy refuses a table with the same one twice
	hosts []*routev3.VirtualHost
}

// host puts one part into the table: routes for some hosts, made from an object.
func (e *egress) host(object live.Ref, name string, domains []string, build func(*packer, *routev3.VirtualHost)) {
	for _, d := range domains {
		if e.taken[d] {
			e.report(object, "", "host "+d+" belongs to another object already", "give one of the two another name")
			return
		}
	}
	h := &routev3.VirtualHost{Name: name, Domains: domains}
	if !e.part(object, func(p *packer) {
		build(p, h)
		if err := h.ValidateAll(); err != nil {
			p.faults = append(p.faults, err)
		}
	}) {
		return
	}
	for _, d := range domains {
		e.taken[d] = true
	}
	e.hosts = append(e.hosts, h)
}

// ourOwn are headers that tell of this side of the gateway and do not leave it.
func ourOwn() []string {
	return []string{names.HeaderFullHost, "x-forwarded-for", "x-forwarded-proto", "x-envoy-external-address"}
}

// control refuses pods the hosts by which Entente alone calls partners: handshakes, and services that act for who calls them.
func (e *egress) control() {
	if !e.pods {
		return
	}
	var domains []string
	add := func(domain string) {
		for _, service := range []string{names.ServiceHandshake, names.ServiceAPIServer, names.ServiceKusciaAPI, names.ServiceStorage} {
			domains = append(domains, names.ServiceHost(service, domain))
		}
	}
	for destination := range e.mesh.Outbound.Keys() {
		add(destination)
		if destination == e.settings.MasterDomain {
			add(names.Master)
		}
	}
	if len(domains) > 0 {
		e.host(live.Ref{}, "control", domains, func(_ *packer, h *routev3.VirtualHost) { h.Routes = notFound(":AUTHORITY") })
	}
}

// named are the routes to a service of this domain that has its own. The domain's own pods may call each, but for what is Entente's alone.
func (e *egress) named(s *mesh.Service) {
	domains := append(hosts(s, e.settings), s.Name)
	e.host(s.Ref, "service/"+s.Name, domains, func(p *packer, h *routev3.VirtualHost) {
		if s.Builtin != nil && s.Builtin.Control && e.pods {
			h.Routes = notFound(":AUTHORITY")
			return
		}
		if s.Name == names.ServiceTransport {
			h.Routes = append(h.Routes, e.push())
		}
		matches := []*routev3.RouteMatch{under("/")}
		if s.Builtin != nil {
			matches = p.paths(s.Builtin)
		}
		for _, match := range matches {
			r := to(s.Name, match, forward(ClusterOf(s, e.settings.Domain)))
			if s.ExternalName != "" {
				r.GetRoute().HostRewriteSpecifier = autoHost()
			}
			h.Routes = append(h.Routes, r)
		}
		if s.Builtin != nil && len(s.Builtin.Paths) > 0 {
			h.Routes = append(h.Routes, notFound(":AUTHORITY")...)
		}
	})
}

// push sends a message of a BFIA application to the queue of its partner: it calls its own domain's queue and names the partner in a header. The
// request goes through the internal routes once more, with the partner's queue as its host.
func (e *egress) push() *routev3.Route {
	r := to("push", under(pathPush,
		headerFits(names.HeaderPTPTargetNode, label), not(headerIs(names.HeaderPTPTargetNode, e.settings.Domain)),
	), forward(ClusterTunnel))
	r.RequestHeadersToAdd = []*corev3.HeaderValueOption{
		overwrite(names.HeaderHost, names.ServiceHost(names.ServiceTransport, "%REQ("+names.HeaderPTPTargetNode+")%")),
	}
	r.GetRoute().HostRewriteSpecifier = hostFrom(names.HeaderHost)
	return r
}

// shared are the routes of all services that have none of their own, by their host or by its first word, and of what does not exist. They name the
// cluster by the request's own host and so cannot reach anything that is not called like a service of this domain.
func (e *egress) shared() {
	e.host(live.Ref{}, "services", e.ownHosts(), func(_ *packer, h *routev3.VirtualHost) {
		open := to("open", under("/", headerFits(":authority", openHosts(e.settings))), forwardBy(":authority"))
		h.Routes = append([]*routev3.Route{open}, notFound(":AUTHORITY")...)
	})
	e.host(live.Ref{}, "rest", []string{"*"}, func(_ *packer, h *routev3.VirtualHost) {
		short := to("short", under("/", headerFits(":authority", label)), forwardBy(names.HeaderFullHost))
		h.Routes = append([]*routev3.Route{short}, notFound(":AUTHORITY")...)
	})
}

func (e *egress) ownHosts() []string {
	all := []string{names.DomainHosts(e.settings.Domain)}
	if e.settings.Master {
		all = append(all, names.HostMasters)
	}
	return all
}
