package mesh_test

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/mesh"
)

// BenchmarkCompile changes one object among n services with an endpoint each and n inbound and n outbound routes with a token each. The time
// must not follow n.
func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		o := many(n)
		for _, c := range []struct {
			name   string
			change func(o *mesh.Objects, i int)
		}{
			{"service", func(o *mesh.Objects, i int) {
				o.Services = o.Services.With("web-7", benchService("web-7", int32(i%60000+1)))
			}},
			{"endpoint", func(o *mesh.Objects, i int) {
				o.Slices = o.Slices.With(mesh.SliceKey("web-7", "1"), benchSlice(fmt.Sprintf("10.1.%d.%d", i/256%256, i%256)))
			}},
			{"token", func(o *mesh.Objects, i int) {
				sealed := fmt.Sprintf("sealed:in-7-%d", i%2)
				opened, _ := open(sealed)
				o.Opened = o.Opened.With(sealed, opened)
				o.Routes = o.Routes.With("d7-bob", benchRoute("d7", "bob", sealed))
			}},
			{"status", func(o *mesh.Objects, _ int) {
				o.Routes = o.Routes.With("d7-bob", benchRoute("d7", "bob", "sealed:in-7"))
			}},
		} {
			b.Run(fmt.Sprintf("change=%s/n=%d", c.name, n), func(b *testing.B) {
				b.ReportAllocs()
				o := o
				m := mesh.Compile(o, nil)
				for i := 0; b.Loop(); i++ {
					c.change(&o, i)
					m = mesh.Compile(o, m)
				}
			})
		}
	}
}

// BenchmarkCompileFromNothing compiles 3,000 services, endpoints, and routes in each direction.
func BenchmarkCompileFromNothing(b *testing.B) {
	b.ReportAllocs()
	o := many(3000)
	for b.Loop() {
		mesh.Compile(o, nil)
	}
}

func many(n int) mesh.Objects {
	o := mesh.Objects{Settings: &mesh.Settings{Domain: "bob"}, Now: now}
	for i := range n {
		name, partner := fmt.Sprintf("web-%d", i), fmt.Sprintf("d%d", i)
		o.Services = o.Services.With(name, benchService(name, 80))
		o.Slices = o.Slices.With(mesh.SliceKey(name, "1"), benchSlice("10.0.0.1"))
		for _, ends := range [][3]string{{partner, "bob", "in"}, {"bob", partner, "out"}} {
			sealed := fmt.Sprintf("sealed:%s-%d", ends[2], i)
			opened, _ := open(sealed)
			o.Opened = o.Opened.With(sealed, opened)
			o.Routes = o.Routes.With(ends[0]+"-"+ends[1], benchRoute(ends[0], ends[1], sealed))
		}
	}
	return o
}

func benchService(name string, port int32) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "bob"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: port}}}}
}

func benchSlice(address string) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{Endpoints: []discoveryv1.Endpoint{{Addresses: []string{address}}}, Ports: []discoveryv1.EndpointPort{{Port: new(int32(80))}}}
}

func benchRoute(source, destination, sealed string) *v1alpha1.DomainRoute {
	return &v1alpha1.DomainRoute{
		ObjectMeta: metav1.ObjectMeta{Name: source + "-" + destination, Namespace: "bob"},
		Spec: v1alpha1.RouteSpec{
			Source: source, Destination: destination, AuthenticationType: v1alpha1.AuthToken,
			Endpoint: v1alpha1.RouteEndpoint{Host: "192.0.2.1", Ports: []v1alpha1.RoutePort{{Name: "http", Port: 1080, Protocol: v1alpha1.PortHTTP}}},
		},
		Status: v1alpha1.DomainRouteStatus{TokenStatus: v1alpha1.DomainRouteTokenStatus{Tokens: []v1alpha1.RouteToken{{Token: sealed, Revision: 1}}}},
	}
}
