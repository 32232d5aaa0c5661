package serve_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/serve"
)

// trusting lets everybody in with the same right.
type trusting struct{ serve.Right }

func (a trusting) Handshake(raw net.Conn) (net.Conn, serve.Proof, error) {
	return raw, func(time.Time) (serve.Right, error) { return a.Right, nil }, nil
}
func (trusting) Buffered() bool { return false }
func (trusting) String() string { return "trusting" }

// domains are the domains that are served, each with one gateway, gw0.
type domains struct {
	mu     sync.Mutex
	caches map[string]*cache.Cache
	open   int           // views that were not released
	done   chan struct{} // of each view; nil: never
	broken error         // why no view can be opened
}

func newDomains(names ...string) *domains {
	d := &domains{caches: map[string]*cache.Cache{}}
	for _, n := range names {
		d.caches[n] = cache.New([]byte("salt of " + n))
	}
	return d
}

func (d *domains) Open(domain, gateway string) (serve.View, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken != nil {
		return serve.View{}, d.broken
	}
	c := d.caches[domain]
	if c == nil {
		return serve.View{}, fmt.Errorf("add the domain to the fleet: %w", serve.ErrUnknown)
	}
	if gateway != "gw0" {
		return serve.View{}, fmt.Errorf("create the Gateway: %w", serve.ErrUnknown)
	}
	view, err := cache.NewView(c, c)
	if err != nil {
		return serve.View{}, err
	}
	d.open++
	return serve.View{Resources: view, Board: c.Board(), Done: d.done, Release: func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.open--
	}}, nil
}

func (d *domains) unreleased() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open
}

// set commits clusters by name, each with a connect timeout that tells its states apart.
func (d *domains) set(t testing.TB, domain string, timeout time.Duration, names ...string) {
	t.Helper()
	var delta cache.Delta
	for _, n := range names {
		delta.Set = append(delta.Set, resource(n, timeout))
	}
	if _, err := d.caches[domain].Commit(delta, time.Now()); err != nil {
		t.Fatal(err)
	}
}

// setBig commits a cluster of 1 MiB, far more than grpc-go takes over from a sender whose client does not read. The mark tells its states
// apart.
func (d *domains) setBig(t testing.TB, mark string) {
	t.Helper()
	body := &clusterv3.Cluster{Name: "big", AltStatName: mark + strings.Repeat("x", 1<<20)}
	if _, err := d.caches["alice"].Commit(cache.Delta{Set: []cache.Resource{{Key: cache.Key{Type: cache.Cluster, Name: "big"}, Body: body}}}, time.Now()); err != nil {
		t.Fatal(err)
	}
}

func resource(name string, timeout time.Duration) cache.Resource {
	return cache.Resource{
		Key:  cache.Key{Type: cache.Cluster, Name: name},
		Body: &clusterv3.Cluster{Name: name, AltStatName: timeout.String()},
		From: []live.Ref{{Kind: "Service", Namespace: "alice", Name: name, Version: timeout.String()}},
	}
}

// server is a running server and the way to it.
type server struct {
	*serve.Server
	metrics  *serve.Metrics
	dial     func(context.Context) (net.Conn, error)
	shutdown func() // ends it in order; may be called twice
}

// start runs a server for the domains on an in-memory listener until the test ends.
func start(t testing.TB, d *domains, change func(*serve.Config)) *server {
	t.Helper()
	return startWith(t, d, serve.New, change)
}

// startWith is start for a server that is built in another way.
func startWith(t testing.TB, d *domains, build func(serve.Config) *serve.Server, change func(*serve.Config)) *server {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	config := serve.Config{
		Listener:      listener,
		Authenticator: trusting{serve.Right{Domain: "alice"}},
		Views:         d,
		Metrics:       serve.NewMetrics(nil),
	}
	if change != nil {
		change(&config)
	}
	s := &server{Server: build(config), metrics: config.Metrics, dial: listener.DialContext}
	if config.Listener != net.Listener(listener) {
		address := config.Listener.Addr()
		s.dial = func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, address.Network(), address.String())
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	<-s.Ready()
	s.shutdown = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run returned %v after an orderly stop", err)
		}
	})
	t.Cleanup(s.shutdown)
	return s
}

