package translate_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/translate"
)

// base is a mesh with a bit of everything.
func base() *mesh.Mesh {
	m := &mesh.Mesh{Settings: &mesh.Settings{Domain: "alice", Authorities: "(authorities)"}}
	withService(m, "open", func(*mesh.Service) {})
	withService(m, "closed", restricted("bob"))
	withRoute(m, "bob")
	withToken(m, "bob", 1)
	withAccepted(m, "carol", 1)
	m.Inbound = m.Inbound.With("carol", inbound("carol"))
	m.Pods = m.Pods.With("pod", pod("pod", "10.0.0.9"))
	return m
}

func withService(m *mesh.Mesh, name string, change func(*mesh.Service)) {
	s := &mesh.Service{
		Ref: live.Ref{Kind: mesh.KindService, Namespace: "alice", Name: name}, Name: name, Protocol: mesh.HTTP,
		Affinity: mesh.Affinity{Header: "Kuscia-Session-Id"},
	}
	change(s)
	m.Services = m.Services.With(name, s)
	withEndpoints(m, name, 1)
}

func restricted(callers ...string) func(*mesh.Service) {
	return func(s *mesh.Service) { s.Restricted, s.Callers = true, callers }
}

func withEndpoints(m *mesh.Mesh, service string, n int) {
	e := &mesh.Endpoints{Ref: live.Ref{Kind: mesh.KindService, Namespace: "alice", Name: service, Version: fmt.Sprint(n)}, Service: service}
	for i := range n {
		e.Ready = append(e.Ready, mesh.Endpoint{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(n), byte(i + 1)}), 8080)})
	}
	m.Endpoints = m.Endpoints.With(service, e)
}

func outbound(destination string) *mesh.Route {
	return &mesh.Route{
		Ref:  live.Ref{Kind: mesh.KindRoute, Namespace: "alice", Name: "alice-" + destination},
		Name: "alice-" + destination, Source: "alice", Destination: destination, Protocol: mesh.Kuscia, Auth: mesh.AuthToken,
		Host: "192.0.2.1", Hops: []mesh.Hop{{Name: "http", Port: 1080, Handshake: true}},
	}
}

func inbound(source string) *mesh.Route {
	return &mesh.Route{
		Ref:  live.Ref{Kind: mesh.KindRoute, Namespace: "alice", Name: source + "-alice"},
		Name: source + "-alice", Source: source, Destination: "alice", Protocol: mesh.Kuscia, Auth: mesh.AuthToken,
	}
}

func withRoute(m *mesh.Mesh, destination string) {
	m.Outbound = m.Outbound.With(destination, outbound(destination))
}

// secretText is a token as base64 of 32 bytes would look; its first character follows n.
func secretText(n int) string {
	return string(translate.Shards[n%len(translate.Shards)]) + strings.Repeat("x", 33) + fmt.Sprintf("%09d", n) + "="
}

func withToken(m *mesh.Mesh, destination string, revision int) {
	m.Tokens = m.Tokens.With(destination, &mesh.Tokens{
		Destination: destination, Current: mesh.Hide(secretText(revision)),
		Credential: live.Ref{Kind: live.KindCredential, Namespace: "alice", Name: "alice-" + destination, Version: fmt.Sprint(revision)},
	})
}

func withAccepted(m *mesh.Mesh, source string, revision int) {
	m.Accepted = m.Accepted.With(secretText(revision), mesh.Accepted{
		Source: source, Credential: live.Ref{Kind: live.KindCredential, Namespace: "alice", Name: source + "-alice", Version: fmt.Sprint(revision)},
	})
}

func pod(name, address string) *mesh.Pod {
	return &mesh.Pod{Name: name, Hostname: name, Addresses: []netip.Addr{netip.MustParseAddr(address)}}
}

// next is a mesh that differs from m by the change, as a compiler would make it.
func next(m *mesh.Mesh, change func(*mesh.Mesh)) *mesh.Mesh {
	n := *m
	change(&n)
	return &n
}

// namesIn are what a delta sets and deletes, in its order.
func namesIn(d cache.Delta) []string {
	var list []string
	for _, r := range d.Set {
		list = append(list, "set "+folders[r.Type]+"/"+r.Name)
	}
	for _, k := range d.Delete {
		list = append(list, "delete "+folders[k.Type]+"/"+k.Name)
	}
	return list
}

