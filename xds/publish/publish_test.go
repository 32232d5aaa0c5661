package publish_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/entente-mesh/entente/internal/latest"
	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/publish"
	"github.com/entente-mesh/entente/xds/translate"
)

// A house is a publisher of domain alice and what is around it.
type house struct {
	t      *testing.T
	cache  *cache.Cache
	wanted latest.Value[publish.Wanted]
	stop   func() // ends it and waits for that; may be called again
	*publish.Publisher
}

func start(t *testing.T, change func(*publish.Config)) *house {
	t.Helper()
	h := &house{t: t, cache: cache.New([]byte("salt"))}
	cfg := publish.Config{Wanted: h.wanted.Get, Cache: h.cache, Metrics: prometheus.NewRegistry()}
	if change != nil {
		change(&cfg)
	}
	p, err := publish.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h.Publisher = p
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := p.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	h.stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(h.stop)
	return h
}

// want sets the mesh and returns, in a synctest bubble, when the publisher has dealt with it.
func (h *house) want(m *mesh.Mesh) {
	h.wanted.Set(publish.Wanted{Mesh: m, Since: time.Now()})
	synctest.Wait()
}

// has are the names of the resources of a type.
func has(c *cache.Cache, t cache.Type) []string { return slices.Collect(c.All(t).Keys()) }

func ready(task interface{ Ready() <-chan struct{} }) bool {
	select {
	case <-task.Ready():
		return true
	default:
		return false
	}
}

func newMesh() *mesh.Mesh { return &mesh.Mesh{Settings: &mesh.Settings{Domain: "alice"}} }

// with is the mesh with a service whose content is called version.
func with(m *mesh.Mesh, name, version string) *mesh.Mesh {
	next := *m
	r := live.Ref{Kind: mesh.KindService, Namespace: "alice", Name: name, Version: version}
	next.Services = next.Services.With(name, &mesh.Service{Ref: r, Name: name, Protocol: mesh.HTTP})
	e := r
	e.Version = "endpoints-" + version
	next.Endpoints = next.Endpoints.With(name, &mesh.Endpoints{Ref: e, Service: name})
	return &next
}

func TestAMeshIsCommittedAsSoonAsItIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, nil)
		synctest.Wait()
		if ready(h) || h.cache.Seq() != 0 {
			t.Fatalf("before there is a mesh: ready %t, commit %d", ready(h), h.cache.Seq())
		}
		began := time.Now()
		m := with(newMesh(), "one", "v1")
		h.want(m)
		if !ready(h) || h.cache.Seq() != 1 {
			t.Errorf("after the first mesh: ready %t, commit %d", ready(h), h.cache.Seq())
		}
		h.want(with(m, "two", "v1"))
		want := []string{"one.alice.svc", "two.alice.svc"}
		if diff := cmp.Diff(want, has(h.cache, cache.Endpoint)); diff != "" || h.cache.Seq() != 2 {
			t.Errorf("commit %d: endpoints (-want +got):\n%s", h.cache.Seq(), diff)
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("the publisher took its time: %s", waited)
		}
	})
}

func TestThePatientWaitUntilEveryTokenWasTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, func(c *publish.Config) { c.Patient = true })
		early := newMesh()
		early.Unopened = 1
		h.want(early)
		if h.cache.Seq() != 0 {
			t.Fatalf("commit %d was made while a token waited to be opened", h.cache.Seq())
		}
		h.want(newMesh())
		if h.cache.Seq() != 1 || !ready(h) {
			t.Fatalf("commit %d, ready %t, when all tokens had been tried", h.cache.Seq(), ready(h))
		}
		later := with(newMesh(), "one", "v1")
		later.Unopened = 1
		h.want(later)
		if h.cache.Seq() != 2 {
			t.Error("a later token that waits to be opened holds everything back")
		}
	})
}

func TestAMeshThatCannotBeCommittedIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, nil)
		broken := with(newMesh(), "one", "v1")
		s := *newMesh().Settings
		s.Authorities = "\xff" // no text that a message can hold
		broken.Settings = &s
		h.want(broken)
		if ready(h) || h.cache.Seq() != 0 {
			t.Fatalf("ready %t, commit %d with a mesh that cannot be committed", ready(h), h.cache.Seq())
		}
		h.want(with(newMesh(), "two", "v1"))
		if got := has(h.cache, cache.Endpoint); !ready(h) || !slices.Equal(got, []string{"two.alice.svc"}) {
			t.Errorf("after the next mesh: ready %t, endpoints %v", ready(h), got)
		}
	})
}

