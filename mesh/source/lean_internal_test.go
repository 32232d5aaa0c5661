package source

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/mesh"
)

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: name, Namespace: "bob", UID: "u", ResourceVersion: "7", ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}},
		Labels: map[string]string{
			names.LabelPortScope: "Cluster", names.LabelLoadBalancer: names.LoadBalancerDomainRoute, names.LabelGRPCDegrade: names.GRPCDegraded,
			discoveryv1.LabelServiceName: "web", "app": "web",
		},
		Annotations: map[string]string{
			names.AnnotationProtocol: "GRPC", names.AnnotationAccessDomain: "alice", names.BandwidthLimit("alice"): "7", names.AnnotationTaskID: "t",
			names.AnnotationStickyCookie: "C", names.AnnotationStickyTTL: "60", names.AnnotationTransitTo: "carol",
			"kubectl.kubernetes.io/last-applied-configuration": "long",
		},
	}
}

// rich are objects in which everything that a mesh reads is set, and more.
func rich() mesh.Objects {
	var o mesh.Objects
	o.Settings = &mesh.Settings{Domain: "bob"}
	o.Services = o.Services.With("web", &corev1.Service{ObjectMeta: meta("web"), Spec: corev1.ServiceSpec{
		ClusterIP: "10.0.0.1", SessionAffinity: corev1.ServiceAffinityClientIP, Selector: map[string]string{"a": "b"},
		Ports: []corev1.ServicePort{{Name: "p", Port: 80, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(8)}},
	}})
	o.Services = o.Services.With("out", &corev1.Service{ObjectMeta: meta("out"), Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeExternalName, ExternalName: "x.example", Ports: []corev1.ServicePort{{Port: 80}},
	}})
	o.Slices = o.Slices.With("web/1", &discoveryv1.EndpointSlice{
		ObjectMeta: meta("1"),
		Ports: []discoveryv1.EndpointPort{
			{Name: new("p"), Port: new(int32(8)), Protocol: new(corev1.ProtocolTCP)}, {Port: new(int32(9)), Protocol: new(corev1.ProtocolUDP)},
		},
		Endpoints: []discoveryv1.Endpoint{
			{Addresses: []string{"10.1.0.1"}, Hostname: new("h"), NodeName: new("n"), Conditions: discoveryv1.EndpointConditions{Ready: new(true)}},
			{Addresses: []string{"10.1.0.2"}, Conditions: discoveryv1.EndpointConditions{Ready: new(false)}},
		},
	})
	o.Pods = o.Pods.With("pod", &corev1.Pod{
		ObjectMeta: meta("pod"), Spec: corev1.PodSpec{Hostname: "h", Subdomain: "s", Containers: []corev1.Container{{Name: "c"}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.1.0.1", PodIPs: []corev1.PodIP{{IP: "10.1.0.1"}, {IP: "fd00::1"}}, HostIP: "x"},
	})
	o.Pods = o.Pods.With("ended", &corev1.Pod{ObjectMeta: meta("ended"), Status: corev1.PodStatus{Phase: corev1.PodFailed, PodIP: "10.1.0.3"}})
	o.Gateways = o.Gateways.With("g", &v1alpha1.Gateway{ObjectMeta: meta("g"), Status: v1alpha1.GatewayStatus{Address: "10.2.0.1", PublicKey: "long"}})
	for _, ends := range [][2]string{{"alice", "bob"}, {"bob", "alice"}} {
		name := names.DomainRoute(ends[0], ends[1])
		o.Routes = o.Routes.With(name, &v1alpha1.DomainRoute{
			ObjectMeta: meta(name),
			Spec: v1alpha1.RouteSpec{
				Source: ends[0], Destination: ends[1], AuthenticationType: v1alpha1.AuthToken, TokenConfig: &v1alpha1.TokenConfig{SourcePublicKey: "long"},
				Endpoint:          v1alpha1.RouteEndpoint{Host: "h", Ports: []v1alpha1.RoutePort{{Name: "p", Port: 1, Protocol: v1alpha1.PortHTTP, PathPrefix: "/x", IsTLS: true}}},
				SourceWhiteIPList: []string{"10.0.0.0/8"}, RequestHeadersToAdd: map[string]string{"x": "y"},
				BodyEncryption: &v1alpha1.BodyEncryption{Algorithm: v1alpha1.EncryptionAES},
			},
			Status: v1alpha1.DomainRouteStatus{TokenStatus: v1alpha1.DomainRouteTokenStatus{
				Tokens: []v1alpha1.RouteToken{{Token: "sealed", Revision: 3, EffectiveInstances: []string{"g"}}},
			}},
		})
	}
	o.Opened = o.Opened.With("sealed", mesh.Opened{Token: mesh.Hide("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")})
	return o
}

func TestALeanCopyMeansTheSame(t *testing.T) {
	t.Parallel()
	o := rich()
	whole := mesh.Compile(o, nil)
	if whole.Services.Len() != 2 || whole.Accepted.Len() != 1 || whole.Tokens.Len() != 1 || whole.Pods.Len() != 1 || whole.Problems.Len() != 0 {
		t.Fatalf("the objects are not what the test takes them for: %+v", whole)
	}
	l := lean{namespace: "bob"}
	for name, v := range o.Services.All() {
		o.Services = o.Services.With(name, thin(t, v, l.service))
	}
	for name, v := range o.Slices.All() {
		o.Slices = o.Slices.With(name, thin(t, v, l.slice))
	}
	for name, v := range o.Pods.All() {
		o.Pods = o.Pods.With(name, thin(t, v, l.pod))
	}
	for name, v := range o.Gateways.All() {
		o.Gateways = o.Gateways.With(name, thin(t, v, l.gateway))
	}
	for name, v := range o.Routes.All() {
		o.Routes = o.Routes.With(name, thin(t, v, l.route))
	}
	if !mesh.Compile(o, whole).Same(whole) {
		t.Error("a lean copy lacks something that the mesh reads")
	}
}

// thin is a lean copy. It leaves the object as it was, and a lean copy of it says the same.
func thin[T any](t *testing.T, o *T, l func(*T) *T) *T {
	t.Helper()
	copied := l(o)
	if reflect.DeepEqual(copied, o) {
		t.Errorf("%T: the copy is as large as the object", o)
	}
	if diff := cmp.Diff(copied, l(copied)); diff != "" {
		t.Errorf("%T: a lean copy of a lean copy (-once +twice):\n%s", o, diff)
	}
	return copied
}