func TestAChangeTouchesWhatDependsOnItAndNothingElse(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*mesh.Mesh)
		want   []string
	}{
		"nothing changes": {func(*mesh.Mesh) {}, nil},
		"an endpoint comes": {
			func(m *mesh.Mesh) { withEndpoints(m, "open", 2) },
			[]string{"set eds/open.alice.svc"},
		},
		"a service that everybody may call comes": {
			func(m *mesh.Mesh) { withService(m, "new", func(*mesh.Service) {}) },
			[]string{"set cds/new.alice.svc", "set eds/new.alice.svc"},
		},
		"a service that everybody may call goes": {
			func(m *mesh.Mesh) { m.Services, m.Endpoints = m.Services.Without("open"), m.Endpoints.Without("open") },
			[]string{"delete cds/open.alice.svc", "delete eds/open.alice.svc"},
		},
		"a service is restricted": {
			func(m *mesh.Mesh) { withService(m, "open", restricted()) },
			[]string{"set cds/svc/open", "set eds/open.alice.svc", "set rds/egress", "set rds/external", "set rds/internal", "delete cds/open.alice.svc"},
		},
		"a service is opened": {
			func(m *mesh.Mesh) { withService(m, "closed", func(*mesh.Service) {}) },
			[]string{"set cds/closed.alice.svc", "set eds/closed.alice.svc", "set rds/egress", "set rds/external", "set rds/internal", "delete cds/svc/closed"},
		},
		"a service becomes a name outside": {
			func(m *mesh.Mesh) {
				withService(m, "closed", func(s *mesh.Service) {
					s.Restricted, s.ExternalName, s.Ports = true, "db.example.com", []mesh.Port{{Number: 80}}
				})
				m.Endpoints = m.Endpoints.Without("closed")
			},
			[]string{"set cds/svc/closed", "set rds/egress", "set rds/external", "set rds/internal", "delete eds/closed.alice.svc"},
		},
		"an outbound token is exchanged": {
			func(m *mesh.Mesh) { withToken(m, "bob", 2) },
			[]string{"set sds/egress-token/bob"},
		},
		"an outbound token is revoked": {
			func(m *mesh.Mesh) { m.Tokens = m.Tokens.Without("bob") },
			[]string{"set sds/egress-token/bob"},
		},
		"an inbound token is added": {
			func(m *mesh.Mesh) { withAccepted(m, "carol", 2) },
			[]string{"set ecds/inbound-auth/C"},
		},
		"an inbound token is exchanged": {
			func(m *mesh.Mesh) { withAccepted(m, "carol", 2); m.Accepted = m.Accepted.Without(secretText(1)) },
			[]string{"set ecds/inbound-auth/B", "set ecds/inbound-auth/C"},
		},
		"a pod comes": {
			func(m *mesh.Mesh) { m.Pods = m.Pods.With("new", pod("new", "10.0.0.10")) },
			[]string{"set ecds/admission"},
		},
		"a pod is called differently": {
			func(m *mesh.Mesh) {
				renamed := pod("pod", "10.0.0.9")
				renamed.Hostname = "other"
				m.Pods = m.Pods.With("pod", renamed)
			},
			nil,
		},
		"a gateway moves": {
			func(m *mesh.Mesh) {
				m.Gateways = m.Gateways.With("gw", &mesh.Gateway{Name: "gw", Address: netip.MustParseAddr("10.0.0.1")})
			},
			[]string{"set ecds/admission"},
		},
		"a partner to call comes": {
			func(m *mesh.Mesh) { withRoute(m, "dave") },
			[]string{
				"set cds/alice-to-dave-http", "set cds/hs/alice-to-dave", "set sds/egress-token/dave",
				"set rds/egress", "set rds/external", "set rds/internal",
			},
		},
		"a partner to call goes": {
			func(m *mesh.Mesh) { m.Outbound, m.Tokens = m.Outbound.Without("bob"), m.Tokens.Without("bob") },
			[]string{
				"set rds/egress", "set rds/external", "set rds/internal",
				"delete cds/alice-to-bob-http", "delete cds/hs/alice-to-bob", "delete sds/egress-token/bob",
			},
		},
		"a route needs no token any more": {
			func(m *mesh.Mesh) {
				r := outbound("bob")
				r.Auth = mesh.AuthNone
				m.Outbound, m.Tokens = m.Outbound.With("bob", r), m.Tokens.Without("bob")
			},
			[]string{
				"set cds/alice-to-bob-http", "set cds/hs/alice-to-bob", "set rds/egress", "set rds/external", "set rds/internal",
				"delete sds/egress-token/bob",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := base()
			delta, faults := translate.Delta(m, next(m, c.change))
			if len(faults) > 0 {
				t.Errorf("faults: %v", faults)
			}
			if diff := cmp.Diff(c.want, namesIn(delta)); diff != "" {
				t.Errorf("Delta (-want +got):\n%s", diff)
			}
		})
	}
}

