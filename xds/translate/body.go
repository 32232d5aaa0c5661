package translate

import (
	bufferv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/buffer/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"
)

// openBody is the most that a request without a token may carry, in bytes: a registration with its certificate request needs 4 KiB.
const openBody = 64 << 10

// body is where routes limit the size of requests. It holds such a request back until it is whole.
func (p *packer) body() *hcmv3.HttpFilter {
	return p.dormant(filterBody, &bufferv3.Buffer{MaxRequestBytes: u32(openBody)})
}

// atMost limits the size of requests on one route, in bytes; larger ones are answered 413.
func (p *packer) atMost(size uint32) *anypb.Any {
	return p.pack(&bufferv3.BufferPerRoute{Override: &bufferv3.BufferPerRoute_Buffer{Buffer: &bufferv3.Buffer{MaxRequestBytes: u32(size)}}})
}
