package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/serve"
)

// entente is our server: the product's cache and the product's server, put together as the fleet does it.
type entente struct{ cache *cache.Cache }

func (e *entente) fill(resources, newest int) error {
	e.cache = cache.New([]byte("a salt that stays the same over restarts"))
	var d cache.Delta
	for i := range resources {
		d.Set = append(d.Set, resourceOf(i, 0))
	}
	d.Set[0] = resourceOf(0, newest)
	_, err := e.cache.Commit(d, time.Now())
	return err
}

func resourceOf(i, change int) cache.Resource {
	name := serviceName(i)
	return cache.Resource{
		Key:  cache.Key{Type: cache.Endpoint, Name: name},
		Body: assignment(name, portOf(change)),
		From: []live.Ref{origin(name, change)},
	}
}

// origin is the object that a resource is made from, so that what the board does for it is part of the figures.
func origin(name string, change int) live.Ref {
	return live.Ref{Kind: "EndpointSlice", Namespace: domain, Name: name, Version: strconv.Itoa(change)}
}

func (e *entente) serve(ctx context.Context, on net.Listener, id *identity) error {
	var auth serve.Authenticator = serve.Local{Domain: domain}
	if id != nil {
		pair, err := id.pair()
		if err != nil {
			return err
		}
		roots, err := id.roots()
		if err != nil {
			return err
		}
		auth = serve.NewFleet(func() (*tls.Certificate, error) { return &pair, nil }, func(string) *x509.CertPool { return roots })
	}
	view, err := cache.NewView(e.cache, e.cache)
	if err != nil {
		return err
	}
	return serve.New(serve.Config{Listener: on, Authenticator: auth, Views: oneView{view, e.cache.Board()}}).Run(ctx)
}

// oneView is the only domain's.
type oneView struct {
	view  cache.View
	board *live.Board
}

func (v oneView) Open(string, string) (serve.View, error) {
	return serve.View{Resources: v.view, Board: v.board}, nil
}

func (e *entente) change(number, _ int) (func(context.Context) error, error) {
	r := resourceOf(0, number)
	if _, err := e.cache.Commit(cache.Delta{Set: []cache.Resource{r}}, time.Now()); err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		for {
			verdict, changed := e.cache.Board().Await(r.From[0])
			switch verdict.State {
			case live.Confirmed:
				return nil
			case live.Rejected:
				return fmt.Errorf("change %d was rejected by %s: %s", number, verdict.Gateway, verdict.Reason)
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return fmt.Errorf("change %d is not confirmed: %w", number, context.Cause(ctx))
			}
		}
	}, nil
}
