package translate

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	commonratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	ratelimitv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/local_ratelimit/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const rateStats = "open"

// A pace is how many requests per second one route takes.
type pace struct {
	all     uint32 // from everybody together
	address uint32 // from one address, so that one stranger does not use up everybody's
	burst   uint32 // how many seconds' worth may come at once
}

// paceChange is for handshakes and registrations without a token: each costs this side two RSA operations, some 2 ms.
func paceChange() pace { return pace{all: 100, address: 10, burst: 2} }

// paceAsk is for what only asks, which costs nearly nothing: each gateway of each partner checks and beats every 15 s, many perhaps from behind one
// address.
func paceAsk() pace { return pace{all: 4000, address: 400, burst: 2} }

// addresses is how many addresses are told apart; the one that was not seen for the longest time is forgotten first.
const addresses = 4096

// rate is where routes limit how often they are called.
func (p *packer) rate() *hcmv3.HttpFilter {
	return p.dormant(filterRate, &ratelimitv3.LocalRateLimit{StatPrefix: rateStats})
}

// paced limits one route.
func (p *packer) paced(at pace) *anypb.Any {
	return p.pack(&ratelimitv3.LocalRateLimit{
		StatPrefix:     rateStats,
		TokenBucket:    at.bucket(at.all),
		FilterEnabled:  always(),
		FilterEnforced: always(),
		RateLimits: []*routev3.RateLimit{{Actions: []*routev3.RateLimit_Action{{
			ActionSpecifier: &routev3.RateLimit_Action_RemoteAddress_{RemoteAddress: &routev3.RateLimit_Action_RemoteAddress{}},
		}}}},
		Descriptors: []*commonratelimitv3.LocalRateLimitDescriptor{{
			Entries:     []*commonratelimitv3.RateLimitDescriptor_Entry{{Key: "remote_address"}}, // without a value: a bucket for each
			TokenBucket: at.bucket(at.address),
		}},
		MaxDynamicDescriptors: wrapperspb.UInt32(addresses),
	})
}

func (at pace) bucket(perSecond uint32) *typev3.TokenBucket {
	return &typev3.TokenBucket{MaxTokens: perSecond * at.burst, TokensPerFill: u32(perSecond), FillInterval: seconds(1)}
}

// always is for filters that do nothing by default.
func always() *corev3.RuntimeFractionalPercent {
	return &corev3.RuntimeFractionalPercent{DefaultValue: &typev3.FractionalPercent{Numerator: 100, Denominator: typev3.FractionalPercent_HUNDRED}}
}
