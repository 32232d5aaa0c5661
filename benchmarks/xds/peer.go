package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	resourcev3 "github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
)

// A store is one of go-control-plane's caches, as its users change a resource in it.
type store interface {
	cachev3.Cache
	// reset gives it all resources.
	reset(resources map[string]types.Resource) error
	// put changes one.
	put(name string, r types.Resource) error
}

// A peer is go-control-plane: its server over one of its caches, on grpc-go's own options.
type peer struct {
	store store
	count confirmations
}

func newPeer(s store) *peer { return &peer{store: s} }

func (p *peer) fill(resources, newest int) error {
	all := make(map[string]types.Resource, resources)
	for i := range resources {
		all[serviceName(i)] = assignment(serviceName(i), portOf(0))
	}
	all[serviceName(0)] = assignment(serviceName(0), portOf(newest))
	return p.store.reset(all)
}

func (p *peer) serve(ctx context.Context, on net.Listener, id *identity) error {
	var options []grpc.ServerOption
	secure, err := credentialsOf(id)
	if err != nil {
		return err
	}
	if secure != nil {
		options = append(options, grpc.Creds(secure))
	}
	s := grpc.NewServer(options...)
	callbacks := serverv3.CallbackFuncs{StreamDeltaRequestFunc: func(_ int64, r *discoveryv3.DeltaDiscoveryRequest) error {
		if r.GetResponseNonce() != "" && r.GetErrorDetail() == nil {
			p.count.one()
		}
		return nil
	}}
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(s, serverv3.NewServer(ctx, p.store, callbacks))
	return serveUntil(ctx, s, on)
}

// serveUntil serves until ctx ends.
func serveUntil(ctx context.Context, s *grpc.Server, on net.Listener) error {
	stop := context.AfterFunc(ctx, s.Stop)
	defer stop()
	if err := s.Serve(on); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve on %v: %w", on.Addr(), err)
	}
	return nil
}

func (p *peer) change(number, streams int) (func(context.Context) error, error) {
	p.count.expect(streams)
	return p.count.wait, p.store.put(serviceName(0), assignment(serviceName(0), portOf(number)))
}

// A linear is a LinearCache: one type of resources, each changed by its name.
type linear struct{ *cachev3.LinearCache }

func newLinear() store { return linear{cachev3.NewLinearCache(endpointURL)} }

func (l linear) reset(resources map[string]types.Resource) error {
	l.SetResources(resources)
	return nil
}

func (l linear) put(name string, r types.Resource) error { return l.UpdateResource(name, r) }

// A mux is a MuxCache over a LinearCache for each type, as its users serve more than one type.
type mux struct {
	*cachev3.MuxCache
	linear
}

func newMux() store {
	endpoints := linear{cachev3.NewLinearCache(endpointURL)}
	return mux{linear: endpoints, MuxCache: &cachev3.MuxCache{
		Classify:      func(r *cachev3.Request) string { return r.GetTypeUrl() },
		ClassifyDelta: func(r *cachev3.DeltaRequest) string { return r.GetTypeUrl() },
		Caches:        map[string]cachev3.Cache{endpointURL: endpoints},
	}}
}

// CreateWatch and the following are the mux's, not those of the cache below it.
func (m mux) CreateWatch(r *cachev3.Request, s cachev3.Subscription, to chan cachev3.Response) (func(), error) {
	return m.MuxCache.CreateWatch(r, s, to)
}

// CreateDeltaWatch is the mux's.
func (m mux) CreateDeltaWatch(r *cachev3.DeltaRequest, s cachev3.Subscription, to chan cachev3.DeltaResponse) (func(), error) {
	return m.MuxCache.CreateDeltaWatch(r, s, to)
}

// Fetch is the mux's.
func (m mux) Fetch(ctx context.Context, r *cachev3.Request) (cachev3.Response, error) {
	return m.MuxCache.Fetch(ctx, r)
}

// A snapshot is a SnapshotCache. All clients share one snapshot, which is the best that can happen to it; each change makes a new one.
type snapshot struct {
	cachev3.SnapshotCache
	resources map[string]types.Resource // of the newest snapshot
	version   int
}

// everyone is the hash of every node.
type everyone struct{}

func (everyone) ID(*corev3.Node) string { return "everyone" }

func newSnapshot() store {
	return &snapshot{SnapshotCache: cachev3.NewSnapshotCache(false, everyone{}, nil)}
}

func (s *snapshot) reset(resources map[string]types.Resource) error {
	s.resources = maps.Clone(resources)
	return s.publish()
}

func (s *snapshot) put(name string, r types.Resource) error {
	s.resources[name] = r
	return s.publish()
}

func (s *snapshot) publish() error {
	s.version++
	next, err := cachev3.NewSnapshot(strconv.Itoa(s.version), map[resourcev3.Type][]types.Resource{endpointURL: slices.Collect(maps.Values(s.resources))})
	if err != nil {
		return fmt.Errorf("make a snapshot: %w", err)
	}
	return s.SetSnapshot(context.Background(), everyone{}.ID(nil), next)
}
