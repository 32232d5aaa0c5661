package translate_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/translate"
)

// Whoever floods the handshakes from one address does not keep out those who come from another one.
func TestHandshakesAreLimitedByAddress(t *testing.T) {
	t.Parallel()
	g := newGate(t, bob(t).done())
	shake := func(from, method string) int {
		return g.external(call{path: "/handshake", method: method, from: from, header: map[string]string{names.HeaderHost: "kuscia-handshake.bob.svc"}}).Code
	}
	refused := 0
	for range 60 {
		if shake("127.0.0.8", http.MethodPost) == http.StatusTooManyRequests {
			refused++
		}
	}
	if refused == 0 {
		t.Error("60 handshakes at once from one address all get through")
	}
	for range 5 {
		if got := shake("127.0.0.9", http.MethodPost); got != 200 {
			t.Errorf("a handshake from another address: %d", got)
		}
	}
	if got := shake("127.0.0.8", http.MethodGet); got != 200 {
		t.Errorf("a heartbeat from the address of the flood: %d", got)
	}
}

// The limit of a task holds for the hosts that its services call, and for nobody else's: what is limited to 1 KiB/s has not arrived when as much of
// everything else has.
func TestATasksBandwidthIsLimited(t *testing.T) {
	t.Parallel()
	sink := echo(t, "sink")
	limited := []mesh.Bandwidth{{Destination: "bob", Task: "t", KiBps: 1}}
	g := newGate(t, newDraft("alice").
		service(mesh.Service{Name: "t-0-spu", Bandwidth: limited}, sink).
		service(mesh.Service{Name: "t-0-fed", Bandwidth: limited}, sink).
		calls(mesh.Route{Destination: "bob"}, sink, 'A').done())
	post := func(host string) call {
		return call{network: "tcp", address: g.address(translate.ListenerInternal).String(), host: host, path: "/", method: http.MethodPost, body: strings.Repeat("x", 1<<20)}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var slow sync.WaitGroup
	defer slow.Wait()
	defer cancel()
	arrived := make(chan string, 2)
	for _, host := range []string{"t-0-spu.bob.svc", "t-0-fed.bob.svc"} {
		limited := post(host)
		slow.Go(func() {
			if a, err := do(ctx, limited); err == nil {
				arrived <- host + ": " + a.String()
			}
		})
	}
	for _, host := range []string{"t-1-spu.bob.svc", "xt-0-spu.bob.svc", "t.bob.svc", "t-0-spu.alice.svc"} {
		if got, err := do(t.Context(), post(host)); err != nil || got.Seen.Body != 1<<20 {
			t.Errorf("%s: %v, %v", host, got, err)
		}
	}
	select {
	case got := <-arrived:
		t.Errorf("1 MiB at 1 KiB/s arrived: %s", got)
	default:
	}
}
