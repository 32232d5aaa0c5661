package translate_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/translate"
)

// TestNobodyWithoutRightGetsInAtAnyMoment changes who may call a service while somebody without right asks for it without pause, by each spelling of
// its host. A service that was never open lets nobody in, whatever becomes of it and of its neighbors. One that was open is closed from the moment
// at which Envoy has confirmed.
func TestNobodyWithoutRightGetsInAtAnyMoment(t *testing.T) {
	t.Parallel()
	at := echo(t, "echo")
	restricted := func(name string) mesh.Service {
		return mesh.Service{Name: name, Restricted: true, Callers: []string{"alice"}}
	}
	closed := newDraft("bob").called(mesh.Route{Source: "alice"}, 'A').called(mesh.Route{Source: "mallory"}, 'M').
		service(restricted("never"), at).service(restricted("changing"), at)
	g := newGate(t, closed.done())
	p := newProbe(t, g, "never", "changing")

	const rounds = 15
	for range rounds {
		p.open("changing")
		g.set(of(g.mesh).service(mesh.Service{Name: "changing"}, at).done())
		g.set(of(g.mesh).service(restricted("changing"), at).done())
		p.close("changing")
		p.some()

		p.open("changing")
		g.set(of(g.mesh).service(mesh.Service{Name: "changing"}, at).done())
		g.set(of(g.mesh).service(mesh.Service{Name: "changing", Restricted: true}, at).done()) // of this domain alone
		p.close("changing")
		p.some()

		without := of(g.mesh)
		without.Services, without.Endpoints = without.Services.Without("never"), without.Endpoints.Without("never")
		g.set(without.done())
		p.some()
		g.set(of(g.mesh).service(restricted("never"), at).done())
		p.some()
	}
	p.stop()
	if p.passed.Load() == 0 {
		t.Error("nothing passed while the service was open: the probe sees nothing")
	}
	if got := g.external(call{header: as("alice", "bob", "never.bob.svc", 'A')}); got.Code != 200 {
		t.Errorf("who has the right gets %v", got)
	}
}

// A probe asks for services, over and over.
type probe struct {
	t      *testing.T
	opened map[string]*atomic.Int64 // by service; odd while it may be open
	asked  chan struct{}            // gets something after each request
	cancel context.CancelFunc
	all    sync.WaitGroup
	passed atomic.Int64
}

func newProbe(t *testing.T, g *gate, services ...string) *probe {
	ctx, cancel := context.WithCancel(t.Context())
	p := &probe{t: t, opened: map[string]*atomic.Int64{}, asked: make(chan struct{}), cancel: cancel}
	address := g.address(translate.ListenerExternal).String()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	for _, service := range services {
		p.opened[service] = new(atomic.Int64)
	}
	for _, service := range services {
		for _, port := range []string{"", ":80"} {
			p.all.Go(func() { p.run(ctx, transport, service, service+".bob.svc"+port) })
		}
	}
	t.Cleanup(p.stop)
	return p
}

func (p *probe) run(ctx context.Context, transport *http.Transport, service, host string) {
	for ctx.Err() == nil {
		before := p.opened[service].Load()
		code, err := ask(ctx, transport, host)
		if err != nil && ctx.Err() == nil {
			p.t.Errorf("ask for %s: %v", host, err)
			return
		}
		if code == http.StatusOK {
			p.passed.Add(1)
			if before%2 == 0 && p.opened[service].Load() == before {
				p.t.Errorf("%s lets in who has no right", host)
			}
		}
		select {
		case p.asked <- struct{}{}:
		case <-ctx.Done():
		default:
		}
	}
}

func ask(ctx context.Context, transport *http.Transport, host string) (int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://gateway/", nil)
	if err != nil {
		return 0, err
	}
	for k, v := range as("mallory", "bob", host, 'M') {
		r.Header.Set(k, v)
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close() // it was read to its end
	return response.StatusCode, err
}

func (p *probe) open(service string)  { p.opened[service].Add(1) }
func (p *probe) close(service string) { p.opened[service].Add(1) }

// some waits for a few requests.
func (p *probe) some() {
	for range 40 {
		<-p.asked
	}
}

func (p *probe) stop() {
	p.cancel()
	p.all.Wait()
}
