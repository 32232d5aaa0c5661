package publish_test

import (
	"context"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/internal/lab/entente"
	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/publish"
)

// On a real API server: the object is told how it stands, an event says what was wrong, and a second publisher writes nothing.
func TestARealObjectIsTold(t *testing.T) {
	t.Parallel()
	if os.Getenv("ENTENTE_BIN") == "" {
		t.Skip("ENTENTE_BIN is not set: run `make test`, or set it to a built entente")
	}
	api, err := client.NewWithWatch(entente.Start(t, entente.Config{}).REST(t), client.Options{Scheme: scheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	// The node has made the namespace of its own domain, or will never do so.
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "alice"}}
	if err := client.IgnoreAlreadyExists(api.Create(t.Context(), ns)); err != nil {
		t.Fatal(err)
	}
	route := &v1alpha1.DomainRoute{
		ObjectMeta: metav1.ObjectMeta{Namespace: "alice", Name: "alice-bob"},
		Spec: v1alpha1.RouteSpec{
			Source: "alice", Destination: "bob", AuthenticationType: v1alpha1.AuthToken,
			Endpoint: v1alpha1.RouteEndpoint{Host: "192.0.2.1", Ports: []v1alpha1.RoutePort{{Name: "http", Port: 1080, Protocol: v1alpha1.PortHTTP}}},
		},
	}
	if err := api.Create(t.Context(), route); err != nil {
		t.Fatal(err)
	}
	good := newMesh()
	good.Outbound = good.Outbound.With("bob", &mesh.Route{
		Ref: live.Ref{Kind: mesh.KindRoute, Namespace: "alice", Name: "alice-bob", Version: "r1"}, Name: "alice-bob",
		Source: "alice", Destination: "bob", Protocol: mesh.Kuscia, Auth: mesh.AuthNone, Host: "192.0.2.1", Hops: []mesh.Hop{{Name: "http", Port: 1080}},
	})
	bad := *good
	problem := &mesh.Problem{Object: live.Ref{Kind: mesh.KindRoute, Namespace: "alice", Name: "alice-bob"}, Field: "spec.x", Reason: "bad", Remedy: "mend it"}
	bad.Problems = bad.Problems.With(problem.ID(), problem)

	watched, err := api.Watch(t.Context(), &v1alpha1.DomainRouteList{}, client.InNamespace("alice"))
	if err != nil {
		t.Fatal(err)
	}
	defer watched.Stop()
	told, err := api.Watch(t.Context(), &corev1.EventList{}, client.InNamespace("alice"))
	if err != nil {
		t.Fatal(err)
	}
	defer told.Stop()
	h := start(t, func(c *publish.Config) { c.Client = api })
	h.wanted.Set(publish.Wanted{Mesh: &bad})
	await(t, watched, "false (r1): spec.x: bad; mend it")
	h.wanted.Set(publish.Wanted{Mesh: good})
	takesAll(h)
	last := await(t, watched, "true (r1)")
	awaitEvents(t, told, "NotProgrammed", "Programmed")
	h.stop()

	looked := make(chan struct{}, 1)
	again := start(t, func(c *publish.Config) {
		c.Client = interceptor.NewClient(api, interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
				defer func() { looked <- struct{}{} }()
				return c.Get(ctx, key, o, opts...)
			},
			Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
				t.Error("a second publisher writes")
				return nil
			},
		})
	})
	again.wanted.Set(publish.Wanted{Mesh: good})
	<-again.Ready()
	takesAll(again)
	<-looked
	again.stop() // returns after what follows the look
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(route), route); err != nil {
		t.Fatal(err)
	}
	if route.ResourceVersion != last {
		t.Errorf("a second publisher wrote: version %s after %s", route.ResourceVersion, last)
	}
}

// takesAll connects an Envoy that takes everything that was committed.
func takesAll(h *house) {
	var everything live.Report
	for lane := range everything.Upto {
		everything.Upto[lane] = h.cache.Seq()
	}
	h.cache.Board().Connect("gw-1").Report(everything, time.Now())
}

// await waits for a route's annotation and returns the route's version.
func await(t *testing.T, w watch.Interface, programmed string) string {
	t.Helper()
	patience := time.NewTimer(30 * time.Second)
	defer patience.Stop()
	seen := ""
	for {
		select {
		case e := <-w.ResultChan():
			if r, ok := e.Object.(*v1alpha1.DomainRoute); ok {
				if seen = r.Annotations[names.AnnotationProgrammed]; seen == programmed {
					return r.ResourceVersion
				}
			}
		case <-patience.C:
			t.Fatalf("programmed = %q, want %q", seen, programmed)
		}
	}
}

// awaitEvents waits for events of the route with these reasons, in this order.
func awaitEvents(t *testing.T, w watch.Interface, reasons ...string) {
	t.Helper()
	patience := time.NewTimer(30 * time.Second)
	defer patience.Stop()
	for _, want := range reasons {
		for got := ""; got == ""; {
			select {
			case e := <-w.ResultChan():
				if event, ok := e.Object.(*corev1.Event); ok && event.InvolvedObject.Name == "alice-bob" {
					got = event.Reason
				}
			case <-patience.C:
				t.Fatalf("there is no event %s", want)
			}
			if got != "" && got != want {
				t.Fatalf("there is an event %s, want %s", got, want)
			}
		}
	}
}
