package main

import (
	"context"
	"fmt"
	"net"

	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/proxy"
	"github.com/entente-mesh/entente/xds/publish"
	"github.com/entente-mesh/entente/xds/serve"
)

// gatewayViews gives the node's Envoy its resources: of its listeners at first one on a private socket alone, with the same filters and routes as
// that for partners. Only when the doorkeeper has seen this one refuse who has no token, the others follow.
type gatewayViews struct {
	task      *meshTask
	publisher *publish.Publisher
	domain    *cache.Cache
	keeper    *proxy.Doorkeeper
}

// newDoorkeeper keeps the doors of the node's Envoy.
func (t *meshTask) newDoorkeeper() *proxy.Doorkeeper {
	return proxy.NewDoorkeeper(proxy.DoorkeeperConfig{
		Dir: t.plan.dir, Log: t.node.log,
		Dial: func(ctx context.Context) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", t.proofSocket())
		},
	})
}

// Open shows a stream what its gateway sees. It satisfies serve.Views.
func (v gatewayViews) Open(domain, gateway string) (serve.View, error) {
	if plan := v.task.plan; domain != v.task.node.config.DomainID || gateway != plan.name {
		return serve.View{}, fmt.Errorf("gateway %s of domain %s: %w: this node has gateway %s of domain %s", gateway, domain, serve.ErrUnknown, plan.name, v.task.node.config.DomainID)
	}
	g := v.task.translated()
	g.Mark = proxy.NewMark()
	g.Closed = !v.keeper.Proven() // its listeners serve: they are not taken from it
	door := v.publisher.Gateway(g)
	view, err := cache.NewView(v.domain, door.Listeners())
	if err != nil {
		door.Release()
		return serve.View{}, err
	}
	leave := v.keeper.Guard(door, g.Mark, !g.Closed)
	return serve.View{Resources: view, Board: v.domain.Board(), Release: func() { leave(); door.Release() }}, nil
}
