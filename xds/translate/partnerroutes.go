package translate

import (
	"net/netip"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/mesh"
)

// Why a partner cannot be called yet. The requests are refused: without encryption they would leave in clear text.
const (
	noEncryption = "body encryption is not supported, and the route asks for it"
	noTunnel     = "reverse tunnels are not supported, and the destination cannot be dialed"
	noWay        = "the destination has no port that can be dialed"
)

// partner are the routes to the services of one partner. They change when the partner's route does and never for a token.
func (e *egress) partner(r *mesh.Route, limits []limit) {
	e.host(r.Ref, names.VirtualHost(r.Source, r.Destination), e.partnerHosts(r, "*"), func(p *packer, h *routev3.VirtualHost) {
		by := e.carrier(r)
		if reason := stuck(r, by); reason != "" {
			h.Routes = refusal("refused", 501, grpcUnimplemented, reason)
			return
		}
		h.RequestHeadersToAdd = claimsOf(r, by)
		for _, hop := range by.Hops {
			h.Routes = append(h.Routes, p.hopRoutes(by, hop)...)
		}
		h.Routes = append(p.throttledRoutes(limits, h.Routes), h.Routes...)
		if e.pods {
			h.Routes = append(h.Routes, connect())
		}
	})
}

// partnerHosts are the hosts of a partner's service, or of all with "*". The master of a lite has a second name.
func (e *egress) partnerHosts(r *mesh.Route, service string) []string {
	all := []string{names.ServiceHost(service, r.Destination)}
	if r.Destination == e.settings.MasterDomain {
		all = append(all, names.ServiceHost(service, names.Master))
	}
	return all
}

// carrier is the route whose hops carry the traffic: that to the third domain, if there is one.
func (e *egress) carrier(r *mesh.Route) *mesh.Route {
	if r.Via == "" {
		return r
	}
	if by, ok := e.mesh.Outbound.Get(r.Via); ok {
		return by
	}
	return &mesh.Route{} // has no hops
}

// stuck says why nothing may or can leave on a route, or nothing.
func stuck(r, by *mesh.Route) string {
	switch {
	case r.Encryption != "" || by.Encryption != "":
		return noEncryption
	case r.ReverseTunnel || by.ReverseTunnel:
		return noTunnel
	case len(by.Hops) == 0:
		return noWay
	}
	return ""
}

// claimsOf are the headers that tell a partner's gateway what a request is for and who sends it; the cluster adds what proves it.
func claimsOf(r, by *mesh.Route) []*corev3.HeaderValueOption {
	if by.Protocol == mesh.BFIA {
		return []*corev3.HeaderValueOption{
			overwrite(names.HeaderInterConnProtocol, string(mesh.BFIA)),
			overwrite(names.HeaderPTPSourceInst, r.Source),
			overwrite(names.HeaderPTPSourceNode, r.Source),
		}
	}
	return []*corev3.HeaderValueOption{
		overwrite(names.HeaderInterConnProtocol, string(mesh.Kuscia)),
		overwrite(names.HeaderHost, "%REQ(:AUTHORITY)%"),
		overwrite(names.HeaderSource, r.Source),
	}
}

// hopRoutes are the routes through one port of a partner's gateway. Where there are several, a port for gRPC takes gRPC alone.
func (p *packer) hopRoutes(r *mesh.Route, h mesh.Hop) []*routev3.Route {
	var headers []*routev3.HeaderMatcher
	if h.GRPC && len(r.Hops) > 1 {
		headers = append(headers, isGRPC())
	}
	if r.Protocol == mesh.BFIA {
		return []*routev3.Route{
			p.hopRoute(r, h, under(pathPush, headers...), h.Prefix+pathInvoke),
			p.hopRoute(r, h, under(pathSchedule, headers...), h.Prefix+pathSchedule),
		}
	}
	return []*routev3.Route{p.hopRoute(r, h, under("/", headers...), h.Prefix+"/")}
}

// hopRoute is a route through one port, with path in the place of what the match says the path begins with.
func (p *packer) hopRoute(r *mesh.Route, h mesh.Hop, match *routev3.RouteMatch, path string) *routev3.Route {
	route := to("default", match, forward(HopCluster(r, h)))
	rewrite(route.GetRoute(), r, match.GetPrefix(), path)
	if r.GRPCDegrade && !h.GRPC {
		route.TypedPerFilterConfig = map[string]*anypb.Any{filterDegrade: p.degraded()}
	}
	return route
}

// rewrite makes the request one for the partner's gateway, which may stand behind a proxy that knows it by host and path.
func rewrite(a *routev3.RouteAction, r *mesh.Route, from, path string) {
	host := r.Host
	if address, err := netip.ParseAddr(host); err == nil && address.Is6() {
		host = "[" + host + "]"
	}
	a.HostRewriteSpecifier = hostIs(host)
	if path != from {
		a.PrefixRewrite = path
	}
}

// handshakes are the routes of this domain's own handshakes with a partner, which carry no token: there may be none yet, and what it is worth is
// being negotiated. By a third domain they go like everything else.
func (e *egress) handshakes(r *mesh.Route) {
	hop, ok := HandshakeHop(r)
	if e.pods || !ok || !direct(r) || r.Protocol != mesh.Kuscia {
		return
	}
	e.host(r.Ref, HandshakeCluster(r), e.partnerHosts(r, names.ServiceHandshake), func(_ *packer, h *routev3.VirtualHost) {
		route := to("handshake", under("/"), forward(HandshakeCluster(r)))
		rewrite(route.GetRoute(), r, "/", hop.Prefix+"/")
		h.RequestHeadersToAdd = claimsOf(r, r)
		h.Routes = []*routev3.Route{route}
	})
}
