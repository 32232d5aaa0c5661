package main

import (
	"fmt"
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

const (
	endpointURL = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
	deltaMethod = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
	domain      = "alice"
	gateway     = "gw"
	nodeID      = "kuscia-gateway-alice-gw"
)

// serviceName is the name of resource number i.
func serviceName(i int) string { return fmt.Sprintf("service-%06d", i) }

// assignment are the endpoints of a service with one pod. The port is its content.
func assignment(name string, port int) *endpointv3.ClusterLoadAssignment {
	return &endpointv3.ClusterLoadAssignment{
		ClusterName: name,
		Endpoints: []*endpointv3.LocalityLbEndpoints{{LbEndpoints: []*endpointv3.LbEndpoint{{
			HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: &corev3.Address{
				Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
					Address: "10.88.0.17", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)}, //nolint:gosec // see portOf
				}},
			}}},
		}}}},
	}
}

// portOf is the content after the change with a number: never that before the first, and never that of the change before.
func portOf(change int) int { return 10_000 + change%50_000 }

// hello is the first request of a stream: for all resources when names is 0, else for those with the numbers below it. Held are the versions
// that the client has from before.
func hello(names int, held map[string]string) ([]byte, error) {
	r := &discoveryv3.DeltaDiscoveryRequest{
		Node:                    envoy(),
		TypeUrl:                 endpointURL,
		ResourceNamesSubscribe:  []string{"*"},
		InitialResourceVersions: held,
	}
	if names > 0 {
		r.ResourceNamesSubscribe = nil
		for i := range names {
			r.ResourceNamesSubscribe = append(r.ResourceNamesSubscribe, serviceName(i))
		}
	}
	wire, err := proto.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("make the first request: %w", err)
	}
	return wire, nil
}

// Field numbers of DeltaDiscoveryResponse and of the Resource in it.
const (
	fieldResources = 2
	fieldNonce     = 5
	fieldVersion   = 1
	fieldName      = 3
)

// An answer is what a client needs to know of a response.
type answer struct {
	nonce     []byte
	resources int
}

// read takes in a response. Each resource's name and version are given to note, unless that is nil.
func read(response []byte, note func(name, version string)) (answer, error) {
	var a answer
	err := fields(response, func(number protowire.Number, value []byte) error {
		switch number {
		case fieldNonce:
			a.nonce = value
		case fieldResources:
			a.resources++
			if note != nil {
				return resource(value, note)
			}
		}
		return nil
	})
	return a, err
}

func resource(wire []byte, note func(name, version string)) error {
	var name, version string
	err := fields(wire, func(number protowire.Number, value []byte) error {
		switch number {
		case fieldName:
			name = string(value)
		case fieldVersion:
			version = string(value)
		}
		return nil
	})
	note(name, version)
	return err
}

// fields walks over the fields of a message that have a length.
func fields(wire []byte, each func(protowire.Number, []byte) error) error {
	for len(wire) > 0 {
		number, kind, n := protowire.ConsumeTag(wire)
		if n < 0 {
			return fmt.Errorf("read a response: %w", protowire.ParseError(n))
		}
		wire = wire[n:]
		if n = protowire.ConsumeFieldValue(number, kind, wire); n < 0 {
			return fmt.Errorf("read a response: %w", protowire.ParseError(n))
		}
		if kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(wire)
			if err := each(number, value); err != nil {
				return err
			}
		}
		wire = wire[n:]
	}
	return nil
}

// appendConfirmation appends the request that accepts the response with the nonce.
func appendConfirmation(b, nonce []byte) []byte {
	b = protowire.AppendString(protowire.AppendTag(b, 2, protowire.BytesType), endpointURL)
	return protowire.AppendBytes(protowire.AppendTag(b, 6, protowire.BytesType), nonce)
}

// responseLike is as long as a response of any of the measured servers with the change of one resource.
func responseLike(change int) ([]byte, error) {
	body, err := proto.Marshal(assignment(serviceName(0), portOf(change)))
	if err != nil {
		return nil, fmt.Errorf("make a response: %w", err)
	}
	r := &discoveryv3.DeltaDiscoveryResponse{
		TypeUrl: endpointURL, Nonce: strconv.Itoa(change), SystemVersionInfo: strconv.Itoa(change),
		Resources: []*discoveryv3.Resource{{Name: serviceName(0), Version: "0123456789012345678901", Resource: &anypb.Any{TypeUrl: endpointURL, Value: body}}},
	}
	wire, err := proto.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("make a response: %w", err)
	}
	return wire, nil
}
