package mesh

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/entente-mesh/entente/api/names"
)

// TestServicesComeAndGoUnderLoad: a hundred changes of other services do not cost one request.
func TestServicesComeAndGoUnderLoad(t *testing.T) {
	world(t)
	bob.serveEcho(t, "10.2.0.1:8003")
	if err := bob.serve(t.Context(), "steady", 8003); err != nil {
		t.Fatal(err)
	}
	await(t, alice, "steady.bob.svc")
	load := startLoad(t, alice, "steady.bob.svc")
	const changes = 100
	for i := range changes / 4 {
		name := fmt.Sprintf("passing-%d", i)
		restricted := func(s *corev1.Service) {
			if i%2 == 0 {
				s.Annotations = map[string]string{names.AnnotationAccessDomain: "alice"}
			}
		}
		if err := bob.serve(t.Context(), name, 8003, restricted); err != nil { // two changes
			t.Fatal(err)
		}
		if i%5 == 0 {
			await(t, alice, name+".bob.svc")
		}
		for _, object := range []client.Object{
			&discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "bob", Name: name}},
			&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "bob", Name: name}},
		} {
			if err := client.IgnoreNotFound(bob.client.Delete(t.Context(), object)); err != nil {
				t.Fatal(err)
			}
		}
	}
	load.pass(t, 100)
	load.checkFlawless(t, 100)
}

// TestTrafficFlowsWhileTheControlPlaneIsDown: Envoy keeps what it has while nobody can tell it anything, and goes on as if nothing had been
// when the control plane is back.
func TestTrafficFlowsWhileTheControlPlaneIsDown(t *testing.T) {
	world(t)
	bob.serveEcho(t, "10.2.0.1:8004")
	if err := bob.serve(t.Context(), "durable", 8004); err != nil {
		t.Fatal(err)
	}
	await(t, alice, "durable.bob.svc")
	load := startLoad(t, alice, "durable.bob.svc")
	load.pass(t, 50)
	for _, d := range []*domain{alice, bob} {
		if err := d.kill(); err != nil {
			t.Fatal(err)
		}
	}
	away := time.NewTimer(5 * time.Second)
	defer away.Stop()
	select {
	case <-away.C:
	case <-t.Context().Done():
	}
	for _, d := range []*domain{alice, bob} {
		if err := d.start(); err != nil {
			t.Fatal(err)
		}
	}
	if err := bob.serve(t.Context(), "afterwards", 8004); err != nil {
		t.Fatal(err)
	}
	await(t, alice, "afterwards.bob.svc")
	load.checkFlawless(t, 500)
}
