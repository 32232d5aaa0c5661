package cache

import (
	"slices"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/proto"
)

const urlPrefix = "type.googleapis.com/"

// URL is the type URL that requests and responses of the type carry.
func (t Type) URL() string {
	if t >= Types {
		return ""
	}
	return urls[t]
}

// String is the short name of the type's discovery service, such as "cds": the value of metric labels.
func (t Type) String() string {
	if t >= Types {
		return "none"
	}
	return [Types]string{"cds", "eds", "sds", "ecds", "lds", "rds"}[t]
}

// TypeOf is the type that a type URL names, and whether it is one that we serve.
func TypeOf(url string) (Type, bool) {
	if t := slices.Index(urls[:], url); t >= 0 {
		return Type(t), true
	}
	return Types, false
}

// urls are held to the Go types by a test.
var urls = [Types]string{
	Cluster:  urlPrefix + "envoy.config.cluster.v3.Cluster",
	Endpoint: urlPrefix + "envoy.config.endpoint.v3.ClusterLoadAssignment",
	Secret:   urlPrefix + "envoy.extensions.transport_sockets.tls.v3.Secret",
	Filter:   urlPrefix + "envoy.config.core.v3.TypedExtensionConfig",
	Listener: urlPrefix + "envoy.config.listener.v3.Listener",
	Route:    urlPrefix + "envoy.config.route.v3.RouteConfiguration",
}

// nameOf is the name that a message of type t carries itself, and whether it is such a message.
func nameOf(t Type, body proto.Message) (string, bool) {
	switch m := body.(type) {
	case *clusterv3.Cluster:
		return m.GetName(), t == Cluster && m != nil
	case *endpointv3.ClusterLoadAssignment:
		return m.GetClusterName(), t == Endpoint && m != nil
	case *tlsv3.Secret:
		return m.GetName(), t == Secret && m != nil
	case *corev3.TypedExtensionConfig:
		return m.GetName(), t == Filter && m != nil
	case *listenerv3.Listener:
		return m.GetName(), t == Listener && m != nil
	case *routev3.RouteConfiguration:
		return m.GetName(), t == Route && m != nil
	}
	return "", false
}
