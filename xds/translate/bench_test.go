package translate_test

import (
	"fmt"
	"testing"

	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/translate"
)

// crowd is a mesh with n services, n partners to call and n that call.
func crowd(n int) *mesh.Mesh {
	m := base()
	for i := range n {
		withService(m, fmt.Sprintf("service-%d", i), func(*mesh.Service) {})
		withRoute(m, fmt.Sprintf("partner-%d", i))
		withToken(m, fmt.Sprintf("partner-%d", i), i)
		withAccepted(m, fmt.Sprintf("source-%d", i), i)
	}
	return m
}

// BenchmarkDelta is what one change costs the translation, whatever else there is. An accepted token costs the length of its list: 1/64 of all.
func BenchmarkDelta(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000} {
		m := crowd(n)
		for name, change := range map[string]func(*mesh.Mesh){
			"endpoint": func(m *mesh.Mesh) { withEndpoints(m, "service-7", 3) },
			"service":  func(m *mesh.Mesh) { withService(m, "new", func(*mesh.Service) {}) },
			"token":    func(m *mesh.Mesh) { withToken(m, "partner-7", 1_000_007) },
			"accepted": func(m *mesh.Mesh) { withAccepted(m, "source-7", 1_000_007) },
		} {
			after := next(m, change)
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					translate.Delta(m, after)
				}
			})
		}
	}
}

// BenchmarkWhole is the translation of everything, at the start and when a setting changes.
func BenchmarkWhole(b *testing.B) {
	m := crowd(3_000)
	b.ReportAllocs()
	for b.Loop() {
		translate.Delta(nil, m)
	}
}
