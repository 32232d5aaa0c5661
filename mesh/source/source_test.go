package source_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/internal/latest"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/mesh/source"
)

// A rig is a source that runs over a fake API server, in a synctest bubble.
type rig struct {
	t        *testing.T
	api      *fakeAPI
	settings latest.Value[*mesh.Settings]
	source   *source.Source
	compiled func(source.Compiled) // called in the source's goroutine
	log      bytes.Buffer
	stop     func()
}

// run starts a source of bob and ends it, and everything that it has begun, after f.
func run(t *testing.T, opener source.Opener, f func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, api: newAPI(), compiled: func(source.Compiled) {}}
		r.settings.Set(&mesh.Settings{Domain: "bob"})
		f(r.start(opener))
		r.stop()
	})
}

func (r *rig) start(opener source.Opener) *rig {
	s, err := source.New(source.Config{
		REST: r.api.config(), Namespace: "bob", Settings: &r.settings, Opener: opener, Openers: 2,
		Observe: func(c source.Compiled) { r.compiled(c) }, Log: slog.New(slog.NewTextHandler(&r.log, nil)),
	})
	must(r.t, err)
	r.source = s
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	r.stop = func() {
		cancel()
		begin := time.Now()
		if err := <-ended; err != nil {
			r.t.Errorf("Run: %v", err)
		}
		if took := time.Since(begin); took > 2*time.Second {
			r.t.Errorf("it took %v to stop", took)
		}
	}
	return r
}

// mesh is the newest mesh, once nothing moves.
func (r *rig) mesh() *mesh.Mesh {
	synctest.Wait()
	w, _ := r.source.Wanted().Get()
	return w.Mesh
}

func (r *rig) since() time.Time {
	synctest.Wait()
	w, _ := r.source.Wanted().Get()
	return w.Since
}

func (r *rig) ready() bool {
	synctest.Wait()
	select {
	case <-r.source.Ready():
		return true
	default:
		return false
	}
}

func service(name string) *corev1.Service {
	return &corev1.Service{
		TypeMeta:   metav1.TypeMeta{Kind: "Service", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "bob"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80}}},
	}
}

func slice(name, service, address string) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		TypeMeta:    metav1.TypeMeta{Kind: "EndpointSlice", APIVersion: "discovery.k8s.io/v1"},
		ObjectMeta:  metav1.ObjectMeta{Name: name, Namespace: "bob", Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{address}}}, Ports: []discoveryv1.EndpointPort{{Port: new(int32(80))}},
	}
}

func route(source, destination string, sealed ...string) *v1alpha1.DomainRoute {
	r := &v1alpha1.DomainRoute{
		TypeMeta:   metav1.TypeMeta{Kind: "DomainRoute", APIVersion: "kuscia.secretflow/v1alpha1"},
		ObjectMeta: metav1.ObjectMeta{Name: names.DomainRoute(source, destination), Namespace: "bob"},
		Spec:       v1alpha1.RouteSpec{Source: source, Destination: destination, AuthenticationType: v1alpha1.AuthToken},
	}
	for i, s := range sealed {
		r.Status.TokenStatus.Tokens = append(r.Status.TokenStatus.Tokens, v1alpha1.RouteToken{Token: s, Revision: int64(i + 1)})
	}
	return r
}

func TestTheFirstMeshWaitsForEveryKind(t *testing.T) {
	t.Parallel()
	for _, resource := range []string{"services", "endpointslices", "pods", "domainroutes", "gateways"} {
		t.Run(resource, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := &rig{t: t, api: newAPI(), compiled: func(source.Compiled) {}}
				r.settings.Set(&mesh.Settings{Domain: "bob"})
				r.api.set("services", service("web"))
				release := r.api.hold(resource)
				r.start(nil)
				if r.mesh() != nil || r.ready() {
					t.Errorf("there is a mesh without %s", resource)
				}
				release()
				if m := r.mesh(); m == nil || !r.ready() || m.Services.Len() != 1 {
					t.Errorf("there is no whole mesh although everything has been read: %+v", m)
				}
				r.stop()
			})
		})
	}
}

