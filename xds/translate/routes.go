package translate

import (
	"fmt"
	"regexp"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/mesh"
)

// label fits one label of a host: what names of services and domains are made of.
const label = "[a-z0-9-]+"

// anyHost fits what can be a host of some domain.
const anyHost = label + `(\.` + label + `)*\.svc`

// escaped fits paths in which slashes, backslashes or dots are written in a way that Envoy does not undo and another server may.
const escaped = ".*%(2[eEfF]|5[cC]).*"

// grpcUnavailable and grpcUnimplemented are statuses of gRPC.
const (
	grpcUnavailable   = "14"
	grpcUnimplemented = "12"
)

// inRoutes says that the routes name a service. All others share one route, so that they come and go without a change of routes.
func inRoutes(s *mesh.Service) bool { return named(s) || len(s.Bandwidth) > 0 }

// named says that the shared route cannot serve a service: not everybody may call it, its host must be told another name, or partners reach it
// without saying its host, too.
func named(s *mesh.Service) bool {
	return !s.Open() || s.ExternalName != "" || s.Name == names.ServiceTransport || s.Name == names.ServiceInterConnScheduler
}

// hosts are the names by which a service is called from outside the domain.
func hosts(s *mesh.Service, settings *mesh.Settings) []string {
	all := []string{names.ServiceHost(s.Name, settings.Domain)}
	if settings.Master {
		all = append(all, names.ServiceHost(s.Name, names.Master))
	}
	return all
}

// openHosts is the regular expression of hosts that name a cluster of an open service by themselves, and of nothing else: no other cluster's name
// fits. See OpenCluster.
func openHosts(settings *mesh.Settings) string {
	domain := regexp.QuoteMeta(settings.Domain)
	if settings.Master {
		domain = "(" + domain + "|" + names.Master + ")"
	}
	return label + `\.` + domain + regexp.QuoteMeta(names.HostSuffix)
}

// forward sends a request to a cluster. Nothing ends it but silence, see mesh.Settings.StreamIdle, or the deadline that a gRPC request brings.
func forward(cluster string) *routev3.RouteAction {
	return unlimited(&routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_Cluster{Cluster: cluster}})
}

// forwardBy sends a request to the cluster that a header names. The route's match must leave it no choice but open services.
func forwardBy(header string) *routev3.RouteAction {
	return unlimited(&routev3.RouteAction{ClusterSpecifier: &routev3.RouteAction_ClusterHeader{ClusterHeader: header}})
}

func unlimited(a *routev3.RouteAction) *routev3.RouteAction {
	a.Timeout = seconds(0)
	a.MaxStreamDuration = &routev3.RouteAction_MaxStreamDuration{MaxStreamDuration: seconds(0), GrpcTimeoutHeaderMax: seconds(0)}
	a.ClusterNotFoundResponseCode = routev3.RouteAction_NOT_FOUND
	return a
}

// hostFrom tells the service the host that a header names.
func hostFrom(header string) *routev3.RouteAction_HostRewriteHeader {
	return &routev3.RouteAction_HostRewriteHeader{HostRewriteHeader: header}
}

// hostIs tells the other side this host.
func hostIs(host string) *routev3.RouteAction_HostRewriteLiteral {
	return &routev3.RouteAction_HostRewriteLiteral{HostRewriteLiteral: host}
}

// autoHost tells a server outside the name by which it was found.
func autoHost() *routev3.RouteAction_AutoHostRewrite {
	return &routev3.RouteAction_AutoHostRewrite{AutoHostRewrite: wrapperspb.Bool(true)}
}

// under matches paths that begin so and requests with all these headers.
func under(prefix string, headers ...*routev3.HeaderMatcher) *routev3.RouteMatch {
	return &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_Prefix{Prefix: prefix}, Headers: headers}
}

// to is a route.
func to(name string, match *routev3.RouteMatch, action *routev3.RouteAction) *routev3.Route {
	return &routev3.Route{Name: name, Match: match, Action: &routev3.Route_Route{Route: action}}
}

// isGRPC matches requests of gRPC.
func isGRPC() *routev3.HeaderMatcher { return headerHas("content-type", contentGRPC) }

// refusal answers by itself, to gRPC in gRPC's own way. The reason stands in names.HeaderErrorMessage.
func refusal(name string, status uint32, grpc, reason string, headers ...*routev3.HeaderMatcher) []*routev3.Route {
	answer := func(match *routev3.RouteMatch, more ...*corev3.HeaderValueOption) *routev3.Route {
		return &routev3.Route{
			Name: name, Match: match,
			Action:               &routev3.Route_DirectResponse{DirectResponse: &routev3.DirectResponseAction{Status: status}},
			ResponseHeadersToAdd: append(more, overwrite(names.HeaderErrorMessage, reason)),
		}
	}
	return []*routev3.Route{
		answer(under("/", append([]*routev3.HeaderMatcher{isGRPC()}, headers...)...), overwrite("grpc-status", grpc)),
		answer(under("/", headers...)),
	}
}

// notFound is the answer where there is nothing. host is the header that says what was looked for.
func notFound(host string, headers ...*routev3.HeaderMatcher) []*routev3.Route {
	return refusal("not-found", 404, grpcUnavailable, `Service "%REQ(`+host+`):255%" not found.`, headers...)
}

// paths are the ways in to a builtin: each of its regular expressions, or everything. Where paths are restricted, one that hides its slashes is
// none of them.
func (p *packer) paths(b *mesh.Builtin) []*routev3.RouteMatch {
	if len(b.Paths) == 0 {
		return []*routev3.RouteMatch{under("/")}
	}
	all := make([]*routev3.RouteMatch, 0, len(b.Paths))
	for _, pattern := range b.Paths {
		if _, err := regexp.Compile(pattern); err != nil {
			p.refuse(fmt.Sprintf("path %q: %v", pattern, err), "write it as a regular expression of RE2")
		} else if len(pattern) > longestPattern {
			p.refuse(fmt.Sprintf("path %.40q… has %d bytes, and %d are what a gateway can compile", pattern, len(pattern), longestPattern), "write it as several paths")
		}
		all = append(all, &routev3.RouteMatch{
			PathSpecifier: &routev3.RouteMatch_SafeRegex{SafeRegex: regex(pattern)},
			Headers:       []*routev3.HeaderMatcher{not(headerFits(":path", escaped))},
		})
	}
	return all
}
