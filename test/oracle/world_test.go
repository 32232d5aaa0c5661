package oracle

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/internal/sorted"
	"github.com/entente-mesh/entente/mesh"
)

const domain = "bob"

// A world is a domain whose objects change at random, good ones and bad ones. Few names make many meetings.
type world struct {
	*rand.Rand
	objects mesh.Objects
}

func newWorld(seed uint64) *world {
	w := &world{Rand: rand.New(rand.NewPCG(seed, 0))}
	w.objects.Settings = w.settings()
	return w
}

// change changes one object.
func (w *world) change() {
	o := &w.objects
	switch w.IntN(16) {
	case 0, 1, 2, 3:
		o.Services = toggle(w, o.Services, pick(w, "web", "db", "files", "transport", "Bad Name"), w.service)
	case 4, 5, 6, 7:
		service := pick(w, "web", "db", "files", "transport", "absent")
		o.Slices = toggle(w, o.Slices, mesh.SliceKey(service, pick(w, "1", "2")), w.slice)
	case 8, 9, 10, 11, 12:
		pair := pick(w, [2]string{domain, "alice"}, [2]string{"alice", domain}, [2]string{domain, "carol"}, [2]string{"carol", domain}, [2]string{domain, "dave"}, [2]string{"dave", domain})
		o.Routes = toggle(w, o.Routes, names.DomainRoute(pair[0], pair[1]), func(name string) *v1alpha1.DomainRoute { return w.route(name, pair) })
	case 13:
		o.Pods = toggle(w, o.Pods, pick(w, "p1", "p2"), w.pod)
	case 14:
		o.Gateways = toggle(w, o.Gateways, pick(w, "g1", "g2"), w.gateway)
	case 15:
		if w.IntN(4) == 0 {
			o.Settings = w.settings()
		}
	}
}

func pick[T any](w *world, choice ...T) T { return choice[w.IntN(len(choice))] }

// toggle removes an object or puts a new one.
func toggle[V comparable](w *world, m sorted.Map[V], key string, made func(key string) V) sorted.Map[V] {
	if w.IntN(4) == 0 {
		return m.Without(key)
	}
	return m.With(key, made(key))
}

func (w *world) settings() *mesh.Settings {
	return &mesh.Settings{
		Domain: domain, Address: netip.MustParseAddr("127.0.0.1"), Master: w.IntN(2) == 0, StreamIdle: pick(w, time.Minute, time.Hour),
		Builtins: pick(w, nil, []mesh.Builtin{{Name: "kuscia-handshake", Address: dead(), External: true, Open: true}}),
	}
}

// dead is where nobody listens.
func dead() netip.AddrPort { return netip.MustParseAddrPort("127.0.0.1:9") }

func (w *world) service(name string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, ResourceVersion: fmt.Sprint(w.Uint64()),
			Labels: map[string]string{names.LabelPortScope: pick(w, "", "Cluster", "Domain", "nonsense")},
			Annotations: map[string]string{
				names.AnnotationProtocol:     pick(w, "", "GRPC", "nonsense"),
				names.AnnotationAccessDomain: pick(w, "", "alice", "alice,carol"),
			},
		},
		Spec: corev1.ServiceSpec{ClusterIP: "None", Ports: []corev1.ServicePort{{Port: 80}}},
	}
}

func (w *world) slice(string) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{ResourceVersion: fmt.Sprint(w.Uint64())},
		Ports:      []discoveryv1.EndpointPort{{Port: new(pick[int32](w, 80, 81))}},
	}
	for range w.IntN(4) {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{
			Addresses:  []string{fmt.Sprintf("192.0.2.%d", 1+w.IntN(5))},
			Conditions: discoveryv1.EndpointConditions{Ready: new(w.IntN(4) > 0)},
		})
	}
	return s
}

func (w *world) pod(name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Status:     corev1.PodStatus{Phase: pick(w, corev1.PodRunning, corev1.PodFailed), PodIP: pick(w, "", "192.0.2.8", "192.0.2.9")},
	}
}

func (w *world) gateway(name string) *v1alpha1.Gateway {
	return &v1alpha1.Gateway{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: v1alpha1.GatewayStatus{Address: pick(w, "", "192.0.2.6", "192.0.2.7")}}
}

func (w *world) route(name string, pair [2]string) *v1alpha1.DomainRoute {
	r := &v1alpha1.DomainRoute{ObjectMeta: metav1.ObjectMeta{Name: name, ResourceVersion: fmt.Sprint(w.Uint64())}}
	r.Spec.Source, r.Spec.Destination = pair[0], pair[1]
	r.Spec.AuthenticationType = pick(w, v1alpha1.AuthToken, v1alpha1.AuthToken, v1alpha1.AuthToken, v1alpha1.AuthNone)
	r.Spec.TokenConfig = &v1alpha1.TokenConfig{TokenGenMethod: v1alpha1.TokenGenRSA}
	r.Spec.Endpoint = v1alpha1.RouteEndpoint{Host: dead().Addr().String(), Ports: []v1alpha1.RoutePort{
		{Name: "http", Port: int(dead().Port()), Protocol: v1alpha1.PortHTTP},
	}}
	if w.IntN(3) == 0 {
		r.Spec.Endpoint.Ports = append(r.Spec.Endpoint.Ports, v1alpha1.RoutePort{Name: "grpc", Port: int(dead().Port()) + 1, Protocol: v1alpha1.PortGRPC})
	}
	if pair[0] == domain && pair[1] == "dave" && w.IntN(2) == 0 {
		r.Spec.Transit = &v1alpha1.Transit{TransitMethod: v1alpha1.TransitThirdDomain, Domain: &v1alpha1.TransitDomain{DomainID: "alice"}}
	}
	for revision := range w.IntN(3) {
		token := w.token()
		r.Status.TokenStatus.Tokens = append(r.Status.TokenStatus.Tokens, v1alpha1.RouteToken{Token: token, Revision: int64(revision + 1), IsReady: true})
	}
	return r
}

// token is the sealed text of one of some tokens, which from then on counts as opened.
func (w *world) token() string {
	sealed := fmt.Sprint("sealed ", w.IntN(20))
	sum := sha256.Sum256([]byte(sealed))
	w.objects.Opened = w.objects.Opened.With(sealed, mesh.Opened{Token: mesh.Hide(base64.StdEncoding.EncodeToString(sum[:]))})
	return sealed
}
