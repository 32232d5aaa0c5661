package mesh_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/internal/sorted"
	"github.com/entente-mesh/entente/mesh"
)

// TestTheWayToTheObjectsDoesNotMatter changes objects at random, many at a time or one, and compares the mesh that followed the changes with
// one from nothing. Pieces that say the same must be the same.
func TestTheWayToTheObjectsDoesNotMatter(t *testing.T) {
	t.Parallel()
	walks, steps := 8, 200
	if os.Getenv("ENTENTE_LONG") == "1" {
		walks, steps = 200, 1000
	}
	certs := worldCerts(t)
	for range walks {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(rand.New(rand.NewPCG(seed, 0)), certs)
			var m *mesh.Mesh
			last := ""
			for step := range steps {
				for range 1 + w.IntN(3)*w.IntN(4) {
					w.change()
				}
				before := m
				m = mesh.Compile(w.o, m)
				got, want := dump(t, m), dump(t, mesh.Compile(w.o, nil))
				if diff := cmp.Diff(want, got); diff != "" {
					t.Fatalf("step %d: the followed mesh differs from one made from nothing (-nothing +followed):\n%s", step, diff)
				}
				if before != nil {
					w.keeps(t, before, m)
					if same := before.Same(m); same != (got == last && before.Settings == m.Settings) {
						t.Fatalf("step %d: Same says %v", step, same)
					}
				}
				last = got
			}
		})
	}
}

// A world is a domain whose objects change at random. Few names make many meetings.
type world struct {
	*rand.Rand
	o     mesh.Objects
	certs []*v1alpha1.MTLSConfig
}

func newWorld(r *rand.Rand, certs []*v1alpha1.MTLSConfig) *world {
	w := &world{Rand: r, certs: certs}
	w.o.Settings = &mesh.Settings{Domain: "bob"}
	w.o.Now = now
	return w
}

func worldCerts(t *testing.T) []*v1alpha1.MTLSConfig {
	t.Helper()
	a := issue(t, ecKey(t), now.AddDate(0, 0, -1), now.AddDate(0, 0, 1))
	b := issue(t, ecKey(t), now.AddDate(0, 0, 1), now.AddDate(0, 0, 2))
	return []*v1alpha1.MTLSConfig{
		nil,
		{SourceClientCert: b64(a.cert), SourceClientPrivateKey: b64(a.key), TLSCA: b64(b.cert)},
		{SourceClientCert: b64(b.cert), SourceClientPrivateKey: b64(b.key)},
		{SourceClientCert: b64(a.cert), SourceClientPrivateKey: b64(b.key)},
		{SourceClientCert: b64(a.cert)},
	}
}

func (w *world) change() {
	switch w.IntN(24) {
	case 0, 1, 2, 3:
		name := pick(w, "web", "db", "apiserver", "transport", "Bad Name")
		w.o.Services = toggle(w, w.o.Services, name, w.service)
	case 4, 5, 6, 7:
		service := pick(w, "web", "db", "apiserver", "absent")
		w.o.Slices = toggle(w, w.o.Slices, mesh.SliceKey(service, pick(w, "1", "2")), w.slice)
	case 8, 9:
		w.o.Pods = toggle(w, w.o.Pods, pick(w, "p1", "p2"), w.pod)
	case 10:
		w.o.Gateways = toggle(w, w.o.Gateways, pick(w, "g1", "g2"), w.gateway)
	case 11, 12, 13, 14, 15, 16, 17, 18:
		w.o.Routes = toggle(w, w.o.Routes, pick(w, "r1", "r2", "r3", "r4", "r5"), w.route)
	case 19, 20, 21:
		sealed := w.sealed()
		if _, ok := w.o.Opened.Get(sealed); ok {
			w.o.Opened = w.o.Opened.Without(sealed)
		} else if opened, ok := open(sealed); ok {
			w.o.Opened = w.o.Opened.With(sealed, opened)
		}
	case 22:
		begin, end := now.AddDate(0, 0, -1), now.AddDate(0, 0, 1)
		w.o.Now = pick(w, now, begin, begin.Add(-time.Second), end, end.Add(time.Second), now.AddDate(1, 0, 0), time.Time{})
	case 23:
		if w.IntN(4) == 0 {
			w.o.Settings = w.settings()
		}
	}
}

func pick[T any](w *world, choice ...T) T { return choice[w.IntN(len(choice))] }

// toggle removes an object or puts a new one; sometimes one that says the same.
func toggle[V comparable](w *world, m sorted.Map[V], key string, made func(key string) V) sorted.Map[V] {
	if w.IntN(5) == 0 {
		return m.Without(key)
	}
	return m.With(key, made(key))
}

func (w *world) settings() *mesh.Settings {
	s := &mesh.Settings{Domain: pick(w, "bob", "bob", "alice"), DomainKey: mesh.Hide(pick(w, "", "key"))}
	if w.IntN(2) == 0 {
		s.Builtins = []mesh.Builtin{{Name: "apiserver", Socket: "/s"}, {Name: "reporter", Socket: "/r", External: true}}
	}
	if w.IntN(2) == 0 {
		s.Whitelist = []mesh.Upstream{{Prefix: netip.MustParsePrefix("10.0.0.0/30"), Ports: []uint16{80}}, {Host: "x.example"}}
	}
	return s
}

