package translate

import (
	bandwidthv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/bandwidth_limit/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Of the original, for whoever watches its counters.
const bandwidthStats = "kuscia_bandwidth_limit"

// bandwidthFill is how often a limit lets more through, in nanoseconds.
const bandwidthFill = 100_000_000

// bandwidth is where routes limit how fast bodies go.
func (p *packer) bandwidth() *hcmv3.HttpFilter {
	return p.dormant(filterBandwidth, &bandwidthv3.BandwidthLimit{StatPrefix: bandwidthStats})
}

// throttled limits one route to so many KiB per second in each direction, for all its requests together.
func (p *packer) throttled(limitKiBps uint64) *anypb.Any {
	return p.pack(&bandwidthv3.BandwidthLimit{
		StatPrefix:   bandwidthStats,
		EnableMode:   bandwidthv3.BandwidthLimit_REQUEST_AND_RESPONSE,
		LimitKbps:    wrapperspb.UInt64(limitKiBps),
		FillInterval: &durationpb.Duration{Nanos: bandwidthFill},
	})
}
