// Package bootstrap makes the file that an Envoy starts with: who it is, where its control plane is, and what bounds it. Everything
// else reaches it over xDS.
package bootstrap

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	internallistenerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/bootstrap/internal_listener/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/entente-mesh/entente/api/names"
)

// ServerCluster is the name of the cluster that leads to the control plane.
const ServerCluster = "xds"

// DefaultMaxConnections is how many connections an Envoy takes at a time unless told otherwise: the original's figure.
const DefaultMaxConnections = 32768

// A Config says what an Envoy must know before it can ask its control plane. Domain, Gateway, Admin and one of Socket and Address are
// required; the zero value of everything else works.
type Config struct {
	Domain  string
	Gateway string // the name of the Gateway object
	// Parameters are further words about this gateway, which its control plane finds in the node's metadata.
	Parameters map[string]string

	// Admin is the unix socket of Envoy's admin interface, an absolute path. Who can open it can stop Envoy and read its whole
	// configuration, so it belongs into a folder that is closed to others.
	Admin string

	// Socket is the unix socket of the control plane, an absolute path.
	Socket string
	// Address is where the control plane of a fleet is, as host:port; its host may be a name.
	Address string
	// TLS is how both sides of Address prove themselves. It is required with Address.
	TLS *TLS

	// MaxConnections bounds the connections of all listeners together, except the admin's. Default DefaultMaxConnections.
	MaxConnections int64
	// MaxHeapBytes bounds the heap: at 90 % of it Envoy returns what it can to the kernel, at 95 % it answers 503 to new requests.
	// 0 means no bound.
	MaxHeapBytes uint64
}

// NodeCluster is Node.cluster of every Envoy of a domain, as the original has it.
func NodeCluster(domain string) string { return "kuscia-gateway-" + domain }

// NodeID is Node.id of one gateway's Envoy.
func NodeID(domain, gateway string) string { return NodeCluster(domain) + "-" + gateway }

// Make returns the file as JSON: the same bytes for the same configuration. YAML would read a domain called "no" as false.
func Make(c Config) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("bootstrap of %s: %w", NodeID(c.Domain, c.Gateway), err)
	}
	b, err := c.message()
	if err != nil {
		return nil, fmt.Errorf("bootstrap of %s: %w", NodeID(c.Domain, c.Gateway), err)
	}
	return marshal(b)
}

func (c Config) check() error {
	if err := names.ValidateDomainID(c.Domain); err != nil {
		return err
	}
	switch {
	case c.Gateway == "":
		return errors.New("gateway has no name: give the name of its Gateway object")
	case (c.Socket == "") == (c.Address == ""):
		return fmt.Errorf("the control plane needs either a unix socket or an address, got socket %q and address %q", c.Socket, c.Address)
	case (c.TLS == nil) != (c.Address == ""):
		return fmt.Errorf("control plane at %q: an address needs TLS, and a unix socket has none", c.Socket+c.Address)
	case c.MaxConnections < 0:
		return fmt.Errorf("at most %d connections: give a positive number", c.MaxConnections)
	}
	if err := CheckSocket("admin socket", c.Admin); err != nil {
		return err
	}
	if c.Socket != "" {
		return CheckSocket("socket of the control plane", c.Socket)
	}
	if _, _, err := splitAddress(c.Address); err != nil {
		return err
	}
	return c.TLS.check()
}

func (c Config) message() (*bootstrapv3.Bootstrap, error) {
	server, err := c.server()
	if err != nil {
		return nil, err
	}
	metadata, err := c.metadata()
	if err != nil {
		return nil, err
	}
	overload, err := c.overload()
	if err != nil {
		return nil, err
	}
	internalListeners, err := anypb.New(&internallistenerv3.InternalListener{})
	if err != nil {
		return nil, err
	}
	return &bootstrapv3.Bootstrap{
		Node: &corev3.Node{Id: NodeID(c.Domain, c.Gateway), Cluster: NodeCluster(c.Domain), Metadata: metadata},
		Admin: &bootstrapv3.Admin{
			Address:               pipe(c.Admin),
			IgnoreGlobalConnLimit: true, // whoever looks for the reason of an overload must get in
		},
		DynamicResources: dynamicResources(),
		StaticResources:  &bootstrapv3.Bootstrap_StaticResources{Clusters: []*clusterv3.Cluster{server}},
		StatsConfig:      stats(),
		LayeredRuntime:   runtimeLayers(),
		OverloadManager:  overload,
		// Transit and tunnels pass through listeners inside the process, which the control plane makes.
		BootstrapExtensions: []*corev3.TypedExtensionConfig{{Name: "envoy.bootstrap.internal_listener", TypedConfig: internalListeners}},
	}, nil
}

func (c Config) metadata() (*structpb.Struct, error) {
	if len(c.Parameters) == 0 {
		return nil, nil
	}
	fields := make(map[string]any, len(c.Parameters))
	for name, value := range c.Parameters {
		fields[name] = value
	}
	s, err := structpb.NewStruct(fields)
	if err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	return s, nil
}

// marshal validates the message and writes it in one fixed form; protojson's own form varies on purpose.
func marshal(m interface {
	proto.Message
	ValidateAll() error
},
) ([]byte, error) {
	if err := m.ValidateAll(); err != nil {
		return nil, fmt.Errorf("%s: %w", m.ProtoReflect().Descriptor().Name(), err)
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return nil, err
	}
	var fixed bytes.Buffer
	if err := json.Indent(&fixed, text, "", "  "); err != nil {
		return nil, err
	}
	fixed.WriteByte('\n')
	return fixed.Bytes(), nil
}