func gateway(closed bool) translate.Gateway {
	return translate.Gateway{
		Name: "gw", Version: "v1", External: netip.MustParseAddrPort("0.0.0.0:1080"),
		Internal: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:80")}, Control: "/run/control.sock", Proof: "/run/proof.sock", Closed: closed,
	}
}

func TestDoorsOpenOnlyWhenToldTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, nil)
		before := h.Gateway(gateway(true))
		if got := has(before.Listeners(), cache.Listener); len(got) != 0 {
			t.Errorf("listeners before there is a mesh: %v", got)
		}
		h.want(newMesh())
		after := h.Gateway(gateway(true))
		for name, door := range map[string]*publish.Door{"before the mesh": before, "after it": after} {
			for _, listener := range has(door.Listeners(), cache.Listener) {
				if listener == translate.ListenerExternal || listener == translate.ListenerInternal || listener == translate.ListenerControl {
					t.Errorf("a door that began %s has the listener %s while it is closed", name, listener)
				}
			}
		}
		before.Open()
		before.Open()
		for _, listener := range []string{translate.ListenerExternal, translate.ListenerInternal, translate.ListenerControl} {
			if got := has(before.Listeners(), cache.Listener); !slices.Contains(got, listener) {
				t.Errorf("after Open: %s is not among %v", listener, got)
			}
		}
		if got := has(after.Listeners(), cache.Listener); slices.Contains(got, translate.ListenerExternal) {
			t.Error("the proof of one Envoy opened the doors of another")
		}
		before.Close()
		before.Close()
		if got := has(before.Listeners(), cache.Listener); slices.Contains(got, translate.ListenerExternal) || slices.Contains(got, translate.ListenerInternal) {
			t.Errorf("after Close: %v", got)
		}
	})
}

func TestASettingReachesTheListenersOfConnectedEnvoysAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, nil)
		h.want(newMesh())
		here, gone := h.Gateway(gateway(false)), h.Gateway(gateway(false))
		version := func(d *publish.Door) string {
			return d.Listeners().Get(cache.Key{Type: cache.Listener, Name: translate.ListenerExternal}).Version
		}
		first := version(here)
		if first != version(gone) {
			t.Fatal("two equal gateways have different listeners")
		}
		gone.Release()
		gone.Release()
		h.want(with(newMeshWith(h, 0), "one", "v1"))
		if version(here) != first {
			t.Error("a mesh with equal settings changed a listener")
		}
		h.want(newMeshWith(h, time.Minute))
		if version(here) == first {
			t.Error("a changed setting did not reach the listener")
		}
		if version(gone) != first {
			t.Error("a released door was served")
		}
	})
}

// newMeshWith is a mesh whose streams may idle that long.
func newMeshWith(_ *house, idle time.Duration) *mesh.Mesh {
	m := newMesh()
	m.Settings.StreamIdle = idle
	return m
}

func TestFiguresTellWhatIsThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		h := start(t, func(c *publish.Config) { c.Metrics = registry })
		m := with(newMesh(), "one", "v1")
		m.Problems = m.Problems.With("x", &mesh.Problem{Object: live.Ref{Kind: "Pod", Name: "p"}})
		h.want(m)
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			for _, metric := range f.GetMetric() {
				var label strings.Builder
				for _, l := range metric.GetLabel() {
					label.WriteString("/" + l.GetValue())
				}
				switch {
				case metric.GetGauge() != nil:
					got[f.GetName()+label.String()] = metric.GetGauge().GetValue()
				case metric.GetHistogram() != nil:
					got[f.GetName()+label.String()] = float64(metric.GetHistogram().GetSampleCount())
				}
			}
		}
		want := map[string]float64{
			"entente_xds_translate_seconds": 1, "entente_xds_commit_delay_seconds": 1, "entente_mesh_problems": 1,
		}
		for _, kind := range []cache.Type{cache.Cluster, cache.Endpoint, cache.Secret, cache.Filter, cache.Route} {
			want["entente_xds_resources/"+kind.String()] = float64(len(has(h.cache, kind)))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("figures (-want +got):\n%s", diff)
		}
	})
}

func TestAPublisherNeedsASourceAndACache(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]publish.Config{
		"no source": {Cache: cache.New(nil)},
		"no cache":  {Wanted: new(latest.Value[publish.Wanted]).Get},
	} {
		if _, err := publish.New(cfg); err == nil {
			t.Errorf("%s: New found nothing wrong", name)
		}
	}
	if _, err := publish.New(publish.Config{Wanted: new(latest.Value[publish.Wanted]).Get, Cache: cache.New(nil)}); err != nil {
		t.Error(fmt.Errorf("the rest may be left out: %w", err))
	}
}
