package source_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/internal/lab/entente"
	"github.com/entente-mesh/entente/internal/latest"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/mesh/source"
)

// TestARealAPIServer follows a real API server: binary and JSON, defaults of the server, a sealed token, and the server's end and return.
func TestARealAPIServer(t *testing.T) {
	t.Parallel()
	if os.Getenv("ENTENTE_BIN") == "" {
		t.Skip("ENTENTE_BIN is not set: `make test` builds the program and sets it")
	}
	node := entente.Start(t, entente.Config{YAML: entente.Autonomy("bob")})
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, discoveryv1.AddToScheme, v1alpha1.AddToScheme} {
		must(t, add(scheme))
	}
	c, err := client.New(node.REST(t), client.Options{Scheme: scheme})
	must(t, err)
	keeper, err := source.NewKeeper(domainKey(), "")
	must(t, err)
	var settings latest.Value[*mesh.Settings]
	settings.Set(&mesh.Settings{Domain: "bob"})
	s, err := source.New(source.Config{REST: node.REST(t), Namespace: "bob", Settings: &settings, Opener: keeper})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})

	must(t, client.IgnoreAlreadyExists(c.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "bob"}})))
	await(t, s, "the first mesh", func(m *mesh.Mesh) bool { return m != nil })
	select {
	case <-s.Ready():
	case <-time.After(time.Minute):
		t.Fatal("there is a mesh, and the source is not ready")
	}

	var delays []time.Duration
	for i := range 20 {
		svc := service(fmt.Sprint("web-", i))
		must(t, c.Create(t.Context(), svc))
		written := time.Now()
		await(t, s, svc.Name, func(m *mesh.Mesh) bool { _, ok := m.Services.Get(svc.Name); return ok })
		delays = append(delays, time.Since(written))
	}
	slices.Sort(delays)
	t.Logf("from the answer to a write until its mesh: median %v, longest %v", delays[len(delays)/2], delays[len(delays)-1])

	must(t, c.Create(t.Context(), slice("web-0-x", "web-0", "10.0.0.1")))
	await(t, s, "the endpoint", func(m *mesh.Mesh) bool { e, ok := m.Endpoints.Get("web-0"); return ok && len(e.Ready) == 1 })

	text, header := sealed(t, domainKey())
	r := route("alice", "bob")
	must(t, c.Create(t.Context(), r))
	r.Status.TokenStatus.Tokens = []v1alpha1.RouteToken{{Token: text, Revision: 1}}
	must(t, c.Status().Update(t.Context(), r))
	await(t, s, "the token", func(m *mesh.Mesh) bool { a, ok := m.Accepted.Get(header); return ok && a.Source == "alice" })

	must(t, c.Delete(t.Context(), service("web-1")))
	await(t, s, "the end of a service", func(m *mesh.Mesh) bool { _, ok := m.Services.Get("web-1"); return !ok })
}

// await waits for a mesh. A long wait is no measure of speed: it only ends a test that would hang.
func await(t *testing.T, s *source.Source, what string, good func(*mesh.Mesh) bool) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		w, changed := s.Wanted().Get()
		if (w.Mesh != nil || what == "the first mesh") && good(w.Mesh) {
			return
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("%s did not come within a minute", what)
		}
	}
}