func TestAChangeGoesOutAtOnceWithTheTimeOfItsEvent(t *testing.T) {
	t.Parallel()
	run(t, nil, func(r *rig) {
		r.mesh()
		time.Sleep(time.Minute)
		begin := time.Now()
		r.api.set("services", service("web"))
		if m := r.mesh(); m.Services.Len() != 1 || !r.since().Equal(begin) || !time.Now().Equal(begin) {
			r.t.Errorf("got %d services since %v at %v, want 1 at %v", m.Services.Len(), r.since(), time.Now(), begin)
		}
		time.Sleep(time.Minute)
		r.api.remove("services", "web")
		if m := r.mesh(); m.Services.Len() != 0 {
			r.t.Error("the service is still there")
		}
	})
}

func TestChangesThatComeWhileOneIsCompiledAreOneMore(t *testing.T) {
	t.Parallel()
	run(t, nil, func(r *rig) {
		r.mesh()
		compiles, events := 0, 0
		busy, begun := make(chan struct{}), make(chan struct{}, 1000)
		r.compiled = func(c source.Compiled) {
			compiles++
			events += c.Events
			begun <- struct{}{}
			<-busy
		}
		r.api.set("services", service("first"))
		<-begun
		for i := range 500 {
			r.api.set("services", service(fmt.Sprint("more-", i)))
			time.Sleep(time.Millisecond)
		}
		close(busy)
		if m := r.mesh(); m.Services.Len() != 501 || compiles != 2 || events != 501 {
			r.t.Errorf("got %d services after %d compiles of %d events, want 501 after 2 of 501", m.Services.Len(), compiles, events)
		}
		if since := r.since(); time.Since(since) < 499*time.Millisecond {
			r.t.Errorf("the merged changes count since %v, want the earliest", since)
		}
	})
}

func TestWritesThatNoGatewayReadsAreNotHandedOut(t *testing.T) {
	t.Parallel()
	run(t, nil, func(r *rig) {
		r.api.set("services", service("web"))
		r.api.set("gateways", gateway("node-1", 1))
		before := r.mesh()
		_, changed := r.source.Wanted().Get()
		s := service("web")
		s.Annotations = map[string]string{names.AnnotationProgrammed: "true"}
		r.api.set("services", s)
		for beat := range 10 {
			r.api.set("gateways", gateway("node-1", beat))
		}
		after := r.mesh()
		select {
		case <-changed:
			r.t.Error("a mesh was handed out")
		default:
		}
		if after != before {
			r.t.Error("the mesh is another one")
		}
	})
}

func gateway(name string, beat int) *v1alpha1.Gateway {
	return &v1alpha1.Gateway{
		TypeMeta: metav1.TypeMeta{Kind: "Gateway", APIVersion: "kuscia.secretflow/v1alpha1"}, ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "bob"},
		Status: v1alpha1.GatewayStatus{Address: "192.0.2.1", HeartbeatTime: metav1.Unix(int64(beat), 0)},
	}
}

func TestTheMeshStaysWhileTheAPIServerIsAway(t *testing.T) {
	t.Parallel()
	for _, forget := range []bool{false, true} {
		t.Run(fmt.Sprintf("history lost %v", forget), func(t *testing.T) {
			t.Parallel()
			run(t, nil, func(r *rig) {
				r.api.set("services", service("stays"))
				r.api.set("services", service("goes"))
				before := r.mesh()
				r.api.leave(forget)
				time.Sleep(2 * time.Minute)
				if r.mesh() != before {
					r.t.Error("the mesh changed while the API server was away")
				}
				r.api.remove("services", "goes")
				r.api.set("services", service("comes"))
				r.api.comeBack()
				time.Sleep(2 * time.Second) // the longest pause
				after := r.mesh()
				_, goes := after.Services.Get("goes")
				_, comes := after.Services.Get("comes")
				if goes || !comes {
					r.t.Errorf("got goes %v, comes %v; want what happened meanwhile", goes, comes)
				}
				was, _ := before.Services.Get("stays")
				if is, _ := after.Services.Get("stays"); is != was {
					r.t.Error("a service that stayed is another piece")
				}
				if lost, back := strings.Count(r.log.String(), "cannot follow"), strings.Count(r.log.String(), "again"); lost != 5 || back != 5 {
					r.t.Errorf("the log tells %d times that a watch is lost and %d times that it is back, want 5 and 5:\n%s", lost, back, r.log.String())
				}
			})
		})
	}
}

func TestSettingsAreAChangeLikeAnyOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, api: newAPI(), compiled: func(source.Compiled) {}}
		r.api.set("services", service("apiserver"))
		r.start(nil)
		if r.mesh() != nil || r.ready() {
			t.Error("there is a mesh without settings")
		}
		r.settings.Set(&mesh.Settings{Domain: "bob"})
		if m := r.mesh(); m == nil || m.Problems.Len() != 0 {
			t.Errorf("got %+v, want a mesh without problems", m)
		}
		time.Sleep(time.Minute)
		r.settings.Set(&mesh.Settings{Domain: "bob", Builtins: []mesh.Builtin{{Name: "apiserver", Socket: "/s"}}})
		if m := r.mesh(); m.Problems.Len() != 1 || !r.since().Equal(time.Now()) {
			t.Errorf("got %d problems since %v, want the taken name now", m.Problems.Len(), r.since())
		}
		r.stop()
	})
}

func TestASliceMayMoveToAnotherService(t *testing.T) {
	t.Parallel()
	run(t, nil, func(r *rig) {
		r.api.set("services", service("a"))
		r.api.set("services", service("b"))
		ready := func() string {
			m := r.mesh()
			a, _ := m.Endpoints.Get("a")
			b, _ := m.Endpoints.Get("b")
			return fmt.Sprint(len(a.Ready), len(b.Ready))
		}
		for _, step := range []struct{ service, want string }{{"a", "1 0"}, {"b", "0 1"}, {"", "0 0"}, {"a", "1 0"}} {
			r.api.set("endpointslices", slice("s", step.service, "10.0.0.1"))
			if got := ready(); got != step.want {
				r.t.Errorf("with the slice at %q: got %s endpoints, want %s", step.service, got, step.want)
			}
		}
		r.api.remove("endpointslices", "s")
		if got := ready(); got != "0 0" {
			r.t.Errorf("without the slice: got %s endpoints", got)
		}
	})
}

// A slowOpener opens tokens when the test lets it.
type slowOpener struct {
	known map[string]bool
	let   chan struct{} // one token for each Open

	mu     sync.Mutex
	opened []string   // guarded by mu
	saved  [][]string // guarded by mu
}

func (o *slowOpener) Known(sealed string) (mesh.Opened, bool) {
	if !o.known[sealed] {
		return mesh.Opened{}, false
	}
	return opened(sealed), true
}

func (o *slowOpener) Open(sealed string) mesh.Opened {
	<-o.let
	o.mu.Lock()
	defer o.mu.Unlock()
	o.opened = append(o.opened, sealed)
	return opened(sealed)
}

func (o *slowOpener) Save(inUse iter.Seq[string]) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.saved = append(o.saved, slices.Sorted(inUse))
	return nil
}

// opened is a token of 32 bytes that is told by the first characters of its text.
func opened(sealed string) mesh.Opened {
	text := strings.NewReplacer("-", "0").Replace(sealed)
	return mesh.Opened{Token: mesh.Hide((text + strings.Repeat("A", 43))[:42] + "A=")}
}

func TestServicesGoLiveBeforeTokens(t *testing.T) {
	t.Parallel()
	o := &slowOpener{known: map[string]bool{"known": true}}
	run(t, o, func(r *rig) {
		o.let = make(chan struct{}, 100) // of the bubble
		r.api.set("domainroutes", route("alice", "bob", "known"))
		r.api.set("domainroutes", route("carol", "bob", "slow1", "slow2"))
		r.api.set("services", service("web"))
		if m := r.mesh(); m.Services.Len() != 1 || m.Accepted.Len() != 1 || m.Unopened != 2 {
			r.t.Errorf("got %d services, %d tokens, %d unopened; want the service and the known token at once", m.Services.Len(), m.Accepted.Len(), m.Unopened)
		}
		time.Sleep(time.Minute)
		o.let <- struct{}{}
		if m := r.mesh(); m.Accepted.Len() != 2 || m.Unopened != 1 || !r.since().Equal(time.Now()) {
			r.t.Errorf("got %d tokens, %d unopened since %v; want one more now", m.Accepted.Len(), m.Unopened, r.since())
		}
		if len(o.saved) != 0 {
			r.t.Error("tokens are saved although one is being opened")
		}
		o.let <- struct{}{}
		if m := r.mesh(); m.Accepted.Len() != 3 || m.Unopened != 0 || len(o.saved) != 1 {
			r.t.Errorf("got %d tokens, %d unopened, %d saves; want all, and one save", m.Accepted.Len(), m.Unopened, len(o.saved))
		}
	})
}

