package oracle

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/entente-mesh/entente/internal/lab/envoy"
	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/bootstrap"
	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/serve"
	"github.com/entente-mesh/entente/xds/translate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait, so that a hanging product fails its test. It is no measure of speed.
const patience = time.Minute

// TestEnvoyHasWhatTheMeshMeans changes a domain at random, some objects at a time, and compares what Envoy says of its configuration with what it
// was sent: every name and every version, nothing missing and nothing left over.
func TestEnvoyHasWhatTheMeshMeans(t *testing.T) {
	t.Parallel()
	seed, steps := rand.Uint64(), 50
	if os.Getenv("ENTENTE_LONG") != "" {
		steps = 3000
	}
	if text := os.Getenv("ENTENTE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("ENTENTE_SEED: %v", err)
		}
	}
	t.Logf("ENTENTE_SEED=%d", seed)
	w := newWorld(seed)
	h := newHouse(t, mesh.Compile(w.objects, nil))
	h.compare("at the start")
	if t.Failed() {
		return
	}
	for step := range steps {
		for range 1 + w.IntN(4)*w.IntN(4) {
			w.change()
		}
		h.set(mesh.Compile(w.objects, h.mesh))
		h.compare(fmt.Sprintf("ENTENTE_SEED=%d step %d", seed, step))
		if t.Failed() {
			return
		}
	}
	if h.commits < steps/2 {
		t.Errorf("only %d of %d steps changed anything", h.commits, steps)
	}
}

// A house is one domain's Envoy and what it is told.
type house struct {
	t         *testing.T
	dir       string
	gateway   translate.Gateway
	mesh      *mesh.Mesh
	cache     *cache.Cache
	listeners *cache.Cache
	envoy     *envoy.Envoy
	commits   int // that changed something

	settings *mesh.Settings    // that digests are of
	digests  map[string]string // of the listeners
	seen     map[string]string // the digests of what Envoy said before, by its words
}

func newHouse(t *testing.T, m *mesh.Mesh) *house {
	t.Helper()
	envoy.Binary(t)
	h := &house{t: t, cache: cache.New([]byte("salt")), dir: envoy.Dir(t), seen: map[string]string{}}
	h.listeners = h.cache.Beside()
	anyPort := netip.MustParseAddrPort("127.0.0.1:0")
	h.gateway = translate.Gateway{
		Name: "bob-0", Version: "test", External: anyPort, Internal: []netip.AddrPort{anyPort},
		Control: filepath.Join(h.dir, "control.sock"), Proof: filepath.Join(h.dir, "proof.sock"), Logs: h.dir,
	}
	h.commit(m)
	h.serve()
	boot, err := bootstrap.Make(bootstrap.Config{Domain: domain, Gateway: h.gateway.Name, Admin: filepath.Join(h.dir, "admin.sock"), Socket: h.xds()})
	if err != nil {
		t.Fatal(err)
	}
	h.envoy = envoy.Start(t, envoy.Options{Bootstrap: boot, Dir: h.dir})
	h.confirmed()
	return h
}

func (h *house) xds() string { return filepath.Join(h.dir, "xds.sock") }

// Open shows everything to the one Envoy.
func (h *house) Open(_, _ string) (serve.View, error) {
	view, err := cache.NewView(h.cache, h.listeners)
	return serve.View{Resources: view, Board: h.cache.Board()}, err
}

func (h *house) serve() {
	listener, err := new(net.ListenConfig).Listen(h.t.Context(), "unix", h.xds())
	if err != nil {
		h.t.Fatal(err)
	}
	server := serve.New(serve.Config{Listener: listener, Authenticator: serve.Local{Domain: domain}, Views: h, Drain: time.Millisecond})
	ctx, cancel := context.WithCancel(context.WithoutCancel(h.t.Context()))
	var group errgroup.Group
	group.Go(func() error { return server.Run(ctx) })
	h.t.Cleanup(func() {
		cancel()
		if err := group.Wait(); err != nil {
			h.t.Errorf("xDS server: %v", err)
		}
	})
}

// set gives Envoy another mesh and returns when it has confirmed it.
func (h *house) set(m *mesh.Mesh) {
	h.t.Helper()
	h.commit(m)
	h.confirmed()
}

