package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/internal/lab/envoy"
)

// twoDomains are a caller and a callee, joined, served by one fleet, with their Envoys running.
func twoDomains(t *testing.T, story string, gateways int) (f *fleet, alice, bob *domain) {
	t.Helper()
	envoy.Binary(t) // skips
	f = newFleet(t)
	alice, bob = f.newDomain(t, "alice-"+story, gateways), f.newDomain(t, "bob-"+story, gateways)
	alice.found(t)
	bob.found(t)
	join(t, alice, bob, bob.gateways[0])
	bob.serve(t, "work")
	f.start(t)
	alice.start(t)
	bob.start(t)
	return f, alice, bob
}

func TestOneFleetCarriesRequestsBetweenItsDomains(t *testing.T) {
	t.Parallel()
	f, alice, bob := twoDomains(t, "carry", 2)
	for _, g := range alice.gateways {
		g.awaitCall(t, "work", bob)
	}

	// The route moves to bob's other gateway, which knows alice's token too.
	route := &v1alpha1.DomainRoute{}
	if err := api.Get(t.Context(), client.ObjectKey{Namespace: alice.id, Name: names.DomainRoute(alice.id, bob.id)}, route); err != nil {
		t.Fatal(err)
	}
	base := route.DeepCopy()
	route.Spec.Endpoint = endpoint(t, bob.gateways[1])
	if err := api.Patch(t.Context(), route, client.MergeFrom(base)); err != nil {
		t.Fatal(err)
	}
	const counter = "http.external_http.downstream_rq_2xx"
	served := func() int64 { return bob.gateways[1].envoy.Stats("^" + counter + "$")[counter] }
	for _, g := range alice.gateways {
		before := served()
		await(t, func(ctx context.Context) error {
			if err := g.call(ctx, "work", bob); err != nil {
				return err
			}
			if served() == before {
				return errors.New("bob's second gateway has served nothing")
			}
			return nil
		})
	}

	for _, d := range []*domain{alice, bob} {
		for _, g := range d.gateways {
			await(t, func(ctx context.Context) error {
				s, err := f.status(ctx)
				if doors, reason := s.doors(d.id, g.name); doors != "proved" {
					return errors.Join(err, fmt.Errorf("the doors of %s of %s are %s: %s", g.name, d.id, doors, reason))
				}
				return api.Get(ctx, client.ObjectKey{Namespace: d.id, Name: g.name}, &v1alpha1.Gateway{})
			})
		}
	}
	checkFigures(t, f, alice, bob)
}

// checkFigures checks what people and Prometheus are shown of a fleet that works.
func checkFigures(t *testing.T, f *fleet, alice, bob *domain) {
	t.Helper()
	out, complaint, code := f.run(t, "gateway", "status", "--home", f.home())
	if code != 0 {
		t.Errorf("status ended with %d: %s", code, complaint)
	}
	for _, want := range []string{"STREAMS  4, of which 0 are behind", "doors proved", "p99"} {
		if !strings.Contains(out, want) {
			t.Errorf("the status does not show %q:\n%s", want, out)
		}
	}
	s, err := f.status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, sent := range s.Types {
		if sent.Rejections != 0 {
			t.Errorf("Envoys have rejected %d responses of type %s", sent.Rejections, sent.Type)
		}
	}
	i := slices.IndexFunc(s.Parts, func(p struct{ Name string }) bool { return strings.HasPrefix(p.Name, "figures on ") })
	if i < 0 {
		t.Fatalf("no figures among the parts %v", s.Parts)
	}
	answer, err := http.Get(strings.TrimPrefix(s.Parts[i].Name, "figures on "))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text := new(strings.Builder)
	if err := answer.Write(text); err != nil {
		t.Fatal(err)
	}
	problems := func(d *domain) string { return fmt.Sprintf("entente_mesh_problems{domain=%q} 0", d.id) }
	for _, want := range []string{`entente_xds_streams{dialect="delta"} 4`, problems(alice), problems(bob)} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the figures do not show %s", want)
		}
	}
}

