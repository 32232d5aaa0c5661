package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	cachev3 "github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	serverv3 "github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/serve"
)

// A patient is a server that is examined for a bug.
type patient interface {
	// put sets resources of one type, each by its name to its content, and leaves all others as they are.
	put(of cache.Type, content map[string]string) error
	serve(ctx context.Context, on net.Listener) error
}

// body is a message of a type with a name and some content.
func body(of cache.Type, name, content string) proto.Message {
	switch of {
	case cache.Cluster:
		return &clusterv3.Cluster{Name: name, AltStatName: content}
	case cache.Endpoint:
		return &endpointv3.ClusterLoadAssignment{
			ClusterName: name, Endpoints: []*endpointv3.LocalityLbEndpoints{{Locality: &corev3.Locality{Region: content}}},
		}
	case cache.Listener:
		return &listenerv3.Listener{Name: name, StatPrefix: content}
	default:
		return &corev3.TypedExtensionConfig{Name: name, TypedConfig: &anypb.Any{TypeUrl: "type.googleapis.com/a.Filter", Value: []byte(content)}}
	}
}

// content is the name and what body put in.
func content(wire *anypb.Any) (name, text string, err error) {
	m, err := wire.UnmarshalNew()
	if err != nil {
		return "", "", fmt.Errorf("read a resource: %w", err)
	}
	switch m := m.(type) {
	case *clusterv3.Cluster:
		return m.GetName(), m.GetAltStatName(), nil
	case *endpointv3.ClusterLoadAssignment:
		return m.GetClusterName(), m.GetEndpoints()[0].GetLocality().GetRegion(), nil
	case *listenerv3.Listener:
		return m.GetName(), m.GetStatPrefix(), nil
	case *corev3.TypedExtensionConfig:
		return m.GetName(), string(m.GetTypedConfig().GetValue()), nil
	}
	return "", "", fmt.Errorf("a %T came", m)
}

// patientTypes are the types that the cases are about.
func patientTypes() []cache.Type {
	return []cache.Type{cache.Cluster, cache.Endpoint, cache.Filter, cache.Listener}
}

// us is our server, examined.
type us struct{ cache *cache.Cache }

func newUs() patient { return us{cache.New([]byte("a salt"))} }

func (u us) put(of cache.Type, all map[string]string) error {
	var d cache.Delta
	for name, text := range all {
		d.Set = append(d.Set, cache.Resource{Key: cache.Key{Type: of, Name: name}, Body: body(of, name, text)})
	}
	_, err := u.cache.Commit(d, time.Now())
	return err
}

func (u us) serve(ctx context.Context, on net.Listener) error {
	view, err := cache.NewView(u.cache, u.cache)
	if err != nil {
		return err
	}
	config := serve.Config{Listener: on, Authenticator: serve.Local{Domain: domain}, Views: oneView{view, u.cache.Board()}, Drain: 100 * time.Millisecond}
	return serve.New(config).Run(ctx)
}

// gcpSnapshot is go-control-plane over a snapshot cache. A type has a new version only when something of it has
// changed, which is the best that can be done for it.
type gcpSnapshot struct {
	cachev3.SnapshotCache
	all      map[cache.Type]map[string]types.Resource
	versions map[cache.Type]int
}

// newGCPSnapshot returns one in the mode that it has for ADS, in which it waits until everything is asked for, or not.
func newGCPSnapshot(ads bool) func() patient {
	return func() patient {
		return &gcpSnapshot{
			SnapshotCache: cachev3.NewSnapshotCache(ads, everyone{}, nil),
			all:           make(map[cache.Type]map[string]types.Resource), versions: make(map[cache.Type]int),
		}
	}
}

func (g *gcpSnapshot) put(of cache.Type, all map[string]string) error {
	if g.all[of] == nil {
		g.all[of] = make(map[string]types.Resource)
	}
	for name, text := range all {
		g.all[of][name] = body(of, name, text)
	}
	g.versions[of]++
	next := &cachev3.Snapshot{}
	for t, resources := range g.all {
		var list []types.Resource
		for _, r := range resources {
			list = append(list, r)
		}
		next.Resources[cachev3.GetResponseType(t.URL())] = cachev3.NewResources(strconv.Itoa(g.versions[t]), list)
	}
	return g.SetSnapshot(context.Background(), everyone{}.ID(nil), next)
}

func (g *gcpSnapshot) serve(ctx context.Context, on net.Listener) error {
	return serveGCP(ctx, on, g.SnapshotCache)
}

// gcpMux is go-control-plane over a mux of a linear cache for each type.
type gcpMux struct {
	mux    *cachev3.MuxCache
	caches map[cache.Type]*cachev3.LinearCache
}

func newGCPMux() patient {
	g := &gcpMux{caches: make(map[cache.Type]*cachev3.LinearCache), mux: &cachev3.MuxCache{
		Classify:      func(r *cachev3.Request) string { return r.GetTypeUrl() },
		ClassifyDelta: func(r *cachev3.DeltaRequest) string { return r.GetTypeUrl() },
		Caches:        make(map[string]cachev3.Cache),
	}}
	for _, t := range patientTypes() {
		g.caches[t] = cachev3.NewLinearCache(t.URL())
		g.mux.Caches[t.URL()] = g.caches[t]
	}
	return g
}

func (g *gcpMux) put(of cache.Type, all map[string]string) error {
	set := make(map[string]types.Resource)
	for name, text := range all {
		set[name] = body(of, name, text)
	}
	return g.caches[of].UpdateResources(set, nil)
}

func (g *gcpMux) serve(ctx context.Context, on net.Listener) error { return serveGCP(ctx, on, g.mux) }

func serveGCP(ctx context.Context, on net.Listener, c cachev3.Cache) error {
	s := grpc.NewServer()
	discoveryv3.RegisterAggregatedDiscoveryServiceServer(s, serverv3.NewServer(ctx, c, nil))
	return serveUntil(ctx, s, on)
}

// examine runs a case against a patient, over a socket in the folder.
func examine(ctx context.Context, dir string, p patient, do func(context.Context, patient, string) error) (found error, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	path := filepath.Join(dir, "xds")
	listener, err := (&net.ListenConfig{}).Listen(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	served := make(chan error, 1)
	go func() { served <- p.serve(ctx, listener) }()
	found = do(ctx, p, "unix:"+path)
	cancel()
	err = <-served
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return found, err
}
