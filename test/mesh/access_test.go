package mesh

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/auth/seal"
)

// TestAccessRulesAllowAndRefuse: a service says which domains may call it, and what it does not say is refused by its own gateway.
func TestAccessRulesAllowAndRefuse(t *testing.T) {
	world(t)
	bob.serveEcho(t, "10.2.0.1:8005")
	services := map[string]struct {
		change func(*corev1.Service)
		want   int
	}{
		"open":       {func(*corev1.Service) {}, http.StatusOK},
		"for-alice":  {accessFor("alice", "dave"), http.StatusOK},
		"for-others": {accessFor("carol", "dave"), http.StatusForbidden},
		"own": {func(s *corev1.Service) {
			s.Labels = map[string]string{names.LabelPortScope: "Domain"}
		}, http.StatusNotFound},
	}
	for name, c := range services {
		if err := bob.serve(t.Context(), "rule-"+name, 8005, c.change); err != nil {
			t.Fatal(err)
		}
	}
	await(t, alice, "rule-open.bob.svc")
	await(t, alice, "rule-for-alice.bob.svc")
	for name, c := range services {
		t.Run(name, func(t *testing.T) {
			await(t, bob, "rule-"+name+".bob.svc") // the domain's own pods may call everything
			answer := status(t, alice, "rule-"+name+".bob.svc")
			if answer.StatusCode != c.want {
				t.Errorf("alice was answered %s, want %d", answer.Status, c.want)
			}
			if c.want != http.StatusOK && !strings.Contains(answer.Header.Get(names.HeaderErrorMessage), "bob/") {
				t.Errorf("the refusal does not say that it is bob's: %q", answer.Header.Get(names.HeaderErrorMessage))
			}
		})
	}
}

// TestNoRequestSlipsThroughWhileAServiceIsTightened: carol has a route to bob and no right to the service. Whatever becomes of the service
// and however carol spells its name, from the moment that it is restricted until it is open again not one of carol's requests gets in.
func TestNoRequestSlipsThroughWhileAServiceIsTightened(t *testing.T) {
	world(t)
	bob.serveEcho(t, "10.2.0.1:8006")
	token := routeFromCarol(t)
	spellings := []string{"tight.bob.svc", "tight.bob.svc:80", "TIGHT.bob.svc", "tight.bob.svc.", "tight.bob.svc:080", "tight"}
	rounds := 6
	for round := range rounds {
		// Restricted from birth, so every success counts from the first moment on.
		if err := bob.serve(t.Context(), "tight", 8006, accessFor("alice")); err != nil {
			t.Fatal(err)
		}
		probe := startProbe(t, token, spellings)
		await(t, alice, "tight.bob.svc")
		probe.pass(t, 40)
		probe.check(t, round, "restricted from birth")
		service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "bob", Name: "tight"}}
		// Open it: now carol may. Then restrict it again: from the moment when alice's gateway says that it holds, carol may not.
		restricted := awaitProgrammed(t, service, "")
		setAccess(t, service, "")
		probe.untilIn(t)
		open := awaitProgrammed(t, service, restricted)
		setAccess(t, service, "alice")
		awaitProgrammed(t, service, open)
		probe.restart()
		probe.pass(t, 40)
		probe.check(t, round, "restricted again")
		for _, object := range []client.Object{service} {
			if err := bob.client.Delete(t.Context(), object); err != nil {
				t.Fatal(err)
			}
		}
		probe.pass(t, 20)
		probe.check(t, round, "removed")
		probe.end()
		removeSlice(t, "tight")
	}
}

func accessFor(domains ...string) func(*corev1.Service) {
	return func(s *corev1.Service) {
		s.Annotations = map[string]string{names.AnnotationAccessDomain: strings.Join(domains, ",")}
	}
}

func setAccess(t *testing.T, service *corev1.Service, domains string) {
	t.Helper()
	if err := bob.client.Get(t.Context(), client.ObjectKeyFromObject(service), service); err != nil {
		t.Fatal(err)
	}
	base := service.DeepCopy()
	if domains == "" {
		delete(service.Annotations, names.AnnotationAccessDomain)
	} else {
		service.Annotations[names.AnnotationAccessDomain] = domains
	}
	if err := bob.client.Patch(t.Context(), service, client.MergeFrom(base)); err != nil {
		t.Fatal(err)
	}
}

