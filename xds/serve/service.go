package serve

import "google.golang.org/grpc"

// The methods of the aggregated discovery service.
const (
	serviceName = "envoy.service.discovery.v3.AggregatedDiscoveryService"
	methodDelta = "DeltaAggregatedResources"
	methodSotW  = "StreamAggregatedResources"
)

// service describes the aggregated discovery service to grpc-go. The generated description would bind it to messages that are marshaled
// anew for each stream.
func service() *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: serviceName,
		HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{
			{StreamName: methodDelta, Handler: handler(delta), ServerStreams: true, ClientStreams: true},
			{StreamName: methodSotW, Handler: handler(sotw), ServerStreams: true, ClientStreams: true},
		},
		Metadata: "envoy/service/discovery/v3/ads.proto",
	}
}

func handler(d dialect) grpc.StreamHandler {
	return func(server any, wire grpc.ServerStream) error {
		return server.(*Server).stream(wire, d) //nolint:forcetypeassert // New registers itself
	}
}
