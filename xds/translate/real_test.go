package translate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/internal/lab/envoy"
	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/bootstrap"
	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/serve"
	"github.com/entente-mesh/entente/xds/translate"
)

// confirmTimeout bounds how long Envoy may take to confirm a commit. It takes milliseconds.
const confirmTimeout = 30 * time.Second

// A gate is a real Envoy that gets what is translated from a mesh, as in production.
type gate struct {
	t         testing.TB
	mesh      *mesh.Mesh
	cache     *cache.Cache
	listeners *cache.Cache
	envoy     *envoy.Envoy
	dir       string
	gateway   translate.Gateway
}

// newGate starts a domain's Envoy with what is in the mesh. Without Envoy the test is skipped.
func newGate(t testing.TB, m *mesh.Mesh) *gate {
	t.Helper()
	envoy.Binary(t)
	g := &gate{t: t, cache: cache.New([]byte("salt")), dir: envoy.Dir(t)}
	g.listeners = g.cache.Beside()
	g.gateway = translate.Gateway{
		Name: m.Settings.Domain + "-0", Version: "test",
		External: netip.MustParseAddrPort("127.0.0.1:0"), Internal: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")},
		Control: filepath.Join(g.dir, "control.sock"), Proof: filepath.Join(g.dir, "proof.sock"), Logs: g.dir,
	}
	g.serve(m.Settings.Domain)
	if _, err := g.listeners.Commit(cache.Delta{Set: translate.Listeners(m.Settings, g.gateway)}, time.Now()); err != nil {
		t.Fatal(err)
	}
	g.commit(m)
	boot, err := bootstrap.Make(bootstrap.Config{
		Domain: m.Settings.Domain, Gateway: g.gateway.Name, Admin: filepath.Join(g.dir, "admin.sock"), Socket: g.xds(),
	})
	if err != nil {
		t.Fatal(err)
	}
	g.envoy = envoy.Start(t, envoy.Options{Bootstrap: boot, Dir: g.dir})
	g.confirmed(g.cache.Seq())
	return g
}

// in is the gate for a part of the test.
func (g *gate) in(t testing.TB) *gate {
	part := *g
	part.t = t
	return &part
}

func (g *gate) xds() string { return filepath.Join(g.dir, "xds.sock") }

// Open shows everything to the one Envoy.
func (g *gate) Open(_, _ string) (serve.View, error) {
	view, err := cache.NewView(g.cache, g.listeners)
	return serve.View{Resources: view, Board: g.cache.Board()}, err
}

func (g *gate) serve(domain string) {
	listener, err := net.Listen("unix", g.xds())
	if err != nil {
		g.t.Fatal(err)
	}
	server := serve.New(serve.Config{Listener: listener, Authenticator: serve.Local{Domain: domain}, Views: g, Drain: time.Millisecond})
	ctx, cancel := context.WithCancel(context.WithoutCancel(g.t.Context()))
	var group errgroup.Group
	group.Go(func() error { return server.Run(ctx) })
	g.t.Cleanup(func() {
		cancel()
		if err := group.Wait(); err != nil {
			g.t.Errorf("xDS server: %v", err)
		}
	})
}

// set gives the Envoy another mesh and returns when it has confirmed it.
func (g *gate) set(m *mesh.Mesh) {
	g.t.Helper()
	g.confirmed(g.commit(m))
}

func (g *gate) commit(m *mesh.Mesh) uint64 {
	g.t.Helper()
	delta, problems := translate.Delta(g.mesh, m)
	for _, p := range problems {
		g.t.Logf("%s: %v", m.Settings.Domain, p)
	}
	seq, err := g.cache.Commit(delta, time.Now())
	if err != nil {
		g.t.Fatal(err)
	}
	g.mesh = m
	return seq
}

