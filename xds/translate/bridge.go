package translate

import (
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	bridgev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/grpc_http1_bridge/v3"
	reversebridgev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/grpc_http1_reverse_bridge/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// contentGRPC begins the content type of gRPC requests.
const contentGRPC = "application/grpc"

// bridge makes gRPC again of what a partner behind an HTTP/1.1 gateway sends.
func (p *packer) bridge() *hcmv3.HttpFilter { return p.filter(filterBridge, &bridgev3.Config{}) }

// degrade sends gRPC as HTTP/1.1 on routes that say so. Streams that answer while they listen cannot pass that way.
func (p *packer) degrade() *hcmv3.HttpFilter {
	return p.dormant(filterDegrade, &reversebridgev3.FilterConfig{ContentType: contentGRPC})
}

// degraded wakes the filter on one route.
func (p *packer) degraded() *anypb.Any {
	return p.pack(&routev3.FilterConfig{Config: p.pack(&reversebridgev3.FilterConfigPerRoute{})})
}
