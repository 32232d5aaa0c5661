package translate

import (
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	commonlbv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/common/v3"
	ringhashv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/load_balancing_policies/ring_hash/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/mesh"
)

// ringSize is the least number of places on the ring: three endpoints then share the clients within about 10 %. Envoy's default of 1,024 costs
// 24 kB per cluster, most of which have one endpoint.
const ringSize = 256

// stick keeps clients at one endpoint, or returns nil when the service asks for none of it.
//
// The policy is the cluster's and not the route's, so that services of every affinity share one route. Envoy 1.36.4 and 1.40.0 honor it, and
// set the cookie.
func (p *packer) stick(a mesh.Affinity) *clusterv3.LoadBalancingPolicy {
	hash := hashPolicies(a)
	if len(hash) == 0 {
		return nil
	}
	return &clusterv3.LoadBalancingPolicy{Policies: []*clusterv3.LoadBalancingPolicy_Policy{{
		TypedExtensionConfig: p.extension("envoy.load_balancing_policies.ring_hash", &ringhashv3.RingHash{
			HashFunction:              ringhashv3.RingHash_MURMUR_HASH_2,
			MinimumRingSize:           wrapperspb.UInt64(ringSize),
			ConsistentHashingLbConfig: &commonlbv3.ConsistentHashingLbConfig{HashPolicy: hash},
		}),
	}}}
}

// hashPolicies are what a client is known by. The first that a request has decides; one that has none goes anywhere.
func hashPolicies(a mesh.Affinity) []*routev3.RouteAction_HashPolicy {
	var hash []*routev3.RouteAction_HashPolicy
	if a.Cookie != "" {
		hash = append(hash, &routev3.RouteAction_HashPolicy{
			PolicySpecifier: &routev3.RouteAction_HashPolicy_Cookie_{Cookie: &routev3.RouteAction_HashPolicy_Cookie{
				Name: a.Cookie, Ttl: durationpb.New(a.CookieTTL), Path: "/",
			}},
			Terminal: true,
		})
	}
	if a.ClientIP { // every request has an address; behind a partner's gateway the source tells clients apart
		return append(hash, &routev3.RouteAction_HashPolicy{
			PolicySpecifier: &routev3.RouteAction_HashPolicy_ConnectionProperties_{
				ConnectionProperties: &routev3.RouteAction_HashPolicy_ConnectionProperties{SourceIp: true},
			},
		}, byHeader(names.HeaderSource))
	}
	if a.Header != "" {
		hash = append(hash, byHeader(a.Header))
	}
	return hash
}

func byHeader(name string) *routev3.RouteAction_HashPolicy {
	return &routev3.RouteAction_HashPolicy{
		PolicySpecifier: &routev3.RouteAction_HashPolicy_Header_{Header: &routev3.RouteAction_HashPolicy_Header{HeaderName: name}},
	}
}