// confirmed waits until Envoy has dealt with a commit, and fails the test if it has refused anything.
func (g *gate) confirmed(seq uint64) {
	g.t.Helper()
	deadline := time.NewTimer(confirmTimeout)
	defer deadline.Stop()
	for {
		verdict, changed := g.cache.Board().Reached(seq)
		if verdict.State == live.Confirmed {
			break
		}
		select {
		case <-changed:
		case <-deadline.C:
			g.t.Fatalf("Envoy of %s has not confirmed commit %d: %+v", g.mesh.Settings.Domain, seq, verdict)
		}
	}
	events, _ := g.cache.Board().Events()
	for _, e := range events {
		if e.Verdict.State == live.Rejected {
			g.t.Errorf("Envoy of %s refused what came from %v: %s", g.mesh.Settings.Domain, e.Ref, e.Verdict.Reason)
		}
	}
	for name, n := range g.envoy.Stats(`rejected|update_failure`) {
		if n != 0 && !strings.Contains(name, "update_failure") {
			g.t.Errorf("Envoy of %s: %s = %d", g.mesh.Settings.Domain, name, n)
		}
	}
}

// address is where a listener listens.
func (g *gate) address(listener string) netip.AddrPort {
	g.t.Helper()
	var answer struct {
		Status []struct {
			Name  string `json:"name"`
			Local struct {
				Socket struct {
					Address string `json:"address"`
					Port    uint16 `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := json.Unmarshal([]byte(g.envoy.Ask("/listeners?format=json")), &answer); err != nil {
		g.t.Fatal(err)
	}
	for _, l := range answer.Status {
		if l.Name == listener && l.Local.Socket.Port != 0 {
			return netip.AddrPortFrom(netip.MustParseAddr(l.Local.Socket.Address), l.Local.Socket.Port)
		}
	}
	g.t.Fatalf("Envoy of %s has no listener %s: %+v", g.mesh.Settings.Domain, listener, answer)
	return netip.AddrPort{}
}

// A draft is a mesh that is being written down.
type draft struct{ mesh.Mesh }

func newDraft(domain string) *draft {
	return &draft{mesh.Mesh{Settings: &mesh.Settings{Domain: domain, Address: netip.MustParseAddr("127.0.0.1")}}}
}

// of begins a draft with what is in a mesh.
func of(m *mesh.Mesh) *draft { return &draft{*m} }

func (d *draft) done() *mesh.Mesh { m := d.Mesh; return &m }

func ref(kind, name string) live.Ref {
	return live.Ref{Kind: kind, Namespace: "test", Name: name, Version: "1"}
}

// service adds a service with its endpoints.
func (d *draft) service(s mesh.Service, at ...netip.AddrPort) *draft {
	s.Ref = ref("Service", s.Name)
	e := &mesh.Endpoints{Ref: s.Ref, Service: s.Name}
	for _, a := range at {
		e.Ready = append(e.Ready, mesh.Endpoint{Address: a})
	}
	d.Services = d.Services.With(s.Name, &s)
	d.Endpoints = d.Endpoints.With(s.Name, e)
	return d
}

func (d *draft) builtin(b mesh.Builtin) *draft {
	b.Ref = ref("Builtin", b.Name)
	return d.service(mesh.Service{Name: b.Name, Protocol: b.Protocol, Builtin: &b})
}

// calls adds a route on which the domain calls a partner at an address, with a token that begins with the given letter.
func (d *draft) calls(r mesh.Route, at netip.AddrPort, first byte) *draft {
	r.Ref = ref("DomainRoute", d.Settings.Domain+"-"+r.Destination)
	r.Source = d.Settings.Domain
	if r.Via == "" && at.IsValid() {
		r.Host = at.Addr().String()
		for i := range r.Hops {
			r.Hops[i].Port = at.Port()
		}
		if len(r.Hops) == 0 {
			r.Hops = []mesh.Hop{{Name: "http", Port: at.Port(), Handshake: true}}
		}
	}
	defaults(&r)
	d.Outbound = d.Outbound.With(r.Destination, &r)
	if r.Auth == mesh.AuthToken && r.Via == "" {
		d.Tokens = d.Tokens.With(r.Destination, &mesh.Tokens{Ref: r.Ref, Destination: r.Destination, Current: mesh.Hide(token(r.Source, r.Destination, first))})
	}
	return d
}

// called adds a route on which a partner calls the domain.
func (d *draft) called(r mesh.Route, first byte) *draft {
	r.Ref = ref("DomainRoute", r.Source+"-"+d.Settings.Domain)
	r.Destination = d.Settings.Domain
	defaults(&r)
	d.Inbound = d.Inbound.With(r.Source, &r)
	if r.Auth == mesh.AuthToken && r.Via == "" {
		d.Accepted = d.Accepted.With(token(r.Source, r.Destination, first), mesh.Accepted{Source: r.Source})
	}
	return d
}

func defaults(r *mesh.Route) {
	if r.Auth == "" {
		r.Auth = mesh.AuthToken
	}
	if r.Protocol == "" {
		r.Protocol = mesh.Kuscia
	}
	r.Name = names.DomainRoute(r.Source, r.Destination)
}

// token is one that both ends of a route know.
func token(source, destination string, first byte) string {
	return string(first) + strings.Repeat("0", 20) + source + "/" + destination
}

// A seen is what a service was asked.
type seen struct {
	Service, Proto, Method, Host, Path string
	Header                             http.Header
	Body                               int64
}

// echo starts a service that answers with what it was asked, over HTTP/1 and HTTP/2.
func echo(t testing.TB, service string) netip.AddrPort {
	t.Helper()
	return startService(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		_ = json.NewEncoder(w).Encode(seen{ // to whoever is gone
			Service: service, Proto: r.Proto, Method: r.Method, Host: r.Host, Path: r.URL.RequestURI(), Header: r.Header, Body: n,
		})
	}))
}

func startService(t testing.TB, h http.Handler) netip.AddrPort {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}

// A call is one request and what is expected of it.
type call struct {
	network, address string // tcp and the external listener by default
	from             string // own address
	method, host     string
	path             string
	header           map[string]string
	body             string
	http2            bool
}

// An answer is what came of a call.
type answer struct {
	Code   int
	Header http.Header
	Text   string
	Seen   seen // if a service answered
}

// do makes one call over a connection of its own.
func do(ctx context.Context, c call) (answer, error) {
	if c.method == "" {
		c.method = http.MethodGet
	}
	dialer := net.Dialer{}
	if c.from != "" {
		dialer.LocalAddr = &net.TCPAddr{IP: net.ParseIP(c.from)}
	}
	transport := &http.Transport{Protocols: new(http.Protocols), DisableKeepAlives: !c.http2, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, c.network, c.address)
	}}
	transport.Protocols.SetHTTP1(!c.http2)
	transport.Protocols.SetUnencryptedHTTP2(c.http2)
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, c.method, "http://gateway"+c.path, strings.NewReader(c.body))
	if err != nil {
		return answer{}, err
	}
	r.Host = c.host
	for k, v := range c.header {
		r.Header[k] = strings.Split(v, "|") // as it is written, and several if there are bars
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, errors.Join(err, response.Body.Close())
	}
	a := answer{Code: response.StatusCode, Header: response.Header, Text: string(body)}
	_ = json.Unmarshal(body, &a.Seen) // what is not an echo stays empty
	return a, response.Body.Close()
}

// external calls the gate as a partner would.
func (g *gate) external(c call) answer {
	g.t.Helper()
	return g.call("tcp", g.address(translate.ListenerExternal).String(), c)
}

// internal calls the gate as a pod would.
func (g *gate) internal(c call) answer {
	g.t.Helper()
	return g.call("tcp", g.address(translate.ListenerInternal).String(), c)
}

// control calls the gate as Entente itself would.
func (g *gate) control(c call) answer {
	g.t.Helper()
	return g.call("unix", g.gateway.Control, c)
}

func (g *gate) call(network, address string, c call) answer {
	g.t.Helper()
	c.network, c.address = network, address
	if c.path == "" {
		c.path = "/"
	}
	a, err := do(g.t.Context(), c)
	if err != nil {
		g.t.Fatalf("call %s of %s: %v", c.host, g.mesh.Settings.Domain, err)
	}
	return a
}

// as is what a partner's gateway sends: whom it is for, who sends it, and what proves it.
func as(source, destination, host string, first byte) map[string]string {
	return map[string]string{
		names.HeaderHost: host, names.HeaderSource: source, names.HeaderToken: token(source, destination, first), names.HeaderOriginSource: source,
	}
}

// with is a copy of headers with more.
func with(header map[string]string, more ...string) map[string]string {
	all := map[string]string{}
	for k, v := range header {
		all[k] = v
	}
	for i := 0; i < len(more); i += 2 {
		all[more[i]] = more[i+1]
	}
	return all
}

func (a answer) String() string {
	return fmt.Sprintf("%d %s %q from %q", a.Code, a.Header.Get(names.HeaderErrorMessage), a.Text, a.Seen.Service)
}
