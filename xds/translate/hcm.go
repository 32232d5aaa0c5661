package translate

import (
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/entente-mesh/entente/mesh"
)

// Bounds of what a client may do. docs/hardening.md holds them against Envoy's advice for edges.
const (
	maxHeaderKB      = 60   // Envoy's default
	maxHeaders       = 100  // Envoy's default
	headersTime      = 10   // seconds until a request's headers must be there
	connectionIdle   = 3600 // seconds; longer than any partner keeps an idle connection, so that the caller closes first
	partnerStreams   = 256  // per HTTP/2 connection; a partner's Envoy opens another one for more
	insideStreams    = 1024 // per HTTP/2 connection; a client of gRPC waits when they are used up
	pingEvery        = 60   // seconds between pings on HTTP/2 connections of partners
	pingTimeout      = 20   // seconds until the answer must be there
	upgradeWebSocket = "websocket"
	upgradeConnect   = "CONNECT"

	// serverName is what partners read in the Server header, as the original's.
	externalServer = "kuscia-gateway"
)

// A side is what a listener's HTTP is like.
type side struct {
	name     string // in statistics
	place    string // in names.HeaderErrorMessage
	routes   string
	early    []*mutationv3.HeaderMutation
	filters  []*hcmv3.HttpFilter
	discreet bool   // says nothing to others of what is behind
	partners bool   // strangers can reach it
	log      string // of requests that have no log of their own
	columns  string
	upgrades []string
}

// http is the connection manager of a listener.
func (p *packer) http(s *mesh.Settings, g Gateway, side side) *hcmv3.HttpConnectionManager {
	h := &hcmv3.HttpConnectionManager{
		CodecType:  hcmv3.HttpConnectionManager_AUTO,
		StatPrefix: side.name + "_http",
		RouteSpecifier: &hcmv3.HttpConnectionManager_Rds{Rds: &hcmv3.Rds{
			ConfigSource: ads(), RouteConfigName: side.routes,
		}},
		EarlyHeaderMutationExtensions: p.early(side.early),
		HttpFilters:                   side.filters,
		AccessLog:                     p.journals(g.Logs, side.log, side.columns),
		LocalReplyConfig:              replies(s, g, side.place, side.discreet),

		// The address of the connection counts, whatever headers say, and nobody is so near that Envoy would obey their x-envoy-* headers.
		UseRemoteAddress:      wrapperspb.Bool(true),
		SkipXffAppend:         true,
		InternalAddressConfig: strangersOnly(),
		GenerateRequestId:     wrapperspb.Bool(false), // nobody reads it

		// Rules and routes look at paths without dots. Slashes are the application's own business.
		NormalizePath:                wrapperspb.Bool(true),
		PathWithEscapedSlashesAction: hcmv3.HttpConnectionManager_KEEP_UNCHANGED,
		StripPortMode:                &hcmv3.HttpConnectionManager_StripAnyHostPort{StripAnyHostPort: true},
		StripTrailingHostDot:         true,

		CommonHttpProtocolOptions: &corev3.HttpProtocolOptions{
			IdleTimeout:                  seconds(connectionIdle),
			MaxHeadersCount:              u32(maxHeaders),
			HeadersWithUnderscoresAction: corev3.HttpProtocolOptions_ALLOW, // the engines' metadata have them; see twins
		},
		HttpProtocolOptions:   &corev3.Http1ProtocolOptions{AcceptHttp_10: !side.partners},
		Http2ProtocolOptions:  side.http2(),
		MaxRequestHeadersKb:   u32(maxHeaderKB),
		StreamIdleTimeout:     durationpb.New(s.StreamIdle),
		RequestTimeout:        seconds(0), // bodies of many GB are usual
		RequestHeadersTimeout: seconds(headersTime),
	}
	if side.partners {
		h.ServerName = externalServer
	}
	for _, upgrade := range side.upgrades {
		h.UpgradeConfigs = append(h.UpgradeConfigs, &hcmv3.HttpConnectionManager_UpgradeConfig{UpgradeType: upgrade})
	}
	return h
}

// strangersOnly makes no address a trusted one. An empty list would mean Envoy's own, which are all private networks.
func strangersOnly() *hcmv3.HttpConnectionManager_InternalAddressConfig {
	return &hcmv3.HttpConnectionManager_InternalAddressConfig{CidrRanges: []*corev3.CidrRange{{
		AddressPrefix: "255.255.255.255", PrefixLen: u32(32), // from which nothing comes
	}}}
}

// http2 is how the side speaks HTTP/2.
func (s side) http2() *corev3.Http2ProtocolOptions {
	options := http2()
	options.MaxConcurrentStreams = u32(insideStreams)
	if s.partners {
		options.MaxConcurrentStreams = u32(partnerStreams)
		options.ConnectionKeepalive = &corev3.KeepaliveSettings{Interval: seconds(pingEvery), Timeout: seconds(pingTimeout)}
	}
	return options
}
