package mesh_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/mesh"
)

// FuzzCompile puts foreign text into every field that people write. Nothing may panic, and the way must not matter.
func FuzzCompile(f *testing.F) {
	f.Add("web", "10.0.0.1", "Token", "alice", int32(80), "sealed:one")
	f.Add("\x00", "::1%x", "THIRD-DOMAIN", "a,b", int32(-1), "sealed:broken")
	f.Add("kuscia-handshake", "999999999999999999999s", "MTLS", "*", int32(70000), "noop")
	f.Add("a/b", "-----BEGIN CERTIFICATE-----", "SM4", "bob", int32(1), "")
	f.Fuzz(func(t *testing.T, a, b, c, d string, n int32, sealed string) {
		o := mesh.Objects{Settings: &mesh.Settings{Domain: "bob", Builtins: []mesh.Builtin{{Name: a}}}, Now: now}
		o.Services = o.Services.With(a, fuzzedService(a, b, c, d, n))
		o.Slices = o.Slices.With(mesh.SliceKey(a, b), &discoveryv1.EndpointSlice{
			Endpoints: []discoveryv1.Endpoint{{Addresses: []string{b, c}, Hostname: &d}}, Ports: []discoveryv1.EndpointPort{{Port: &n}, {}},
		})
		o.Pods = o.Pods.With(a, &corev1.Pod{
			Spec: corev1.PodSpec{Hostname: b, Subdomain: c}, Status: corev1.PodStatus{PodIP: d, PodIPs: []corev1.PodIP{{IP: b}}, Phase: corev1.PodPhase(c)},
		})
		o.Gateways = o.Gateways.With(a, &v1alpha1.Gateway{Status: v1alpha1.GatewayStatus{Address: b}})
		for i, ends := range [][2]string{{"bob", d}, {d, "bob"}, {a, b}} {
			r := fuzzedRoute(b, c, d, n, sealed)
			r.Spec.Source, r.Spec.Destination = ends[0], ends[1]
			r.Name = a + string(rune('0'+i))
			o.Routes = o.Routes.With(r.Name, r)
		}
		if opened, ok := open(sealed); ok {
			o.Opened = o.Opened.With(sealed, opened)
		} else {
			o.Opened = o.Opened.With(sealed, mesh.Opened{Token: mesh.Hide(c)})
		}
		m := mesh.Compile(o, nil)
		want := dump(t, m)
		if got := dump(t, mesh.Compile(o, mesh.Compile(mesh.Objects{Settings: o.Settings}, nil))); got != want {
			t.Errorf("the way matters:\n%s\n%s", want, got)
		}
		if mesh.Compile(mesh.Objects{Settings: o.Settings}, m).Services.Len() > 1 {
			t.Error("a service stayed without its object")
		}
		for token := range m.Accepted.Keys() {
			if len(token) != 44 {
				t.Errorf("a token of %d characters proves somebody", len(token))
			}
		}
	})
}

func fuzzedService(a, b, c, d string, n int32) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{names.LabelPortScope: c}, Annotations: map[string]string{
			names.AnnotationProtocol: c, names.AnnotationAccessDomain: d, names.BandwidthLimit(d): b, names.AnnotationTaskID: a,
			names.AnnotationStickyCookie: a, names.AnnotationStickyTTL: b,
		}},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceType(c), ExternalName: b, ClusterIP: b, Ports: []corev1.ServicePort{{Port: n, Name: a, Protocol: corev1.Protocol(c)}}},
	}
}

func fuzzedRoute(b, c, d string, n int32, sealed string) *v1alpha1.DomainRoute {
	r := &v1alpha1.DomainRoute{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{names.AnnotationTransitTo: d}}}
	r.Spec = v1alpha1.RouteSpec{
		AuthenticationType: v1alpha1.AuthenticationType(c), InterConnProtocol: v1alpha1.InterConnProtocol(d),
		Endpoint:          v1alpha1.RouteEndpoint{Host: b, Ports: []v1alpha1.RoutePort{{Name: d, Port: int(n), Protocol: "HTTP", IsTLS: true, PathPrefix: b}}},
		MTLSConfig:        &v1alpha1.MTLSConfig{TLSCA: b64(b), SourceClientCert: b, SourceClientPrivateKey: c},
		SourceWhiteIPList: []string{b, d}, RequestHeadersToAdd: map[string]string{b: c, c: d},
	}
	if n%2 == 0 {
		r.Spec.Transit = &v1alpha1.Transit{TransitMethod: v1alpha1.TransitMethod(c), Domain: &v1alpha1.TransitDomain{DomainID: b}}
	}
	if n%3 == 0 {
		r.Spec.BodyEncryption = &v1alpha1.BodyEncryption{Algorithm: v1alpha1.EncryptionAlgorithm(c)}
	}
	if n%5 == 0 {
		r.Spec.AuthenticationType, r.Spec.InterConnProtocol = v1alpha1.AuthToken, ""
	}
	r.Status.TokenStatus.Tokens = []v1alpha1.RouteToken{{Token: sealed, Revision: int64(n)}, {Token: d}}
	return r
}