// store is what a sequence of deltas makes, as bytes.
type store map[cache.Key]string

func (s store) apply(t testing.TB, d cache.Delta) {
	t.Helper()
	seen := map[cache.Key]bool{}
	for _, r := range d.Set {
		body, err := proto.MarshalOptions{Deterministic: true}.Marshal(r.Body)
		if err != nil {
			t.Fatalf("%v: %v", r.Key, err)
		}
		s[r.Key] = fmt.Sprint(r.Secret, r.Follow, r.From) + string(body)
		if seen[r.Key] {
			t.Fatalf("the delta holds %v twice", r.Key)
		}
		seen[r.Key] = true
	}
	for _, k := range d.Delete {
		delete(s, k)
		if seen[k] {
			t.Fatalf("the delta holds %v twice", k)
		}
		seen[k] = true
	}
}

func TestDeltasOfARandomHistoryAddUpToTheWholePicture(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	m := base()
	got := store{}
	first, _ := translate.Delta(nil, m)
	got.apply(t, first)
	for step := range 400 {
		n := m
		for range 1 + random.IntN(3) {
			n = next(n, anyChange(random))
		}
		delta, _ := translate.Delta(m, n)
		got.apply(t, delta)
		want := store{}
		whole, _ := translate.Delta(nil, n)
		want.apply(t, whole)
		if !maps.Equal(want, got) {
			t.Fatalf("seed %d: step %d: the deltas do not add up:\n%s", seed, step, cmp.Diff(slices.Sorted(keys(want)), slices.Sorted(keys(got))))
		}
		m = n
	}
}

func keys(s store) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range s {
			if !yield(folders[k.Type] + "/" + k.Name) {
				return
			}
		}
	}
}

// anyChange is something that may happen to a mesh, sound or not.
func anyChange(random *rand.Rand) func(*mesh.Mesh) {
	service := fmt.Sprintf("s%d", random.IntN(4))
	domain := fmt.Sprintf("d%d", random.IntN(4))
	n := random.IntN(200)
	kinds := []func(*mesh.Mesh){
		func(m *mesh.Mesh) { withService(m, service, func(*mesh.Service) {}) },
		func(m *mesh.Mesh) { withService(m, service, restricted("d0", "d1")) },
		func(m *mesh.Mesh) {
			withService(m, service, func(s *mesh.Service) {
				s.ExternalName, s.Protocol, s.Ports = "x.example.com", mesh.HTTPS, []mesh.Port{{Number: 443}}
			})
			m.Endpoints = m.Endpoints.Without(service)
		},
		func(m *mesh.Mesh) { withService(m, service, func(s *mesh.Service) { s.Affinity.Header = "a b" }) }, // no header's name
		func(m *mesh.Mesh) {
			m.Services, m.Endpoints = m.Services.Without(service), m.Endpoints.Without(service)
		},
		func(m *mesh.Mesh) { withEndpoints(m, service, random.IntN(4)) },
		func(m *mesh.Mesh) { withRoute(m, domain) },
		func(m *mesh.Mesh) {
			r := outbound(domain)
			r.Hops = []mesh.Hop{{Name: "grpc", Port: 1, GRPC: true, TLS: true}, {Name: "http", Port: 2}}
			r.GRPCDegrade, r.TLS = true, &mesh.ClientTLS{Certificate: "c", Key: mesh.Hide("k"), CA: "a"}
			m.Outbound = m.Outbound.With(domain, r)
		},
		func(m *mesh.Mesh) {
			r := outbound(domain)
			r.Via, r.Hops = "bob", nil
			m.Outbound = m.Outbound.With(domain, r)
		},
		func(m *mesh.Mesh) {
			r := outbound(domain)
			r.Auth = mesh.AuthNone
			m.Outbound = m.Outbound.With(domain, r)
		},
		func(m *mesh.Mesh) { m.Outbound, m.Tokens = m.Outbound.Without(domain), m.Tokens.Without(domain) },
		func(m *mesh.Mesh) { withToken(m, domain, n) },
		func(m *mesh.Mesh) { m.Tokens = m.Tokens.Without(domain) },
		func(m *mesh.Mesh) { withAccepted(m, domain, n) },
		func(m *mesh.Mesh) { m.Accepted = m.Accepted.Without(secretText(n)) },
		func(m *mesh.Mesh) { m.Inbound = m.Inbound.With(domain, inbound(domain)) },
		func(m *mesh.Mesh) {
			r := inbound(domain)
			r.TransitTo = []string{"*"}
			m.Inbound = m.Inbound.With(domain, r)
		},
		func(m *mesh.Mesh) { m.Inbound = m.Inbound.Without(domain) },
		func(m *mesh.Mesh) { m.Pods = m.Pods.With(service, pod(service, fmt.Sprintf("10.1.0.%d", n))) },
		func(m *mesh.Mesh) { m.Pods = m.Pods.Without(service) },
		func(m *mesh.Mesh) {
			m.Gateways = m.Gateways.With(service, &mesh.Gateway{Name: service, Address: netip.AddrFrom4([4]byte{10, 2, 0, byte(n)})})
		},
		func(m *mesh.Mesh) {
			s := *m.Settings
			s.Master = n%2 == 0
			if s.ExternalTLS = nil; n%3 == 0 {
				s.ExternalTLS = &mesh.ServerTLS{Certificate: "c", Key: mesh.Hide("k"), ClientCA: "a"}
			}
			m.Settings = &s
		},
	}
	return kinds[random.IntN(len(kinds))]
}

