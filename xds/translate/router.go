package translate

import (
	routerv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
)

// router ends a chain. It adds no x-envoy-* headers: they tell others how this gateway works.
func (p *packer) router() *hcmv3.HttpFilter {
	return p.filter(filterRouter, &routerv3.Router{SuppressEnvoyHeaders: true})
}