// TestARestartedFleetSendsOnlyWhatChanged: Envoys come back with the versions that they hold, to a process that has never seen them.
func TestARestartedFleetSendsOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	f, alice, bob := twoDomains(t, "restart", 1)
	caller, callee := alice.gateways[0], bob.gateways[0]
	caller.awaitCall(t, "work", bob)
	callee.awaitCall(t, "work", bob) // its own admission is the last that comes
	first, err := f.status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := callee.updated(t)

	f.stop(t)
	f.start(t)
	await(t, func(ctx context.Context) error {
		s, err := f.status(ctx)
		if err == nil && (s.Streams != 2 || s.Pending != 0) {
			err = fmt.Errorf("%d of 2 Envoys came back, %d have not confirmed everything", s.Streams, s.Pending)
		}
		return err
	})
	if diff := cmp.Diff(before, callee.updated(t)); diff != "" {
		t.Errorf("what the restart has changed at bob's Envoy (-before +after):\n%s", diff)
	}
	second, err := f.status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("sent to two Envoys: %d bytes at first, %d after the restart", first.bytes(), second.bytes())
	if second.bytes() > first.bytes()/20 {
		t.Errorf("%d bytes were sent after the restart, of %d at first", second.bytes(), first.bytes())
	}

	f.stop(t)
	caller.awaitCall(t, "work", bob)
	bob.serve(t, "meanwhile")
	f.start(t)
	caller.awaitCall(t, "meanwhile", bob)
	after := callee.updated(t)
	for name := range after {
		// The names that a host outside has are in the tables of routes.
		if strings.Contains(name, "meanwhile") || strings.HasPrefix(name, "dynamic_route_configs") {
			delete(after, name)
			delete(before, name)
		}
	}
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("what a service that came meanwhile has changed at bob's Envoy, beside itself (-before +after):\n%s", diff)
	}
}

// updated is when the gateway's Envoy last took each of its resources, by kind and name.
func (g *gateway) updated(t *testing.T) map[string]string {
	t.Helper()
	var dump struct{ Configs []map[string]json.RawMessage }
	if err := json.Unmarshal(g.envoy.ConfigDump(), &dump); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, section := range dump.Configs {
		for kind, raw := range section {
			var entries []struct {
				Name        string
				Updated     string `json:"last_updated"`
				Version     string `json:"version_info"`
				Cluster     struct{ Name string }
				ActiveState struct {
					Updated string `json:"last_updated"`
					Version string `json:"version_info"`
				} `json:"active_state"`
				Route struct{ Name string } `json:"route_config"`
			}
			if !strings.HasPrefix(kind, "dynamic_") && kind != "ecds_filters" || json.Unmarshal(raw, &entries) != nil {
				continue
			}
			for i, e := range entries {
				name := fmt.Sprintf("%s %s%s%s", kind, e.Name, e.Cluster.Name, e.Route.Name)
				if kind == "ecds_filters" {
					name = fmt.Sprintf("%s %d", kind, i)
				}
				all[name] = e.Updated + e.Version + e.ActiveState.Updated + e.ActiveState.Version
			}
		}
	}
	if len(all) < 10 {
		t.Fatalf("the dump shows %d resources only: %v", len(all), all)
	}
	return all
}

// TestTrafficGoesOnWithoutTheServer: what serves the gateways is no part of the way of a request.
func TestTrafficGoesOnWithoutTheServer(t *testing.T) {
	t.Parallel()
	f, alice, bob := twoDomains(t, "killed", 1)
	caller := alice.gateways[0]
	caller.awaitCall(t, "work", bob)

	var passed atomic.Int64
	var failed atomic.Pointer[string]
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for range 2 {
		load.Go(func() {
			for ctx.Err() == nil {
				if err := caller.call(ctx, "work", bob); err != nil && ctx.Err() == nil {
					text := err.Error()
					failed.CompareAndSwap(nil, &text)
				}
				passed.Add(1)
			}
		})
	}
	more := func(n int64) {
		until := passed.Load() + n
		await(t, func(context.Context) error {
			if got := passed.Load(); got < until {
				return fmt.Errorf("%d of %d requests", got, until)
			}
			return nil
		})
	}
	more(50)
	f.kill()
	more(200)
	f.start(t)
	bob.serve(t, "afterwards")
	caller.awaitCall(t, "afterwards", bob)
	more(50)
	stop()
	load.Wait()
	if why := failed.Load(); why != nil {
		t.Errorf("a request failed: %s", *why)
	}
	t.Logf("%d requests passed", passed.Load())
}