// routeFromCarol lets a third domain call bob, and returns its token. Nobody runs carol: the test calls in its name.
func routeFromCarol(t *testing.T) seal.Token {
	t.Helper()
	token, err := seal.NewToken(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	route := &v1alpha1.DomainRoute{
		ObjectMeta: metav1.ObjectMeta{Namespace: "bob", Name: names.DomainRoute("carol", "bob")},
		Spec: v1alpha1.RouteSpec{
			Source: "carol", Destination: "bob", AuthenticationType: v1alpha1.AuthToken,
			Endpoint:    v1alpha1.RouteEndpoint{Host: bob.node.IP().String(), Ports: []v1alpha1.RoutePort{{Name: "http", Port: names.PortExternal, Protocol: v1alpha1.PortHTTP}}},
			TokenConfig: &v1alpha1.TokenConfig{TokenGenMethod: v1alpha1.TokenGenRSA},
		},
	}
	if err := bob.client.Create(t.Context(), route); err != nil {
		t.Fatal(err)
	}
	if err := bob.giveTokens(t.Context(), route, token); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = bob.client.Delete(context.Background(), route) }) // the world ends soon
	return token
}

// A probe knocks at bob's external door without pause, under all spellings of a name.
type probe struct {
	knocks, in atomic.Int64
	spelling   atomic.Value // string: one that got in
	stop       context.CancelFunc
	done       chan struct{}
}

func startProbe(t *testing.T, token seal.Token, spellings []string) *probe {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	p := &probe{stop: stop, done: make(chan struct{})}
	go func() { // ends with the probe
		defer close(p.done)
		for i := 0; ctx.Err() == nil; i++ {
			name := spellings[i%len(spellings)]
			if code, err := knock(ctx, token, name); err == nil && code == http.StatusOK {
				p.spelling.Store(name)
				p.in.Add(1)
			}
			p.knocks.Add(1)
		}
	}()
	t.Cleanup(p.end)
	return p
}

func (p *probe) end() {
	p.stop()
	<-p.done
}

// restart forgets who got in so far. A knock that is under way counts as before.
func (p *probe) restart() {
	for start := p.knocks.Load(); p.knocks.Load() == start; {
		<-time.After(time.Millisecond)
	}
	p.in.Store(0)
}

func (p *probe) pass(t *testing.T, n int64) {
	t.Helper()
	p.until(t, func() bool { return p.knocks.Load() >= n }, p.knocks.Load()+n)
}

func (p *probe) untilIn(t *testing.T) {
	t.Helper()
	p.until(t, func() bool { return p.in.Load() > 0 }, 0)
}

func (p *probe) until(t *testing.T, reached func() bool, knocks int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for tick := time.NewTicker(2 * time.Millisecond); !reached() || p.knocks.Load() < knocks; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("the probe waits in vain")
		}
	}
}

func (p *probe) check(t *testing.T, round int, state string) {
	t.Helper()
	if n := p.in.Load(); n > 0 {
		t.Errorf("round %d, %s: %d of %d knocks got in, one as %v", round, state, n, p.knocks.Load(), p.spelling.Load())
	}
}

// knock sends one request to bob's external listener as carol's gateway would.
func knock(ctx context.Context, token seal.Token, host string) (int, error) {
	raw, err := alice.node.Dial(ctx, "tcp", net.JoinHostPort(bob.node.IP().String(), fmt.Sprint(names.PortExternal)))
	if err != nil {
		return 0, err
	}
	conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true}) // it is the caller who is not to be trusted here
	defer conn.Close()
	var text bytes.Buffer
	fmt.Fprintf(&text, "GET / HTTP/1.1\r\nHost: x\r\n%s: %s\r\n%s: carol\r\n%s: carol\r\n%s: %s\r\nConnection: close\r\n\r\n",
		names.HeaderHost, host, names.HeaderSource, names.HeaderOriginSource, names.HeaderToken, token.Header())
	if _, err := conn.Write(text.Bytes()); err != nil {
		return 0, err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body) // the status counts
	return answer.StatusCode, nil
}

// status sends one request from a domain's pods.
func status(t *testing.T, from *domain, host string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := from.http1().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer
}
