package source_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/entente-mesh/entente/internal/latest"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/mesh/source"
)

// BenchmarkEvent measures from a watch event on the wire (JSON) to its mesh, among n services with an endpoint and a pod each. It reports
// what a service, its endpoint and its pod take in memory, the mesh included.
func BenchmarkEvent(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			api := newAPI()
			for i := range n {
				name := fmt.Sprint("web-", i)
				api.set("services", service(name))
				api.set("endpointslices", slice(name+"-x", name, "10.0.0.1"))
				api.set("pods", &corev1.Pod{
					TypeMeta: metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "bob"},
					Spec:   corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "image"}}},
					Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.0.0.1", PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}}},
				})
			}
			before := heap()
			var settings latest.Value[*mesh.Settings]
			settings.Set(&mesh.Settings{Domain: "bob"})
			s, err := source.New(source.Config{REST: api.config(), Namespace: "bob", Settings: &settings})
			must(b, err)
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			go func() { ended <- s.Run(ctx) }()
			<-s.Ready()
			perObject := float64(heap()-before) / float64(n)
			for i := 0; b.Loop(); i++ {
				_, changed := s.Wanted().Get()
				api.set("endpointslices", slice("web-7-x", "web-7", fmt.Sprintf("10.1.%d.%d", i/256%256, i%256)))
				<-changed
			}
			b.ReportMetric(perObject, "heap-B/service")
			cancel()
			must(b, <-ended)
		})
	}
}

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
