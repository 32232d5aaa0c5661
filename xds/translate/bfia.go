package translate

import (
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/mesh"
)

// Paths of BFIA.
const (
	pathChannel  = "/v1/interconn/chan/"
	pathPush     = pathChannel + "push"   // what an application says
	pathInvoke   = pathChannel + "invoke" // what its partner hears
	pathSchedule = "/v1/interconn/schedule/"
)

// An interConn is one of the two ways in which BFIA partners call. They know no hosts: what a request is for stands in its headers and its path.
type interConn struct {
	service string // who answers
	path    string // how its paths begin
	mark    string // the header that every request has
	from    string // the header that says who calls
}

// channel carries messages to the queue.
func channel() interConn {
	return interConn{names.ServiceTransport, pathChannel, names.HeaderPTPTargetNode, names.HeaderPTPSourceNode}
}

// schedule carries commands to the scheduler.
func schedule() interConn {
	return interConn{names.ServiceInterConnScheduler, pathSchedule, names.HeaderNodeID, names.HeaderNodeID}
}

// hostless are the routes of BFIA partners that use a token. The others' are in foreign.
func (e *external) hostless(g *guard) []*routev3.Route {
	if g != nil {
		return nil
	}
	var routes []*routev3.Route
	for _, way := range []interConn{channel(), schedule()} {
		s, ok := e.mesh.Services.Get(way.service)
		if !ok || s.Builtin != nil && !s.Builtin.External {
			continue
		}
		callers, everybody := callersOf(s)
		if !everybody && len(callers) == 0 {
			continue // of this domain's pods alone
		}
		if r := e.route(s.Ref, func(p *packer) *routev3.Route {
			r := e.interConn(way, s, "%REQ("+names.HeaderOriginSource+")%")
			r.TypedPerFilterConfig = p.admit(nil, fromOrigins(callers), everybody)
			return r
		}); r != nil {
			routes = append(routes, r)
		}
	}
	return routes
}

// foreign are the choices for BFIA partners that use no token, by what a request says of who calls. It does not say it in names.HeaderSource, so
// the binding of sources does not apply: the guard alone decides.
func (e *external) foreign(guards []*guard, way interConn) map[string]choice {
	s, ok := e.mesh.Services.Get(way.service)
	if !ok || s.Builtin != nil && !s.Builtin.External {
		return nil
	}
	callers, everybody := callersOf(s)
	choices := map[string]choice{}
	for _, g := range guards {
		source := g.route.Source
		if g.route.Protocol != mesh.BFIA || !everybody && !slices.Contains(callers, source) {
			continue
		}
		if r := e.route(g.route.Ref, func(p *packer) *routev3.Route {
			r := e.interConn(way, s, source)
			r.RequestHeadersToAdd = append(r.RequestHeadersToAdd,
				overwrite(names.HeaderSource, source), overwrite(names.HeaderOriginSource, source))
			r.RequestHeadersToRemove = []string{names.HeaderToken}
			r.TypedPerFilterConfig = p.admit(g, nil, true)
			r.TypedPerFilterConfig[FilterSources] = p.off()
			return r
		}); r != nil {
			choices[source] = e.do("route", r)
		}
	}
	return choices
}

// interConn is the route of a way; the service reads in the request that source calls, whatever the request says.
func (e *external) interConn(way interConn, s *mesh.Service, source string) *routev3.Route {
	r := to(s.Name, under(way.path, headerThere(way.mark), not(headerThere(names.HeaderHost))), forward(ClusterOf(s, e.settings.Domain)))
	r.GetRoute().HostRewriteSpecifier = hostIs(names.ServiceHost(s.Name, e.settings.Domain))
	r.RequestHeadersToAdd = []*corev3.HeaderValueOption{overwrite(way.from, source)}
	return r
}
