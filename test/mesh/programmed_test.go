package mesh

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/entente-mesh/entente/api/names"
)

// awaitProgrammed waits until bob's gateway has confirmed what the service asks for now, which the annotation before was
// not about, and returns the annotation.
func awaitProgrammed(t *testing.T, service *corev1.Service, before string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	list, err := bob.client.Watch(ctx, &corev1.ServiceList{}, client.InNamespace(service.Namespace), client.MatchingFields{"metadata.name": service.Name})
	if err != nil {
		t.Fatal(err)
	}
	defer list.Stop()
	for event := range list.ResultChan() {
		got, ok := event.Object.(*corev1.Service)
		if programmed := got.GetAnnotations()[names.AnnotationProgrammed]; ok && programmed != before && strings.HasPrefix(programmed, "true") {
			return programmed
		}
	}
	t.Fatalf("service %s was not programmed", service.Name)
	return ""
}

// removeSlice removes the endpoints of a service and waits until the API server agrees.
func removeSlice(t *testing.T, name string) {
	t.Helper()
	slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "bob", Name: name}}
	if err := client.IgnoreNotFound(bob.client.Delete(t.Context(), slice)); err != nil {
		t.Fatal(err)
	}
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		if err := bob.client.Get(t.Context(), client.ObjectKeyFromObject(slice), slice); client.IgnoreNotFound(err) == nil && err != nil {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("the endpoints did not go away")
		}
	}
}
