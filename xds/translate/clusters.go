package translate

import (
	"net/netip"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	dnsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/common/dns/v3"
	dnsclusterv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/clusters/dns/v3"
	internalupstreamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/internal_upstream/v3"
	rawbufferv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Bounds of every cluster. A gateway is an edge in both directions, so nothing is left to chance:
const (
	// serviceConnect is how long a connection to a pod may take: longer than two lost SYNs.
	serviceConnect = 5
	// partnerConnect is the original's, in seconds.
	partnerConnect = 10
	// bufferLimit bounds what Envoy holds for one connection whose other side is slow. Envoy's advice for edges is 32 KiB, which caps what one
	// stream carries over a long line; its default is 1 MiB.
	bufferLimit = 256 << 10
	// inFlight bounds connections, pending and running requests of one cluster. Envoy's default of 1,024 is fewer than a few parties' streams.
	inFlight = 16 << 10
	// retries bounds those that run at the same time.
	retries = 64
	// partnerIdle is the original's: seconds until an idle connection to a partner is closed.
	partnerIdle = 900
	// panicPercent is the original's: when fewer endpoints are well, their health no longer decides. A cluster with one endpoint therefore always
	// uses it: a wrong verdict on the only way is worse than a late error.
	panicPercent = 5
	// streamWindow is how much of one HTTP/2 stream may be under way: what a line of 1 Gbit/s and 30 ms holds. Envoy's advice for edges is
	// 64 KiB, which caps a stream on such a line at 2 MB/s.
	streamWindow = 4 << 20
	// connectionWindow is the same for all streams of a connection together: one slow stream must not stop the others.
	connectionWindow = 4 * streamWindow
)

const httpOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"

// newCluster has what all clusters share.
func newCluster(name string, connect int64) *clusterv3.Cluster {
	return &clusterv3.Cluster{
		Name:                          name,
		ConnectTimeout:                seconds(connect),
		PerConnectionBufferLimitBytes: u32(bufferLimit),
		CircuitBreakers: &clusterv3.CircuitBreakers{Thresholds: []*clusterv3.CircuitBreakers_Thresholds{{
			MaxConnections: u32(inFlight), MaxPendingRequests: u32(inFlight), MaxRequests: u32(inFlight), MaxRetries: u32(retries),
		}}},
		CommonLbConfig: &clusterv3.Cluster_CommonLbConfig{HealthyPanicThreshold: &typev3.Percent{Value: panicPercent}},
	}
}

// ejection stops using an endpoint that could not be reached, for 30 s, as long as there is another one. What an application answers, 5xx
// included, says nothing about the way to it.
func ejection() *clusterv3.OutlierDetection {
	return &clusterv3.OutlierDetection{
		SplitExternalLocalOriginErrors:  true,
		ConsecutiveLocalOriginFailure:   u32(1),
		BaseEjectionTime:                seconds(30),
		MaxEjectionTime:                 seconds(30),
		MaxEjectionPercent:              u32(100),
		EnforcingConsecutive_5Xx:        u32(0),
		EnforcingSuccessRate:            u32(0),
		EnforcingLocalOriginSuccessRate: u32(0),
	}
}

// static gives the cluster one fixed address, or several.
func static(c *clusterv3.Cluster, addresses ...*corev3.Address) {
	c.ClusterDiscoveryType = &clusterv3.Cluster_Type{Type: clusterv3.Cluster_STATIC}
	c.LoadAssignment = assignment(c.GetName(), addresses)
}

// resolved gives the cluster a host to look up, again and again. It is there at once, without addresses until the first answer: one name
// server that keeps silent must not hold up what other clusters are told.
func (p *packer) resolved(c *clusterv3.Cluster, host string, ports ...uint16) {
	addresses := make([]*corev3.Address, 0, len(ports))
	for _, port := range ports {
		addresses = append(addresses, tcp(host, port))
	}
	c.LoadAssignment = assignment(c.GetName(), addresses)
	c.WaitForWarmOnInit = wrapperspb.Bool(false)
	c.ClusterDiscoveryType = &clusterv3.Cluster_ClusterType{ClusterType: &clusterv3.Cluster_CustomClusterType{
		Name: "envoy.clusters.dns",
		TypedConfig: p.pack(&dnsclusterv3.DnsCluster{
			DnsLookupFamily: dnsv3.DnsLookupFamily_V4_PREFERRED,
			RespectDnsTtl:   true,
			DnsRefreshRate:  seconds(5), // for answers that may not be kept
			DnsFailureRefreshRate: &dnsclusterv3.DnsCluster_RefreshRate{
				BaseInterval: seconds(1), MaxInterval: seconds(10),
			},
		}),
	}}
}

// located gives the cluster a host that is an address or a name.
func (p *packer) located(c *clusterv3.Cluster, host string, ports ...uint16) {
	address, err := netip.ParseAddr(host)
	if err != nil {
		p.resolved(c, host, ports...)
		return
	}
	fixed := make([]*corev3.Address, 0, len(ports))
	for _, port := range ports {
		fixed = append(fixed, tcp(address.Unmap().String(), port))
	}
	static(c, fixed...)
}

func assignment(cluster string, addresses []*corev3.Address) *endpointv3.ClusterLoadAssignment {
	endpoints := make([]*endpointv3.LbEndpoint, 0, len(addresses))
	for _, address := range addresses {
		endpoints = append(endpoints, &endpointv3.LbEndpoint{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: address}},
		})
	}
	return &endpointv3.ClusterLoadAssignment{
		ClusterName: cluster,
		Endpoints:   []*endpointv3.LocalityLbEndpoints{{LbEndpoints: endpoints}},
	}
}

