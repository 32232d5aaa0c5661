package serve

import (
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/entente-mesh/entente/api/names"
)

// A node is what a client says of itself: claims, which choose a gateway but prove nothing.
type node struct {
	id      string
	cluster string
	version Version // user_agent_build_version; zero when the node does not say
}

// nodePrefix begins the cluster of every node, nodePrefix + domain, and its id, nodePrefix + domain + "-" + gateway. These are the
// original's names.
const nodePrefix = "kuscia-gateway-"

// decode reads an envoy.config.core.v3.Node, adding to what was read before as protobuf does.
func (n *node) decode(wire []byte, bounds *Bounds) error {
	return fields(wire, func(number protowire.Number, value []byte) (err error) {
		switch number {
		case 1:
			n.id, err = bounds.text("the node's id", value)
		case 2:
			n.cluster, err = bounds.text("the node's cluster", value)
		case 7: // user_agent_version, one of two ways to give it: the other is undone
			n.version = Version{}
		case 8: // user_agent_build_version
			err = fields(value, func(number protowire.Number, value []byte) error {
				if number == 1 {
					return n.version.decode(value)
				}
				return nil
			})
		}
		return err
	})
}

// decode reads an envoy.type.v3.SemanticVersion.
func (v *Version) decode(wire []byte) error {
	for len(wire) > 0 {
		number, kind, n := protowire.ConsumeTag(wire)
		if n < 0 {
			return malformed(protowire.ParseError(n).Error())
		}
		wire = wire[n:]
		n = protowire.ConsumeFieldValue(number, kind, wire)
		if n < 0 {
			return malformed(protowire.ParseError(n).Error())
		}
		if kind == protowire.VarintType {
			value, _ := protowire.ConsumeVarint(wire)
			part := uint32(value) //nolint:gosec // protobuf cuts a uint32 off in the same way
			switch number {
			case 1:
				v.Major = part
			case 2:
				v.Minor = part
			case 3:
				v.Patch = part
			}
		}
		wire = wire[n:]
	}
	return nil
}

// same says whether a later message of a stream speaks of the same node. Envoy may leave the node out, or repeat it.
func (n *node) same(first *node) bool { return n.id == first.id && n.cluster == first.cluster }

// gateway is the gateway that a node stands for, given what its connection has proved. Its errors are gRPC statuses.
func (n *node) gateway(right Right) (string, error) {
	if n == nil {
		return "", status.Error(codes.InvalidArgument, "the first request of a stream has no node: give Envoy a node id and cluster")
	}
	if want := nodePrefix + right.Domain; n.cluster != want {
		return "", refuseNode(fmt.Sprintf("the node's cluster is %.80q, but the connection belongs to domain %s, whose nodes have cluster %s", n.cluster, right.Domain, want))
	}
	gateway, ok := strings.CutPrefix(n.id, n.cluster+"-")
	if !ok || names.ValidateName("gateway", gateway) != nil {
		return "", refuseNode(fmt.Sprintf("the node's id is %.80q, which is not %s-<gateway>", n.id, n.cluster))
	}
	if right.Gateway != "" && gateway != right.Gateway {
		return "", refuseNode(fmt.Sprintf("the node says that it is gateway %s, but the connection belongs to gateway %s", gateway, right.Gateway))
	}
	if oldest := OldestEnvoy(); n.version.Compare(oldest) < 0 {
		return "", status.Error(codes.FailedPrecondition, fmt.Sprintf("the node runs Envoy %v, which is too old to be trusted with authentication: install %v or newer", n.version, oldest))
	}
	return gateway, nil
}

func refuseNode(why string) error {
	return status.Error(codes.PermissionDenied, why+": correct node.id and node.cluster in Envoy's bootstrap")
}