// client is an Envoy as far as xDS goes.
type client struct {
	t      testing.TB
	conn   *grpc.ClientConn
	stream discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient
	err    error // why there is no stream
	cancel context.CancelFunc
}

// connect opens a connection with a delta stream on it. Both end with the test.
func (s *server) connect(t testing.TB, options ...grpc.DialOption) *client {
	t.Helper()
	options = append([]grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return s.dial(ctx) }),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64 << 20)),
	}, options...)
	conn, err := grpc.NewClient("passthrough:///xds", options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // fails only when closed before
	return open(t, conn)
}

// open opens another stream on a connection. That it cannot be opened is seen at its end.
func open(t testing.TB, conn *grpc.ClientConn) *client {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	return &client{t: t, conn: conn, stream: stream, err: err, cancel: cancel}
}

var (
	clusters = cache.Cluster.URL()
	envoy    = node("alice", "gw0")
)

func node(domain, gateway string) *corev3.Node {
	return &corev3.Node{
		Id: "kuscia-gateway-" + domain + "-" + gateway, Cluster: "kuscia-gateway-" + domain, UserAgentName: "envoy",
		UserAgentVersionType: &corev3.Node_UserAgentBuildVersion{UserAgentBuildVersion: &corev3.BuildVersion{Version: &typev3.SemanticVersion{MajorNumber: 1, MinorNumber: 40}}},
	}
}

func (c *client) send(r *discoveryv3.DeltaDiscoveryRequest) {
	c.t.Helper()
	if c.err != nil {
		c.t.Fatal(c.err)
	}
	if err := c.stream.Send(r); err != nil {
		c.t.Fatalf("send: %v (the stream ended with %v)", err, c.end())
	}
}

// subscribe asks for all clusters, bringing what is known already.
func (c *client) subscribe(known map[string]string) {
	c.t.Helper()
	c.send(&discoveryv3.DeltaDiscoveryRequest{Node: envoy, TypeUrl: clusters, InitialResourceVersions: known})
}

func (c *client) receive() *discoveryv3.DeltaDiscoveryResponse {
	c.t.Helper()
	r, err := c.stream.Recv()
	if err != nil {
		c.t.Fatalf("receive: %v", err)
	}
	return r
}

func (c *client) ack(r *discoveryv3.DeltaDiscoveryResponse) {
	c.t.Helper()
	c.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce()})
}

func (c *client) reject(r *discoveryv3.DeltaDiscoveryResponse, why string) {
	c.t.Helper()
	c.send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce(), ErrorDetail: &statuspb.Status{Code: int32(codes.InvalidArgument), Message: why}})
}

// end waits for the end of the stream and returns its status.
func (c *client) end() *status.Status {
	for c.err == nil {
		if _, err := c.stream.Recv(); err != nil {
			return status.Convert(err)
		}
	}
	return status.Convert(c.err)
}

// names are the names of the resources in a response.
func names(r *discoveryv3.DeltaDiscoveryResponse) []string {
	var all []string
	for _, one := range r.GetResources() {
		all = append(all, one.GetName())
	}
	return all
}

// versions are the versions of the resources in a response, by name.
func versions(r *discoveryv3.DeltaDiscoveryResponse) map[string]string {
	all := map[string]string{}
	for _, one := range r.GetResources() {
		all[one.GetName()] = one.GetVersion()
	}
	return all
}

// service is the object that a cluster of set is made from.
func service(name string, timeout time.Duration) live.Ref {
	return live.Ref{Kind: "Service", Namespace: "alice", Name: name, Version: timeout.String()}
}

// until waits until the object has reached the state.
func (d *domains) until(t testing.TB, domain string, ref live.Ref, state live.State) live.Verdict {
	t.Helper()
	for {
		verdict, changed := d.caches[domain].Board().Await(ref)
		if verdict.State == state {
			return verdict
		}
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatalf("%v is in state %v, want %v", ref, verdict.State, state)
		}
	}
}

// pinging makes a client ping whenever nothing came for so long.
func pinging(pause time.Duration) grpc.DialOption {
	return grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pause, Timeout: time.Second})
}

const secret = "c2VjcmV0LXRva2VuLW9mLWFsaWNlLWFuZC1ib2ItMTIzNDU="

func containsSecret(text string) bool { return strings.Contains(text, secret) }
