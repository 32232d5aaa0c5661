package publish_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/publish"
)

// An envoy stands for one that is connected and does what the test says.
type envoy struct {
	cache *cache.Cache
	line  *live.Line
}

func connect(h *house) *envoy { return &envoy{h.cache, h.cache.Board().Connect("gw-1")} }

// confirm takes everything that was committed.
func (e *envoy) confirm() {
	var r live.Report
	for lane := range r.Upto {
		r.Upto[lane] = e.cache.Seq()
	}
	e.line.Report(r, time.Now())
	synctest.Wait()
}

// refuse takes everything but one resource.
func (e *envoy) refuse(t cache.Type, name, reason string) {
	var r live.Report
	for lane := range r.Upto {
		r.Upto[lane] = e.cache.Seq()
	}
	entry := e.cache.Get(cache.Key{Type: t, Name: name})
	r.Behind = []live.Behind{{
		Key: live.Key{Lane: live.Lane(t), Name: name}, Seq: e.cache.Seq(), Rejected: true, Reason: reason, Refs: entry.From,
	}}
	e.line.Report(r, time.Now())
	synctest.Wait()
}

func scheme(t testing.TB) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	if err := errors.Join(clientscheme.AddToScheme(s), v1alpha1.AddToScheme(s)); err != nil {
		t.Fatal(err)
	}
	return s
}

func apiServer(t testing.TB, funcs interceptor.Funcs) client.Client {
	t.Helper()
	return fake.NewClientBuilder().WithScheme(scheme(t)).WithInterceptorFuncs(funcs).WithObjects(
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "alice", Name: "one", Annotations: map[string]string{"of": "others"}}},
		&v1alpha1.DomainRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "alice", Name: "alice-bob"}},
	).Build()
}

func annotationsOf(t testing.TB, c client.Client, o client.Object) map[string]string {
	t.Helper()
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
		t.Fatal(err)
	}
	return o.GetAnnotations()
}

func one() *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "alice", Name: "one"}}
}

// events are the events that were written, oldest first.
func events(t testing.TB, c client.Client) []string {
	t.Helper()
	var list corev1.EventList
	if err := c.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range list.Items {
		all = append(all, e.InvolvedObject.Kind+"/"+e.InvolvedObject.Name+" "+e.Type+" "+e.Reason+": "+e.Message)
	}
	return all
}

func TestAnObjectIsToldThatEveryEnvoyRunsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := apiServer(t, interceptor.Funcs{})
		h := start(t, func(c *publish.Config) { c.Client = api })
		e := connect(h)
		h.want(with(newMesh(), "one", "v1"))
		if got := annotationsOf(t, api, one())[names.AnnotationProgrammed]; got != "" {
			t.Errorf("programmed = %q before any Envoy confirmed it", got)
		}
		e.confirm()
		now := time.Now().UTC().Format(time.RFC3339)
		want := map[string]string{names.AnnotationProgrammed: "true (v1)", names.AnnotationReadyTime: now, "of": "others"}
		if diff := cmp.Diff(want, annotationsOf(t, api, one())); diff != "" {
			t.Errorf("annotations (-want +got):\n%s", diff)
		}
		if got := events(t, api); got != nil {
			t.Errorf("that all is well from the beginning made the events %v", got)
		}

		time.Sleep(time.Hour)
		h.want(with(newMesh(), "one", "v2"))
		e.confirm()
		want[names.AnnotationProgrammed] = "true (v2)"
		if diff := cmp.Diff(want, annotationsOf(t, api, one())); diff != "" {
			t.Errorf("annotations after a change (-want +got):\n%s", diff)
		}
	})
}

func TestASecondPassWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		writes := 0
		api := apiServer(t, interceptor.Funcs{
			Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
				writes++
				return c.Patch(ctx, o, p, opts...)
			},
			Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
				writes++
				return c.Create(ctx, o, opts...)
			},
		})
		for range 2 { // as after a restart
			h := start(t, func(c *publish.Config) { c.Client = api })
			h.want(with(newMesh(), "one", "v1"))
			connect(h).confirm()
			h.stop()
		}
		if writes != 1 {
			t.Errorf("%d writes, want 1", writes)
		}
	})
}