// A save writes every token, so one changed token among many must not cause one; nor may it be lost when the process ends in order.
func TestOneTokenAmongManyIsSavedAtTheEnd(t *testing.T) {
	t.Parallel()
	o := &slowOpener{known: map[string]bool{}}
	run(t, o, func(r *rig) {
		o.let = make(chan struct{}, 100)
		for i := range 40 {
			sealed := fmt.Sprint("known", i)
			o.known[sealed] = true
			r.api.set("domainroutes", route(fmt.Sprint("source-", i), "bob", sealed))
		}
		r.mesh()
		r.api.set("domainroutes", route("source-7", "bob", "known7", "new"))
		o.let <- struct{}{}
		if m := r.mesh(); m.Unopened != 0 || m.Accepted.Len() != 41 {
			r.t.Errorf("got %d tokens, %d unopened; want 41 and none", m.Accepted.Len(), m.Unopened)
		}
		if len(o.saved) != 0 {
			r.t.Errorf("%d saves for one token among 41", len(o.saved))
		}
	})
	if len(o.saved) != 1 || len(o.saved[0]) != 41 {
		t.Errorf("saved %v at the end, want all 41 tokens once", o.saved)
	}
}

func TestTokensThatNobodyListsAreForgotten(t *testing.T) {
	t.Parallel()
	o := &slowOpener{}
	run(t, o, func(r *rig) {
		o.let = make(chan struct{}, 100)
		r.api.set("domainroutes", route("alice", "bob", "one", "two"))
		r.mesh()
		r.api.set("domainroutes", route("alice", "bob", "two", "three")) // one is being opened and no longer wanted
		r.mesh()
		for range 3 {
			o.let <- struct{}{}
		}
		if m := r.mesh(); m.Accepted.Len() != 2 || m.Unopened != 0 {
			r.t.Errorf("got %d tokens, %d unopened; want two and three", m.Accepted.Len(), m.Unopened)
		}
		if got := o.saved[len(o.saved)-1]; !slices.Equal(got, []string{"three", "two"}) {
			r.t.Errorf("saved %v, want three and two", got)
		}
		r.api.set("domainroutes", route("alice", "bob", "one", "two", "three"))
		if m := r.mesh(); m.Unopened != 1 {
			r.t.Errorf("got %d unopened, want one: what came of it when nobody listed it is forgotten", m.Unopened)
		}
		o.let <- struct{}{}
		r.mesh()
		if got := strings.Join(o.opened, " "); strings.Count(got, "one") != 2 || strings.Count(got, "two") != 1 {
			r.t.Errorf("opened %s; want one again, since it was forgotten, and two only once", got)
		}
		r.api.remove("domainroutes", "alice-bob")
		if m := r.mesh(); m.Accepted.Len() != 0 {
			r.t.Errorf("got %d tokens of no route", m.Accepted.Len())
		}
	})
}

func TestACertificateEndsWithoutAnyEvent(t *testing.T) {
	t.Parallel()
	run(t, nil, func(r *rig) {
		end := time.Now().Add(48 * time.Hour).Truncate(time.Second)
		d := route("bob", "alice")
		d.Spec.MTLSConfig = certificate(r.t, end)
		d.Spec.Endpoint = v1alpha1.RouteEndpoint{Host: "alice.example", Ports: []v1alpha1.RoutePort{{Name: "https", Port: 443, Protocol: v1alpha1.PortHTTP, IsTLS: true}}}
		r.api.set("domainroutes", d)
		if m := r.mesh(); m.Problems.Len() != 0 || m.Outbound.Len() != 1 {
			r.t.Errorf("got %d problems of %d routes, want a good one", m.Problems.Len(), m.Outbound.Len())
		}
		time.Sleep(time.Until(end.Add(time.Second)))
		if m := r.mesh(); m.Problems.Len() != 1 {
			r.t.Errorf("got %d problems, want the ended certificate", m.Problems.Len())
		}
	})
}

func TestASourceSaysWhatItLacks(t *testing.T) {
	t.Parallel()
	var settings latest.Value[*mesh.Settings]
	for _, c := range []struct {
		name string
		cfg  source.Config
		want string
	}{
		{"no API server", source.Config{Namespace: "bob", Settings: &settings}, "Config.REST"},
		{"no namespace", source.Config{REST: newAPI().config(), Settings: &settings}, "Config.Namespace"},
		{"no settings", source.Config{REST: newAPI().config(), Namespace: "bob"}, "Config.Settings"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := source.New(c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
