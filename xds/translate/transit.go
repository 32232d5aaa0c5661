package translate

import (
	"slices"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/mesh"
)

// everyDestination in mesh.Route.TransitTo stands for each.
const everyDestination = names.TransitToAll

// personal fits hosts of services that act for who calls them. The next domain takes this one for the caller of what passes through, so such
// requests do not pass.
const personal = "(" + names.ServiceAPIServer + "|" + names.ServiceKusciaAPI + "|" + names.ServiceStorage + `)\..*`

// passing are the routes of requests for other domains: one for each destination that some source may reach through this gateway. They leave by the
// transit listener with this domain's own token.
func (e *external) passing(g *guard) []*routev3.Route {
	travelers := e.travelers()
	if len(travelers) == 0 {
		return nil
	}
	var routes []*routev3.Route
	for destination, out := range e.mesh.Outbound.All() {
		sources := passengers(travelers, destination, out)
		if len(sources) == 0 || g != nil && !slices.Contains(sources, g.route.Source) {
			continue
		}
		if r := e.route(out.Ref, func(p *packer) *routev3.Route { return p.passage(destination, sources, g) }); r != nil {
			routes = append(routes, r)
		}
	}
	if len(routes) == 0 {
		return nil
	}
	return append(notFound(names.HeaderHost, headerFits(names.HeaderHost, personal)), routes...)
}

// passage is the route to one destination.
func (p *packer) passage(destination string, sources []string, g *guard) *routev3.Route {
	r := to("transit", under("/", headerEnds(names.HeaderHost, "."+destination+names.HostSuffix)), forward(ClusterTransit))
	r.GetRoute().HostRewriteSpecifier = hostFrom(names.HeaderHost)
	r.TypedPerFilterConfig = p.admit(g, fromSources(sources), g != nil)
	return r
}

// travelers are the inbound routes whose sources may go on to somewhere.
func (e *external) travelers() []*mesh.Route {
	var all []*mesh.Route
	for _, in := range e.mesh.Inbound.All() {
		if len(in.TransitTo) > 0 {
			all = append(all, in)
			e.from = append(e.from, in.Ref)
		}
	}
	return all
}

// passengers are the sources that may reach a destination through this gateway, sorted. Nobody is sent back to where the request came from.
func passengers(travelers []*mesh.Route, destination string, out *mesh.Route) []string {
	var sources []string
	for _, in := range travelers {
		if in.Source == destination || in.Source == out.Via {
			continue
		}
		if slices.Contains(in.TransitTo, destination) || slices.Contains(in.TransitTo, everyDestination) {
			sources = append(sources, in.Source)
		}
	}
	return sources
}
