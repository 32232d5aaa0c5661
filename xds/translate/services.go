package translate

import (
	"strings"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
)

// EndpointsName is the EDS resource of a service. It does not depend on who may call the service, so that a service that is opened or
// restricted finds its endpoints where they are.
func EndpointsName(service, domain string) string { return names.ServiceHost(service, domain) }

// service makes the clusters of a service: one, and on a master a second one for the name by which lites call an open service, since such a
// call names its cluster by itself.
//
// There are no active health checks: Kubernetes says who is ready, and at 10,000 services they would cost a gateway that nobody calls more
// than its calls. Who cannot be reached is found out by the request that fails.
func service(s *mesh.Service, settings *mesh.Settings) *piece {
	p := &piece{from: s.Ref}
	if s.ExternalName != "" && len(s.Ports) == 0 {
		return p // the mesh has told the service's owner that there is nowhere to go
	}
	p.addService(ClusterOf(s, settings.Domain), s, settings)
	if settings.Master && s.Open() {
		p.addService(OpenCluster(s.Name, names.Master), s, settings)
	}
	return p
}

func (p *piece) addService(name string, s *mesh.Service, settings *mesh.Settings) {
	c := newCluster(name, serviceConnect)
	c.LoadBalancingPolicy = p.stick(s.Affinity)
	if speaksHTTP2(s.Protocol) {
		c.TypedExtensionProtocolOptions = p.speak(onlyHTTP2())
	} else {
		c.TypedExtensionProtocolOptions = p.speak(asAsked())
	}
	switch {
	case s.Builtin != nil && s.Builtin.Socket != "":
		static(c, pipe(s.Builtin.Socket))
	case s.Builtin != nil:
		static(c, tcp(s.Builtin.Address.Addr().Unmap().String(), s.Builtin.Address.Port()))
	case s.ExternalName != "":
		p.located(c, s.ExternalName, externalPorts(s)...)
		c.OutlierDetection = ejection()
	default:
		discovered(c, EndpointsName(s.Name, settings.Domain))
		c.OutlierDetection = ejection()
	}
	if speaksTLS(s.Protocol) {
		c.TransportSocket = p.serviceTLS(s, settings)
	}
	p.addCluster(c)
}

// addCluster adds the cluster, followed by the endpoints that it names.
func (p *piece) addCluster(c *clusterv3.Cluster) {
	r := p.add(cache.Cluster, c.GetName(), c)
	if eds := c.GetEdsClusterConfig(); eds != nil {
		r.Follow = []cache.Key{{Type: cache.Endpoint, Name: eds.GetServiceName()}}
	}
}

// discovered takes the cluster's endpoints from EDS.
func discovered(c *clusterv3.Cluster, resource string) {
	c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_EDS}
	c.EdsClusterConfig = &clusterv3.Cluster_EdsClusterConfig{EdsConfig: ads(), ServiceName: resource}
}

func externalPorts(s *mesh.Service) []uint16 {
	ports := make([]uint16, 0, len(s.Ports))
	for _, port := range s.Ports {
		ports = append(ports, port.Number)
	}
	return ports
}

// inEDS says that the service's endpoints come by EDS.
func inEDS(s *mesh.Service) bool { return s.Builtin == nil && s.ExternalName == "" }

func speaksHTTP2(p mesh.Protocol) bool { return p == mesh.GRPC || p == mesh.GRPCS }

func speaksTLS(p mesh.Protocol) bool { return p == mesh.HTTPS || p == mesh.GRPCS }

// serviceTLS is how a service that speaks TLS is spoken to. A pod is reached by the address that Kubernetes gives, inside the domain, and
// nothing says whose certificate it has: like the original, the gateway takes any. A host outside is held to its name.
func (p *packer) serviceTLS(s *mesh.Service, settings *mesh.Settings) *corev3.TransportSocket {
	if s.ExternalName == "" {
		return p.upstreamTLS(names.ServiceHost(s.Name, settings.Domain), nil, nil)
	}
	host := strings.TrimSuffix(s.ExternalName, ".")
	return p.upstreamTLS(serverName(host), p.systemAuthorities(settings, host), nil)
}