func (w *world) service(name string) *corev1.Service {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, ResourceVersion: fmt.Sprint(w.Uint64())}}
	s.Labels = map[string]string{names.LabelPortScope: pick(w, "", "Cluster", "Domain", "nonsense")}
	s.Annotations = map[string]string{
		names.AnnotationProtocol:      pick(w, "", "GRPC", "nonsense"),
		names.AnnotationAccessDomain:  pick(w, "", "alice", "alice,x y", ","),
		names.BandwidthLimit("alice"): pick(w, "1", "x"), names.BandwidthLimit("carol"): pick(w, "1", "y"),
		names.AnnotationTaskID: pick(w, "", "t"), names.AnnotationReadyTime: fmt.Sprint(w.Uint64()),
	}
	s.Spec = corev1.ServiceSpec{ClusterIP: pick(w, "None", "", "10.0.0.1", "x"), Ports: []corev1.ServicePort{{Port: pick[int32](w, 0, 80)}}}
	if w.IntN(4) == 0 {
		s.Spec.Type, s.Spec.ExternalName = corev1.ServiceTypeExternalName, pick(w, "x.example", "10.0.0.1", "")
	}
	return s
}

func (w *world) slice(string) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{Ports: []discoveryv1.EndpointPort{{Port: new(pick[int32](w, 80, 81, 0))}}}
	for range w.IntN(3) {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{pick(w, "10.0.0.1", "10.0.0.2", "10.0.0.9", "x")}, Hostname: new(pick(w, "", "a", "b")),
			Conditions: discoveryv1.EndpointConditions{Ready: new(w.IntN(4) > 0)},
		})
	}
	return s
}

func (w *world) pod(name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{Hostname: pick(w, "", "h", "X")},
		Status: corev1.PodStatus{Phase: pick(w, corev1.PodRunning, corev1.PodFailed), PodIP: pick(w, "", "10.1.0.1", "x")},
	}
}

func (w *world) gateway(name string) *v1alpha1.Gateway {
	return &v1alpha1.Gateway{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Status:     v1alpha1.GatewayStatus{Address: pick(w, "", "10.2.0.1", "x"), HeartbeatTime: metav1.NewTime(now.Add(time.Duration(w.IntN(1e9))))},
	}
}

func (w *world) sealed() string {
	return "sealed:" + pick(w, "one", "two", "one@again", "three", "broken", "short")
}

func (w *world) route(name string) *v1alpha1.DomainRoute {
	r := &v1alpha1.DomainRoute{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{names.AnnotationTransitTo: pick(w, "", "*", "x", "x y")}}}
	r.Spec.Source, r.Spec.Destination = pick(w, "bob", "bob", "alice", "carol", "X"), pick(w, "bob", "alice", "carol", "dave")
	r.Spec.AuthenticationType = pick(w, v1alpha1.AuthToken, v1alpha1.AuthToken, v1alpha1.AuthToken, v1alpha1.AuthNone, v1alpha1.AuthMTLS, "x")
	r.Spec.Endpoint = v1alpha1.RouteEndpoint{Host: pick(w, "", "h.example", "10.0.0.1", "-"), Ports: []v1alpha1.RoutePort{
		{Name: "http", Port: pick(w, 1080, 0), Protocol: v1alpha1.PortHTTP, IsTLS: w.IntN(2) == 0},
		{Name: "grpc", Port: 1081, Protocol: v1alpha1.PortGRPC},
	}}
	r.Spec.MTLSConfig = pick(w, w.certs...)
	if w.IntN(3) == 0 {
		r.Spec.Transit = &v1alpha1.Transit{
			TransitMethod: pick(w, "", v1alpha1.TransitThirdDomain, v1alpha1.TransitReverseTunnel),
			Domain:        &v1alpha1.TransitDomain{DomainID: pick(w, "alice", "carol")},
		}
	}
	if w.IntN(4) == 0 {
		r.Spec.BodyEncryption = &v1alpha1.BodyEncryption{Algorithm: pick(w, v1alpha1.EncryptionAES, v1alpha1.EncryptionSM4)}
	}
	r.Spec.SourceWhiteIPList = pick(w, nil, []string{"10.0.0.0/8", "x"}, []string{"x"})
	for i := range w.IntN(3) {
		r.Status.TokenStatus.Tokens = append(r.Status.TokenStatus.Tokens, v1alpha1.RouteToken{Token: pick(w, w.sealed(), "waits", ""), Revision: int64(i)})
	}
	return r
}

// keeps holds two successive meshes against each other: what says the same is the same.
func (w *world) keeps(t *testing.T, before, after *mesh.Mesh) {
	t.Helper()
	kept(t, before.Services, after.Services)
	kept(t, before.Endpoints, after.Endpoints)
	kept(t, before.Pods, after.Pods)
	kept(t, before.Gateways, after.Gateways)
	kept(t, before.Outbound, after.Outbound)
	kept(t, before.Inbound, after.Inbound)
	kept(t, before.Tokens, after.Tokens)
	kept(t, before.Keys, after.Keys)
	kept(t, before.Problems, after.Problems)
	for name, r := range after.Outbound.All() {
		if r.Via != "" {
			if by, ok := after.Outbound.Get(r.Via); !ok || by.Via != "" {
				t.Errorf("the route to %s leads through %s, to which there is no direct one", name, r.Via)
			}
		}
		if was, ok := before.Outbound.Get(name); ok && was.TLS != nil && r.TLS != nil && *was.TLS == *r.TLS && was.TLS != r.TLS {
			t.Errorf("the TLS of the route to %s says the same and is another", name)
		}
	}
}

func kept[P comparable](t *testing.T, before, after sorted.Map[P]) {
	t.Helper()
	plain := cmp.Options{cmp.AllowUnexported(mesh.Secret{}), whole[netip.Addr](), whole[netip.AddrPort](), whole[netip.Prefix]()}
	for change := range sorted.Diff(before, after) {
		if change.In && change.Out && cmp.Equal(change.Old, change.New, plain) {
			t.Errorf("%T %s says the same and is another", change.New, change.Key)
		}
	}
}

func whole[T comparable]() cmp.Option { return cmp.Comparer(func(a, b T) bool { return a == b }) }