// TestDomainsComeAndGoWhileTheFleetRuns: a new folder is a new domain, one that is gone is none, and a bad one concerns nobody else.
func TestDomainsComeAndGoWhileTheFleetRuns(t *testing.T) {
	t.Parallel()
	envoy.Binary(t) // skips
	f := newFleet(t)
	alice, bob := f.newDomain(t, "alice-late", 1), f.newDomain(t, "bob-late", 1)
	join(t, alice, bob, bob.gateways[0])
	bob.serve(t, "work")
	bob.found(t)
	broken := filepath.Join(f.domains(), "broken")
	if err := os.Mkdir(broken, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(broken, "domain.key"), []byte("no key"))
	f.start(t)
	bob.start(t)

	alice.found(t)
	alice.start(t) // returns when Envoy has been given everything
	alice.gateways[0].awaitCall(t, "work", bob)
	f.awaitDomain(t, "broken", "waiting", "domain.key")

	if err := os.RemoveAll(alice.folder()); err != nil {
		t.Fatal(err)
	}
	await(t, func(ctx context.Context) error {
		s, err := f.status(ctx)
		if err == nil && (s.Streams != 1 || len(s.Domains) != 2) {
			err = fmt.Errorf("%d streams of %d domains, want bob's alone", s.Streams, len(s.Domains))
		}
		return err
	})
	if err := alice.gateways[0].call(t.Context(), "work", bob); err != nil {
		t.Errorf("the Envoy of a domain that is served no more goes on with what it has: %v", err)
	}

	// And back: the Envoy that was sent away finds its domain again, and what is new.
	alice.found(t)
	bob.serve(t, "more")
	alice.gateways[0].awaitCall(t, "more", bob)
	f.awaitDomain(t, alice.id, "ready", "")
}

func TestADomainWithoutANamespaceIsSaidAndTriedAgain(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	lost := f.lostDomain(t, "lost", 0)
	lost.found(t)
	f.start(t)
	f.awaitDomain(t, lost.id, "waiting", "kubectl create namespace "+lost.id)
	lost.settle(t)
	f.awaitDomain(t, lost.id, "ready", "")
}

// awaitDomain waits until a domain is in a state, with a complaint that holds some words.
func (f *fleet) awaitDomain(t *testing.T, id, state, words string) {
	t.Helper()
	await(t, func(ctx context.Context) error {
		s, err := f.status(ctx)
		for _, d := range s.Domains {
			if d.Name == id && d.State == state && strings.Contains(d.Error, words) && (words != "" || d.Error == "") {
				return nil
			}
		}
		return errors.Join(err, fmt.Errorf("domain %s is not %s with %q: %+v", id, state, words, s.Domains))
	})
}

// TestAGatewayThatLetsEverybodyInIsShut: where the gateway's doors are said to be, something answers 200 to who has no token.
func TestAGatewayThatLetsEverybodyInIsShut(t *testing.T) {
	t.Parallel()
	envoy.Binary(t) // skips
	f := newFleet(t)
	d := f.newDomain(t, "open", 1)
	g := d.gateways[0]
	g.address = "127.0.0.2"
	_, port, err := net.SplitHostPort(g.external)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(g.address, port))
	if err != nil {
		t.Fatal(err)
	}
	everybody := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	var served sync.WaitGroup
	served.Go(func() { _ = everybody.Serve(listener) }) // it is closed below
	t.Cleanup(func() { _ = everybody.Close(); served.Wait() })

	d.found(t)
	f.start(t)
	g.start(t)
	await(t, func(ctx context.Context) error {
		s, err := f.status(ctx)
		if doors, reason := s.doors(d.id, g.name); doors != "shut" || !strings.Contains(reason, "status 200") {
			return errors.Join(err, fmt.Errorf("the doors are %q because %q", doors, reason))
		}
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", g.external)
		if err == nil {
			conn.Close()
			return errors.New("the listener for partners is still there")
		}
		return nil
	})
	if err := api.Get(t.Context(), client.ObjectKey{Namespace: d.id, Name: g.name}, &v1alpha1.Gateway{}); client.IgnoreNotFound(err) != nil || err == nil {
		t.Errorf("the gateway was published: %v", err)
	}
	if !strings.Contains(f.said.String(), "a gateway was shut") {
		t.Error("nobody was told")
	}

	// A corrected folder is a new beginning.
	g.address = "127.0.0.1"
	d.describe(t, d.folder())
	await(t, func(ctx context.Context) error {
		s, err := f.status(ctx)
		if doors, reason := s.doors(d.id, g.name); doors != "proved" {
			err = errors.Join(err, fmt.Errorf("the doors are %q because %q", doors, reason))
		}
		return err
	})
}