func tcp(host string, port uint16) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: host, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)},
	}}}
}

func pipe(path string) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: path}}}
}

// speak packs how a cluster speaks HTTP.
func (p *packer) speak(o *httpv3.HttpProtocolOptions) map[string]*anypb.Any {
	return map[string]*anypb.Any{httpOptions: p.pack(o)}
}

// asAsked speaks the protocol that the request came in.
func asAsked() *httpv3.HttpProtocolOptions {
	return &httpv3.HttpProtocolOptions{UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_UseDownstreamProtocolConfig{
		UseDownstreamProtocolConfig: &httpv3.HttpProtocolOptions_UseDownstreamHttpConfig{
			HttpProtocolOptions:  &corev3.Http1ProtocolOptions{},
			Http2ProtocolOptions: http2(),
		},
	}}
}

// onlyHTTP2 speaks HTTP/2, whatever the request came in.
func onlyHTTP2() *httpv3.HttpProtocolOptions {
	return &httpv3.HttpProtocolOptions{UpstreamProtocolOptions: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_{
		ExplicitHttpConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig{
			ProtocolConfig: &httpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: http2()},
		},
	}}
}

func http2() *corev3.Http2ProtocolOptions {
	return &corev3.Http2ProtocolOptions{
		AllowConnect:                true, // WebSocket over HTTP/2
		InitialStreamWindowSize:     u32(streamWindow),
		InitialConnectionWindowSize: u32(connectionWindow),
	}
}

// transitCluster leads into the same Envoy's transit listener.
func transitCluster() *piece {
	p := &piece{}
	c := newCluster(ClusterTransit, serviceConnect)
	static(c, &corev3.Address{Address: &corev3.Address_EnvoyInternalAddress{EnvoyInternalAddress: &corev3.EnvoyInternalAddress{
		AddressNameSpecifier: &corev3.EnvoyInternalAddress_ServerListenerName{ServerListenerName: ListenerTransit},
	}}})
	c.TypedExtensionProtocolOptions = p.speak(asAsked())
	c.TransportSocket = p.socket("envoy.transport_sockets.internal_upstream", &internalupstreamv3.InternalUpstreamTransport{
		TransportSocket: p.socket("envoy.transport_sockets.raw_buffer", &rawbufferv3.RawBuffer{}),
	})
	p.addCluster(c)
	return p
}

func (p *packer) socket(name string, m message) *corev3.TransportSocket {
	return &corev3.TransportSocket{Name: name, ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: p.pack(m)}}
}
