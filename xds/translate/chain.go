package translate

import (
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// Names of the HTTP filters. A route that changes what a filter does for it says so under the filter's name.
const (
	filterAuth      = "inbound-auth" // who is calling, by token
	filterOrigin    = "origin"       // where a request began, if nobody says
	filterCallers   = "callers"      // who may call this route; nothing unless the route says so
	filterRate      = "rate"         // how often, on routes that say so
	filterBody      = "body"         // how large a request may be, on routes that say so
	filterBandwidth = "bandwidth"    // how fast, on routes that say so
	filterBridge    = "grpc-bridge"  // gRPC that comes in as HTTP/1.1
	filterDegrade   = "grpc-degrade" // gRPC that goes out as HTTP/1.1, on routes that say so
	filterRouter    = "envoy.filters.http.router"
)

// inboundFilters are what a partner's request passes, in this order: proved first, then judged, and counted only when it is let in.
func (p *packer) inboundFilters() []*hcmv3.HttpFilter {
	return []*hcmv3.HttpFilter{
		p.authentication(), p.originFill(), discoveredRBAC(FilterSources), p.callers(),
		p.rate(), p.body(), p.bandwidth(), p.bridge(), p.router(),
	}
}

// outboundFilters are what a request from inside passes.
func (p *packer) outboundFilters() []*hcmv3.HttpFilter {
	return []*hcmv3.HttpFilter{p.degrade(), p.bandwidth(), p.router()}
}

// filter is one filter of a chain.
func (p *packer) filter(name string, m message) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_TypedConfig{TypedConfig: p.pack(m)}}
}

// dormant is a filter that does nothing, and costs nothing, but on routes that wake it.
func (p *packer) dormant(name string, m message) *hcmv3.HttpFilter {
	f := p.filter(name, m)
	f.Disabled = true
	return f
}
