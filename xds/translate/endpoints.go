package translate

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
)

// KindEndpoints is the Kind of what is made of a service's endpoints. It has the service's name, and content that changes apart from the service.
const KindEndpoints = "Endpoints"

// EndpointsRef is what the EDS resource of a service is made from.
func EndpointsRef(e *mesh.Endpoints) live.Ref {
	return live.Ref{Kind: KindEndpoints, Namespace: e.Ref.Namespace, Name: e.Ref.Name, Version: e.Ref.Version}
}

// endpoints makes the EDS resource of a service. A service without endpoints, or whose endpoints are not known (nil), has an empty one: Envoy
// would hold the cluster back for 15 s if it had none.
func endpoints(s *mesh.Service, e *mesh.Endpoints, settings *mesh.Settings) *piece {
	p := &piece{}
	if !inEDS(s) {
		return p
	}
	name := EndpointsName(s.Name, settings.Domain)
	body := &endpointv3.ClusterLoadAssignment{ClusterName: name}
	if e != nil {
		p.from = EndpointsRef(e)
		if len(e.Ready) > 0 {
			addresses := make([]*corev3.Address, 0, len(e.Ready))
			for _, ready := range e.Ready {
				addresses = append(addresses, tcp(ready.Address.Addr().Unmap().String(), ready.Address.Port()))
			}
			body = assignment(name, addresses)
		}
	}
	p.add(cache.Endpoint, name, body)
	return p
}