func TestAnObjectIsToldWhatIsWrongAndThatItIsMended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := apiServer(t, interceptor.Funcs{})
		h := start(t, func(c *publish.Config) { c.Client = api })
		e := connect(h)
		good := with(newMesh(), "one", "v2")
		bad := *with(newMesh(), "one", "v1")
		problem := &mesh.Problem{
			Object: live.Ref{Kind: mesh.KindService, Namespace: "alice", Name: "one"}, Field: "spec.ports[0].port", Reason: "0 is no port", Remedy: "use 1 to 65535",
		}
		bad.Problems = bad.Problems.With(problem.ID(), problem)
		h.want(&bad)
		e.confirm()
		if got, want := annotationsOf(t, api, one())[names.AnnotationProgrammed], "false (v1): spec.ports[0].port: 0 is no port; use 1 to 65535"; got != want {
			t.Errorf("programmed = %q, want %q", got, want)
		}
		h.want(good)
		e.confirm()
		e.confirm()
		if got := annotationsOf(t, api, one())[names.AnnotationProgrammed]; got != "true (v2)" {
			t.Errorf("programmed = %q when it was mended", got)
		}
		want := []string{
			"Service/one Warning NotProgrammed: spec.ports[0].port: 0 is no port; use 1 to 65535",
			"Service/one Normal Programmed: every connected gateway runs it",
		}
		if diff := cmp.Diff(want, sortedBy(events(t, api), "Warning")); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// sortedBy puts the texts that have the word first: generated names have no order.
func sortedBy(texts []string, word string) []string {
	var first, rest []string
	for _, text := range texts {
		if strings.Contains(text, word) {
			first = append(first, text)
		} else {
			rest = append(rest, text)
		}
	}
	return append(first, rest...)
}

func TestARefusalOfEnvoyIsToldToTheObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := apiServer(t, interceptor.Funcs{})
		h := start(t, func(c *publish.Config) { c.Client = api })
		e := connect(h)
		h.want(with(newMesh(), "one", "v1"))
		e.refuse(cache.Endpoint, "one.alice.svc", "no such thing")
		if got, want := annotationsOf(t, api, one())[names.AnnotationProgrammed], "false (v1): gateway gw-1 refused it: no such thing"; got != want {
			t.Errorf("programmed = %q, want %q", got, want)
		}
	})
}

func TestARouteIsToldOfWhatItsTokenMet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := apiServer(t, interceptor.Funcs{})
		h := start(t, func(c *publish.Config) { c.Client = api })
		e := connect(h)
		m := newMesh()
		r := &mesh.Route{
			Ref: live.Ref{Kind: mesh.KindRoute, Namespace: "alice", Name: "alice-bob", Version: "r1"}, Name: "alice-bob",
			Source: "alice", Destination: "bob", Protocol: mesh.Kuscia, Auth: mesh.AuthToken, Host: "192.0.2.1", Hops: []mesh.Hop{{Name: "http", Port: 1080}},
		}
		m.Outbound = m.Outbound.With("bob", r)
		m.Tokens = m.Tokens.With("bob", &mesh.Tokens{
			Ref: live.Ref{Kind: mesh.KindRoute, Namespace: "alice", Name: "alice-bob", Version: "t1"}, Destination: "bob", Current: mesh.Hide("token"),
			Credential: live.CredentialRef("alice", "alice-bob", 3),
		})
		h.want(m)
		route := &v1alpha1.DomainRoute{ObjectMeta: metav1.ObjectMeta{Namespace: "alice", Name: "alice-bob"}}
		e.refuse(cache.Secret, "egress-token/bob", "bad secret")
		if got, want := annotationsOf(t, api, route)[names.AnnotationProgrammed], "false (r1): gateway gw-1 refused it: bad secret"; got != want {
			t.Errorf("programmed = %q, want %q", got, want)
		}
	})
}

func TestReportsOutliveAnAPIServerThatIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		away.Store(true)
		conflicts := 2
		api := apiServer(t, interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
				if away.Load() {
					return errors.New("connection refused")
				}
				return c.Get(ctx, key, o, opts...)
			},
			Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
				if conflicts > 0 {
					conflicts--
					return apierrors.NewConflict(schema.GroupResource{Resource: "services"}, o.GetName(), errors.New("changed"))
				}
				return c.Patch(ctx, o, p, opts...)
			},
		})
		h := start(t, func(c *publish.Config) { c.Client = api })
		h.want(with(with(newMesh(), "one", "v1"), "gone", "v1")) // the API server knows no service gone
		connect(h).confirm()
		time.Sleep(time.Minute)
		away.Store(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := annotationsOf(t, api, one())[names.AnnotationProgrammed]; got != "true (v1)" {
			t.Errorf("programmed = %q when the API server was back", got)
		}
	})
}