func (h *house) commit(m *mesh.Mesh) {
	h.t.Helper()
	before := h.cache.Seq()
	delta, _ := translate.Delta(h.mesh, m) // faults are the objects' own, and leave resources out
	if _, err := h.cache.Commit(delta, time.Now()); err != nil {
		h.t.Fatal(err)
	}
	if h.mesh == nil || h.mesh.Settings != m.Settings {
		if _, err := h.listeners.Commit(cache.Delta{Set: translate.Listeners(m.Settings, h.gateway)}, time.Now()); err != nil {
			h.t.Fatal(err)
		}
	}
	h.mesh = m
	if h.cache.Seq() != before {
		h.commits++
	}
}

// confirmed waits until Envoy has dealt with everything, and fails the test if it has refused anything.
func (h *house) confirmed() {
	h.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		verdict, changed := h.cache.Board().Reached(h.cache.Seq())
		if verdict.State == live.Confirmed {
			break
		}
		select {
		case <-changed:
		case <-timeout.C:
			h.t.Fatalf("Envoy has not confirmed commit %d: %+v", h.cache.Seq(), verdict)
		}
	}
	events, _ := h.cache.Board().Events()
	for _, e := range events {
		if e.Verdict.State == live.Rejected {
			h.t.Errorf("Envoy refused what came from %v: %s", e.Ref, e.Verdict.Reason)
		}
	}
}

// compare asks Envoy what it has. What it drops it may drop a moment after its word, so it is asked again until it is right, or too late.
func (h *house) compare(when string) {
	h.t.Helper()
	timeout, tick := time.NewTimer(10*time.Second), time.NewTicker(5*time.Millisecond)
	defer timeout.Stop()
	defer tick.Stop()
	for {
		diff := cmp.Diff(h.meant(), h.held())
		if diff == "" {
			return
		}
		select {
		case <-tick.C:
		case <-timeout.C:
			h.t.Errorf("%s: Envoy differs (-meant +held):\n%s", when, diff)
			return
		}
	}
}

// meant are the versions of all resources, by type and name. Of endpoints, whose versions Envoy does not tell, it is
// their addresses, and of listeners their content.
func (h *house) meant() map[string]string {
	all := map[string]string{}
	for word, kind := range map[string]cache.Type{"cluster": cache.Cluster, "filter": cache.Filter, "secret": cache.Secret, "routes": cache.Route} {
		for name, e := range h.cache.All(kind).All() {
			all[word+" "+name] = e.Version
		}
	}
	if h.settings != h.mesh.Settings {
		h.settings, h.digests = h.mesh.Settings, map[string]string{}
		for _, r := range translate.Listeners(h.settings, h.gateway) {
			h.digests["listener "+r.Name] = digest(r.Body.(*listenerv3.Listener))
		}
	}
	maps.Copy(all, h.digests)
	for name := range h.cache.All(cache.Endpoint).Keys() {
		all["endpoints "+name] = h.addresses(name)
	}
	return all
}

// addresses are those of a service that the mesh has, in order.
func (h *house) addresses(resource string) string {
	service := strings.TrimSuffix(strings.TrimPrefix(resource, "svc/"), "."+domain+".svc")
	e, ok := h.mesh.Endpoints.Get(service)
	if !ok {
		return ""
	}
	var all []string
	for _, ready := range e.Ready {
		all = append(all, ready.Address.String())
	}
	return strings.Join(all, " ")
}

// held is what Envoy says that it has, in the form of meant. What only warms, or has failed, stands apart.
func (h *house) held() map[string]string {
	h.t.Helper()
	var dump struct {
		Configs []section `json:"configs"`
	}
	if err := json.Unmarshal(h.envoy.ConfigDump(), &dump); err != nil {
		h.t.Fatal(err)
	}
	all := map[string]string{}
	for _, s := range dump.Configs {
		s.into(all, h.seen)
	}
	for _, s := range dump.Configs {
		for _, c := range s.Clusters {
			if c.Cluster.EDS == nil { // its endpoints are its own
				delete(all, "endpoints "+c.Cluster.Name)
			}
		}
	}
	return all
}
