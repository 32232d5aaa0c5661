package translate

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	internalupstreamv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/internal_upstream/v3"
	rawbufferv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/raw_buffer/v3"
)

const (
	// ListenerTunnel takes what pods send inside CONNECT, and what goes through the internal routes a second time; inside Envoy.
	ListenerTunnel = "tunnel"
	// ClusterTunnel leads to the tunnel listener.
	ClusterTunnel = "tunnel"
)

// tunnelCluster leads into the same Envoy's tunnel listener.
func tunnelCluster() *piece {
	p := &piece{}
	c := newCluster(ClusterTunnel, serviceConnect)
	static(c, &corev3.Address{Address: &corev3.Address_EnvoyInternalAddress{EnvoyInternalAddress: &corev3.EnvoyInternalAddress{
		AddressNameSpecifier: &corev3.EnvoyInternalAddress_ServerListenerName{ServerListenerName: ListenerTunnel},
	}}})
	c.TypedExtensionProtocolOptions = p.speak(asAsked())
	c.TransportSocket = p.socket("envoy.transport_sockets.internal_upstream", &internalupstreamv3.InternalUpstreamTransport{
		TransportSocket: p.socket("envoy.transport_sockets.raw_buffer", &rawbufferv3.RawBuffer{}),
	})
	p.addCluster(c)
	return p
}

// connect ends a pod's CONNECT here, as the original does: what comes through it is HTTP, and is treated like any request of the pod. Clients that
// reach partners through a proxy of HTTP, as gRPC's with http_proxy, work this way with every partner.
func connect() *routev3.Route {
	action := forward(ClusterTunnel)
	action.UpgradeConfigs = []*routev3.RouteAction_UpgradeConfig{{
		UpgradeType: upgradeConnect, ConnectConfig: &routev3.RouteAction_UpgradeConfig_ConnectConfig{},
	}}
	return &routev3.Route{
		Name:   "connect",
		Match:  &routev3.RouteMatch{PathSpecifier: &routev3.RouteMatch_ConnectMatcher_{ConnectMatcher: &routev3.RouteMatch_ConnectMatcher{}}},
		Action: &routev3.Route_Route{Route: action},
	}
}
