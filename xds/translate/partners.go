package translate

import (
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	credentialinjectorv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/credential_injector/v3"
	upstreamcodecv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/upstream_codec/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	genericv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/injected_credentials/generic/v3"
	httpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/mesh"
)

// direct says that the destination is dialed from here: a route by another domain leaves through the clusters of the route to that domain.
func direct(r *mesh.Route) bool { return r.Via == "" && !r.ReverseTunnel && len(r.Hops) > 0 }

// proven says that requests on the route carry a token.
func proven(r *mesh.Route) bool { return r.Auth == mesh.AuthToken }

// HandshakeHop is the port of a partner's gateway that takes handshakes, and whether there is one: the first in the object, like in the original.
// If that one is at fault, it is the first that speaks HTTP/1.1.
func HandshakeHop(r *mesh.Route) (mesh.Hop, bool) {
	best := slices.IndexFunc(r.Hops, func(h mesh.Hop) bool { return h.Handshake })
	if best < 0 {
		best = slices.IndexFunc(r.Hops, func(h mesh.Hop) bool { return !h.GRPC })
	}
	if best < 0 {
		return mesh.Hop{}, false
	}
	return r.Hops[best], true
}

// partner makes the clusters of an outbound route: one for each port of the partner's gateway, and one without a token for handshakes.
func partner(r *mesh.Route, settings *mesh.Settings) *piece {
	w := &way{piece: piece{from: r.Ref}, route: r, settings: settings}
	if !direct(r) {
		return &w.piece
	}
	for _, h := range r.Hops {
		w.addCluster(w.hop(h))
	}
	if h, ok := HandshakeHop(r); ok && r.Protocol == mesh.Kuscia {
		w.addCluster(w.cluster(HandshakeCluster(r), h, w.speech(h)))
	}
	w.addTLS(r)
	return &w.piece
}

// A way makes the clusters of one outbound route.
type way struct {
	piece
	route    *mesh.Route
	settings *mesh.Settings
}

// hop is the cluster of one port, whose requests prove themselves as the route says.
func (w *way) hop(h mesh.Hop) *clusterv3.Cluster {
	o := w.speech(h)
	if proven(w.route) {
		o.HttpFilters = w.injector(TokenSecret(w.route.Destination))
	}
	c := w.cluster(HopCluster(w.route, h), h, o)
	c.HealthChecks = []*corev3.HealthCheck{w.health(h)}
	c.OutlierDetection = ejection()
	return c
}

// speech keeps the protocol of the request, since the partner's gateway takes both on one port. Only where a partner's way in has been split
// into a port for HTTP/1.1 and one for gRPC is the latter sure to be HTTP/2.
func (w *way) speech(h mesh.Hop) *httpv3.HttpProtocolOptions {
	o := asAsked()
	if w.route.GRPCDegrade && h.GRPC {
		o = onlyHTTP2()
	}
	o.CommonHttpProtocolOptions = &corev3.HttpProtocolOptions{IdleTimeout: seconds(partnerIdle)}
	return o
}

// cluster is a cluster of one port.
func (w *way) cluster(name string, h mesh.Hop, o *httpv3.HttpProtocolOptions) *clusterv3.Cluster {
	c := newCluster(name, partnerConnect)
	w.located(c, w.route.Host, h.Port)
	c.TypedExtensionProtocolOptions = w.speak(o)
	c.UpstreamConnectionOptions = &clusterv3.UpstreamConnectionOptions{TcpKeepalive: &corev3.TcpKeepalive{
		// The system's own is two hours, more than any firewall between two institutions remembers a silent connection.
		KeepaliveTime: u32(60), KeepaliveInterval: u32(10), KeepaliveProbes: u32(3),
	}}
	if h.TLS && w.route.TLS == nil {
		w.refuse("port "+h.Name+" speaks TLS, and nothing says what to check the partner against", "mend the certificates of spec.mTLSConfig")
	} else if h.TLS {
		c.TransportSocket = w.partnerTLS(w.route, w.settings)
	}
	return c
}

// injector puts the token of a secret on each request, whatever it came with. While the secret is empty or not there, requests are answered with
// 401 here and do not leave.
func (p *packer) injector(secret string) []*hcmv3.HttpFilter {
	return []*hcmv3.HttpFilter{
		p.filter("outbound-token", &credentialinjectorv3.CredentialInjector{
			Overwrite: true,
			Credential: p.extension("envoy.http.injected_credentials.generic", &genericv3.Generic{
				Credential: secretByADS(secret),
				Header:     names.HeaderToken,
			}),
		}),
		p.filter("envoy.filters.http.upstream_codec", &upstreamcodecv3.UpstreamCodec{}), // must be last
	}
}

// health asks a partner as often as the original does: by its heartbeat, or, where partners have none, by connecting. A new cluster waits for its
// first verdict, at most for the timeout.
func (w *way) health(h mesh.Hop) *corev3.HealthCheck {
	r := w.route
	check := &corev3.HealthCheck{
		Timeout:            seconds(1),
		Interval:           seconds(15),
		IntervalJitter:     seconds(1),
		NoTrafficInterval:  seconds(15),
		UnhealthyInterval:  seconds(3),
		UnhealthyThreshold: u32(1),
		HealthyThreshold:   u32(1),
	}
	if r.Protocol == mesh.BFIA {
		check.HealthChecker = &corev3.HealthCheck_TcpHealthCheck_{TcpHealthCheck: &corev3.HealthCheck_TcpHealthCheck{}}
		return check
	}
	heartbeat := &corev3.HealthCheck_HttpHealthCheck{
		Host: r.Host,
		Path: h.Prefix + names.PathHandshake,
		RequestHeadersToAdd: []*corev3.HeaderValueOption{
			overwrite(names.HeaderHost, names.HandshakeHost(r.Destination)),
			overwrite(names.HeaderSource, r.Source),
		},
	}
	if r.GRPCDegrade && h.GRPC {
		heartbeat.CodecClientType = typev3.CodecClientType_HTTP2
	}
	check.HealthChecker = &corev3.HealthCheck_HttpHealthCheck_{HttpHealthCheck: heartbeat}
	return check
}

func overwrite(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: name, Value: value},
		AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
	}
}
