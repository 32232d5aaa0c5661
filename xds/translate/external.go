package translate

import (
	"slices"

	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
)

// externalRoutes say where partners' requests go, by what names.HeaderHost says alone:
//
//  1. Partners that prove themselves by other means than a token have routes of their own, picked by the source that a request claims. Whoever
//     claims to be one of them is held to that partner's proof, and gains nothing by a token.
//  2. Services that not everybody may call, and what Entente answers itself, stand in one exact map.
//  3. All open services share one route: the request names the cluster, and nothing gets there but the name of a service.
//  4. Hosts of other domains go on, for those sources that may pass through.
//  5. The rest is not found.
//
// A service that becomes restricted is first put into the map, where its callers are asked for, and then its cluster loses the open name: each of
// both closes it alone. Hosts are compared byte by byte, so another spelling (capitals, a dot at the end, another port, two headers, an escape) is
// another host, and not found.
//
// Headers that the original adds to the requests of a source (requestHeadersToAdd, mostly the bearer token of the source's service account) are
// left out: it adds them on every route, and the pods of other parties' tasks read them. Who answers the API knows the source from its proof.
func externalRoutes(m *mesh.Mesh) (cache.Resource, []*mesh.Problem) {
	e := external{newTable(m)}
	guards := e.guards()
	rest := e.byHeaderValue(names.HeaderNodeID, e.foreign(guards, schedule()), then(e.branch(nil)))
	rest = e.byHeaderValue(names.HeaderPTPSourceNode, e.foreign(guards, channel()), then(rest))
	claimed := make(map[string]choice, len(guards))
	for _, g := range guards {
		claimed[g.route.Source] = then(e.branch(g))
	}
	return e.resource(RoutesExternal, []*routev3.VirtualHost{{
		Name: "all", Domains: []string{"*"}, Matcher: e.byHeaderValue(names.HeaderSource, claimed, then(rest)),
	}})
}

// An external is the table of externalRoutes.
type external struct{ table }

// branch chooses by host: for one source that proves itself without a token, or, with nil, for all others.
func (e *external) branch(g *guard) *xdsmatcherv3.Matcher {
	byHost := map[string]choice{}
	for _, s := range e.mesh.Services.All() {
		if !named(s) {
			continue
		}
		var c choice
		if !e.part(s.Ref, func(p *packer) { c = p.routes(e.service(p, s, g)) }) || c == nil {
			continue
		}
		for _, host := range hosts(s, e.settings) {
			byHost[host], byHost[host+":80"] = c, c
		}
	}
	return e.byHeaderValue(names.HeaderHost, byHost, then(e.rest(g)))
}

// routes is the choice of the first route that matches, or nil when there is none.
func (p *packer) routes(routes []*routev3.Route) choice {
	switch len(routes) {
	case 0:
		return nil
	case 1:
		return p.do("route", routes[0])
	}
	return p.do("routes", &routev3.RouteList{Routes: routes})
}

// service are the routes to a service that has its own.
func (e *external) service(p *packer, s *mesh.Service, g *guard) []*routev3.Route {
	b := s.Builtin
	switch {
	case b == nil && s.Restricted && len(s.Callers) == 0:
		return notFound(names.HeaderHost) // of this domain's pods alone; the map holds it so that it is closed while its open name goes
	case b == nil:
		return []*routev3.Route{e.guarded(p, under("/"), s, g)}
	case !b.External || b.Callers != nil && len(b.Callers) == 0:
		return nil
	case b.Open:
		return e.unproved(p, s)
	}
	var routes []*routev3.Route
	for _, match := range p.paths(b) {
		routes = append(routes, e.guarded(p, match, s, g))
	}
	return append(routes, notFound(names.HeaderHost)...)
}

// guarded is a route to a service for those who may call it.
func (e *external) guarded(p *packer, match *routev3.RouteMatch, s *mesh.Service, g *guard) *routev3.Route {
	r := to(s.Name, match, forward(ClusterOf(s, e.settings.Domain)))
	if s.ExternalName != "" {
		r.GetRoute().HostRewriteSpecifier = autoHost()
	} else {
		r.GetRoute().HostRewriteSpecifier = hostFrom(names.HeaderHost)
	}
	callers, everybody := callersOf(s)
	r.TypedPerFilterConfig = p.admit(g, fromOrigins(callers), everybody)
	return r
}

// callersOf says which partners may call a service, or that each may.
func callersOf(s *mesh.Service) (domains []string, everybody bool) {
	if s.Builtin != nil {
		return s.Builtin.Callers, s.Builtin.Callers == nil
	}
	return s.Callers, !s.Restricted
}

// unproved are the routes to what takes requests without a token: handshakes and registrations, which prove themselves. What they claim reaches who
// answers them, but no token does.
func (e *external) unproved(p *packer, s *mesh.Service) []*routev3.Route {
	var routes []*routev3.Route
	for _, match := range p.paths(s.Builtin) {
		ask := &routev3.RouteMatch{PathSpecifier: match.PathSpecifier, Headers: append(slices.Clone(match.GetHeaders()), headerIs(":method", "GET"))}
		routes = append(routes, e.limited(p, s, ask, paceAsk()), e.limited(p, s, match, paceChange()))
	}
	return append(routes, notFound(names.HeaderHost)...)
}

// limited is a route for requests that nobody has proved.
func (e *external) limited(p *packer, s *mesh.Service, match *routev3.RouteMatch, at pace) *routev3.Route {
	r := to(s.Name, match, forward(ClusterOf(s, e.settings.Domain)))
	r.GetRoute().HostRewriteSpecifier = hostFrom(names.HeaderHost)
	r.RequestHeadersToRemove = []string{names.HeaderToken}
	r.TypedPerFilterConfig = map[string]*anypb.Any{
		filterAuth: p.off(), FilterSources: p.off(), filterRate: p.paced(at), filterBody: p.atMost(openBody),
	}
	return r
}

// rest chooses for hosts that are not in the map. Envoy takes the cluster, or the next domain, from the first header of the name; a route's own match
// would be content if any of them fitted. So hosts are looked at here, where several are one that fits nothing.
func (e *external) rest(g *guard) *xdsmatcherv3.Matcher {
	open := to("open", under("/"), forwardBy(names.HeaderHost))
	open.GetRoute().HostRewriteSpecifier = hostFrom(names.HeaderHost)
	open.TypedPerFilterConfig = e.admit(g, nil, true)

	var nothing []*routev3.Route
	for _, r := range notFound(names.HeaderHost) {
		r.TypedPerFilterConfig = e.admit(g, nil, true)
		nothing = append(nothing, r)
	}
	others := e.routes(slices.Concat(e.passing(g), nothing))
	hostless := e.routes(slices.Concat(e.hostless(g), nothing))
	return e.whoseHeaderFits(names.HeaderHost, openHosts(e.settings), e.do("route", open),
		then(e.whoseHeaderFits(names.HeaderHost, anyHost, others, hostless)))
}
