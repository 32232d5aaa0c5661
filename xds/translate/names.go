// Package translate pictures a mesh as Envoy's resources: the same mesh gives the same bytes, and no invalid resource leaves it.
package translate

import (
	"strings"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/mesh"
)

// Names of resources that exist once.
const (
	ListenerExternal = "external" // partners come in
	ListenerInternal = "internal" // the domain's pods go out; with several addresses "internal/1" and so on
	ListenerControl  = "control"  // Entente's own calls go out
	ListenerTransit  = "transit"  // requests of partners for other domains go out; inside Envoy
	ListenerProof    = "proof"    // the same filters and routes as external, on a private socket, to prove that the doors are closed

	RoutesExternal = "external" // for external and proof
	RoutesInternal = "internal" // for the domain's pods: control names are refused
	RoutesEgress   = "egress"   // for control and transit

	ClusterTransit = "transit" // to the transit listener

	FilterAdmission = "admission" // who may use the internal listener

	SecretServer   = "tls/external"    // certificate of the external listener
	SecretClientCA = "tls/external-ca" // whose certificates its clients must show
)

// Shards are the first characters of tokens. Each has a list of credentials of its own, so that a changed token touches two lists at most.
const Shards = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// Shard is the list of credentials of the tokens that begin with c.
func Shard(c byte) string { return "inbound-auth/" + string(c) }

// OpenCluster is the cluster of a service that every partner may call. A partner's request names its cluster by itself (cluster_header), so
// no other cluster may have a name of this shape.
func OpenCluster(service, domain string) string { return names.ServiceHost(service, domain) }

// ServiceCluster is the cluster of any other service of the domain.
func ServiceCluster(service string) string { return "svc/" + service }

// ClusterOf is the cluster of a service.
func ClusterOf(s *mesh.Service, domain string) string {
	if s.Open() {
		return OpenCluster(s.Name, domain)
	}
	return ServiceCluster(s.Name)
}

// HopCluster is the cluster of one port of a partner's gateway: requests leave with the route's token.
//
// It is the original's name, unless that could mean something else: port y of x-bob and port bob-y of x would be one, and a port called x.bob.svc
// would look like an open service. A port whose name has a dash or a dot is therefore set off by a slash, which neither domains nor services have.
func HopCluster(r *mesh.Route, h mesh.Hop) string {
	if strings.ContainsAny(h.Name, "-.") {
		return names.VirtualHost(r.Source, r.Destination) + "/" + h.Name
	}
	return names.RouteCluster(r.Source, r.Destination, h.Name)
}

// HandshakeCluster is the cluster of the first port of a partner's gateway: requests leave without a token.
func HandshakeCluster(r *mesh.Route) string {
	return "hs/" + names.VirtualHost(r.Source, r.Destination)
}

// TokenSecret is what requests to a destination prove themselves with.
func TokenSecret(destination string) string { return "egress-token/" + destination }

// ClientSecret is the client certificate of a route.
func ClientSecret(destination string) string { return "tls/client/" + destination }

// AuthoritySecret is what a route checks its destination against.
func AuthoritySecret(destination string) string { return "tls/ca/" + destination }