func TestTwoPartnersNeverShareACluster(t *testing.T) {
	t.Parallel()
	r, s := outbound("bob"), outbound("x-bob")
	for _, ports := range [][2]string{{"y", "y"}, {"bob-y", "y"}, {"y", "bob-y"}, {"x-bob-y", "y"}, {"y-", "y"}} {
		a, b := translate.HopCluster(r, mesh.Hop{Name: ports[0]}), translate.HopCluster(s, mesh.Hop{Name: ports[1]})
		if a == b {
			t.Errorf("port %s of bob and port %s of x-bob share the cluster %s", ports[0], ports[1], a)
		}
	}
	if got, want := translate.HopCluster(outbound("b"), mesh.Hop{Name: "o-b"}), translate.HopCluster(outbound("b-o"), mesh.Hop{Name: "b"}); got == want {
		t.Errorf("port o-b of b and port b of b-o share the cluster %s", got)
	}
	if got := translate.HopCluster(r, mesh.Hop{Name: "x.alice.svc"}); !strings.Contains(got, "/") {
		t.Errorf("the cluster %s of a port looks like that of an open service", got)
	}
	if got, want := translate.HopCluster(r, mesh.Hop{Name: "http"}), "alice-to-bob-http"; got != want {
		t.Errorf("HopCluster = %s, want the original's name %s", got, want)
	}
}

func TestABadPieceIsReportedAndTheOthersGoOut(t *testing.T) {
	t.Parallel()
	m := base()
	bad := outbound("bad")
	bad.Hops[0].Prefix = "/a\nb"
	n := next(m, func(m *mesh.Mesh) {
		m.Outbound = m.Outbound.With("bad", bad)
		withService(m, "new", func(*mesh.Service) {})
	})
	delta, faults := translate.Delta(m, n)
	got := namesIn(delta)
	for _, name := range got {
		if strings.Contains(name, "-to-bad") {
			t.Errorf("%s: a resource of the bad route left", name)
		}
	}
	if !slices.Contains(got, "set cds/new.alice.svc") {
		t.Errorf("the good service is missing in %v", got)
	}
	if len(faults) == 0 || faults[0].Object != bad.Ref {
		t.Errorf("faults = %v, want one of %v", faults, bad.Ref)
	}
	if delta, _ := translate.Delta(next(m, func(m *mesh.Mesh) { withRoute(m, "bad") }), n); !slices.Contains(namesIn(delta), "delete cds/alice-to-bad-http") {
		t.Errorf("what stood in the place of the bad piece stays: %v", namesIn(delta))
	}
}
