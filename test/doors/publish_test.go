package doors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/internal/child"
	"github.com/entente-mesh/entente/internal/lab/envoy"
	"github.com/entente-mesh/entente/internal/latest"
	"github.com/entente-mesh/entente/internal/run"
	"github.com/entente-mesh/entente/xds/bootstrap"
	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/proxy"
	"github.com/entente-mesh/entente/xds/publish"
	"github.com/entente-mesh/entente/xds/serve"
	"github.com/entente-mesh/entente/xds/translate"
)

func TestAGatewayIsPublishedOnlyWhenItsAuthenticationWorks(t *testing.T) {
	t.Parallel()
	eachEnvoy(t, func(t *testing.T, binary proxy.Binary) {
		t.Parallel()
		broken, reason := damage(unauthenticated), "a request without a token got status 403"
		if older(binary.Version) {
			broken = bare // what an earlier Envoy makes of a configuration that a later one takes
		}
		if binary.Version.Before(proxy.Version{Major: 1, Minor: 38}) {
			reason = "no such file" // Envoy refuses that listener
		}
		g := newGateway(t, binary, broken)
		err := g.awaitFailure()
		if !strings.Contains(err.Error(), reason) {
			t.Errorf("the doorkeeper says %v, want %q", err, reason)
		}
		if got := g.doors(); len(got) > 0 {
			t.Errorf("open to the network: %v", got)
		}
		if proxy.Proven(g.dir) {
			t.Error("a broken Envoy is remembered as proved")
		}
		g.mend()
		g.awaitOpen()
		external := g.awaitDoor(translate.ListenerExternal)
		if got := g.get(external, service, ""); got != "401" {
			t.Errorf("without a token: %s, want 401", got)
		}
		if got := g.get(external, service, token()); got != "200 inside" {
			t.Errorf("with a token: %s, want the service's answer", got)
		}
		if got := g.get(external, secret, token()); got != "403" {
			t.Errorf("with a token, at a service for somebody else: %s, want 403", got)
		}
		if !proxy.Proven(g.dir) {
			t.Error("the proved Envoy is not remembered")
		}
		g.replacedByABrokenOne(external)
	})
}

// replacedByABrokenOne exchanges Envoy by a hot restart. While both run they listen on the same private socket, and the old one's refusals must not
// be taken for the new one's.
func (g *gatewayUnderTest) replacedByABrokenOne(external string) {
	g.t.Helper()
	g.damage(unauthenticated)
	before, _ := g.proxy.State()
	next := g.config
	next.Bootstrap = g.bootstrap(map[string]string{"another": "one"})
	if err := g.proxy.Update(next); err != nil {
		g.t.Fatal(err)
	}
	g.await("replaced", func() (bool, <-chan struct{}) {
		s, changed := g.proxy.State()
		return s.Live && s.PID != before.PID && s.Draining == 0, changed
	})
	if err := g.awaitFailure(); !strings.Contains(err.Error(), "got status") {
		g.t.Errorf("the doorkeeper says %v, want what is wrong with the new Envoy", err)
	}
	if got := g.doors(); len(got) > 0 || proxy.Proven(g.dir) {
		g.t.Errorf("the new Envoy was never proved: open %v, remembered %t", got, proxy.Proven(g.dir))
	}
	if conn, err := new(net.Dialer).DialContext(g.t.Context(), "tcp", external); err == nil {
		_ = conn.Close() // it should not be there
		g.t.Error("somebody takes connections at the old address")
	}
	g.mend()
	g.awaitOpen()
	if got := g.get(g.awaitDoor(translate.ListenerExternal), service, ""); got != "401" {
		g.t.Errorf("mended, without a token: %s, want 401", got)
	}
}

// A gatewayUnderTest is a node's gateway in the wiring of production, except that its listeners can be damaged on the way to Envoy.
type gatewayUnderTest struct {
	t         *testing.T
	dir       string // Envoy's private folder
	config    proxy.Config
	proxy     *proxy.Proxy
	keeper    *proxy.Doorkeeper
	publisher *publish.Publisher
	cache     *cache.Cache

	mu     sync.Mutex
	broken damage // guarded by mu
	all    map[*damagedDoor]struct{}
}

func newGateway(t *testing.T, binary proxy.Binary, broken damage) *gatewayUnderTest {
	t.Helper()
	home := envoy.Dir(t)
	g := &gatewayUnderTest{t: t, dir: filepath.Join(home, "envoy"), cache: cache.New([]byte("salt")), broken: broken, all: map[*damagedDoor]struct{}{}}
	g.config = proxy.Config{
		Binary: binary, Dir: g.dir, Bootstrap: g.bootstrap(nil), Concurrency: 1, Drain: time.Second, LogLevel: "warning", Adopt: true,
		Log: child.Log{File: filepath.Join(home, "envoy.log")},
	}
	var err error
	if g.proxy, err = proxy.New(g.config); err != nil {
		t.Fatal(err)
	}
	var wanted latest.Value[publish.Wanted]
	wanted.Set(publish.Wanted{Mesh: theMesh(startEcho(t)), Since: time.Now()})
	if g.publisher, err = publish.New(publish.Config{Wanted: wanted.Get, Cache: g.cache}); err != nil {
		t.Fatal(err)
	}
	g.keeper = proxy.NewDoorkeeper(proxy.DoorkeeperConfig{Dir: g.dir, Dial: func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", theGateway(g.dir).Proof)
	}})
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", g.xds())
	if err != nil {
		t.Fatal(err)
	}
	server := serve.New(serve.Config{Listener: listener, Authenticator: serve.Local{Domain: domain}, Views: g, Drain: time.Millisecond})
	t.Cleanup(func() {
		if err := proxy.Stop(context.WithoutCancel(t.Context()), g.dir, 0); err != nil {
			t.Error(err)
		}
	})
	g.run(g.publisher, server, g.proxy, g.keeper)
	t.Cleanup(func() {
		if text, err := os.ReadFile(g.config.Log.File); t.Failed() {
			t.Logf("Envoy's log (%v):\n%s", err, text)
		}
	})
	return g
}

func (g *gatewayUnderTest) xds() string { return filepath.Join(filepath.Dir(g.dir), "xds.sock") }

func (g *gatewayUnderTest) bootstrap(parameters map[string]string) []byte {
	g.t.Helper()
	text, err := bootstrap.Make(bootstrap.Config{
		Domain: domain, Gateway: gateway, Parameters: parameters, Admin: proxy.AdminSocket(g.dir), Socket: g.xds(),
	})
	if err != nil {
		g.t.Fatal(err)
	}
	return text
}

// run runs the tasks until the test ends; the last ones end first.
func (g *gatewayUnderTest) run(tasks ...run.Task) {
	for _, task := range tasks {
		ctx, cancel := context.WithCancel(context.WithoutCancel(g.t.Context()))
		var group errgroup.Group
		group.Go(func() error { return task.Run(ctx) })
		g.t.Cleanup(func() {
			cancel()
			if err := group.Wait(); err != nil {
				g.t.Errorf("%s: %v", task, err)
			}
		})
	}
}

// Open is what a node does when its Envoy connects.
func (g *gatewayUnderTest) Open(_, _ string) (serve.View, error) {
	listeners := theGateway(g.dir)
	listeners.Mark, listeners.Closed = proxy.NewMark(), !g.keeper.Proven()
	d := &damagedDoor{Door: g.publisher.Gateway(listeners), gateway: g, served: g.cache.Beside()}
	g.mu.Lock()
	g.all[d] = struct{}{}
	g.mu.Unlock()
	d.copy()
	view, err := cache.NewView(g.cache, d.served)
	leave := g.keeper.Guard(d, listeners.Mark, !listeners.Closed)
	return serve.View{Resources: view, Board: g.cache.Board(), Release: func() {
		leave()
		d.Release()
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.all, d)
	}}, err
}

// damage breaks all listeners from now on; those that serve, too.
func (g *gatewayUnderTest) damage(broken damage) {
	g.mu.Lock()
	g.broken = broken
	g.mu.Unlock()
}

// mend gives Envoy the listeners as they are translated.
func (g *gatewayUnderTest) mend() {
	g.damage(sound)
	g.mu.Lock()
	var all []*damagedDoor
	for d := range g.all {
		all = append(all, d)
	}
	g.mu.Unlock()
	for _, d := range all {
		d.copy()
	}
}

// A damagedDoor hands on the listeners that are published, damaged.
type damagedDoor struct {
	*publish.Door
	gateway *gatewayUnderTest
	served  *cache.Cache
}

func (d *damagedDoor) Open() {
	d.Door.Open()
	d.copy()
}

// copy brings what is served in line with what is published.
func (d *damagedDoor) copy() {
	d.gateway.mu.Lock()
	broken := d.gateway.broken
	d.gateway.mu.Unlock()
	var delta cache.Delta
	for name, e := range d.Listeners().All(cache.Listener).All() {
		body, err := listenerOf(e)
		if err != nil {
			d.gateway.t.Error(err)
			continue
		}
		delta.Set = append(delta.Set, inflict(broken, cache.Resource{Key: cache.Key{Type: cache.Listener, Name: name}, Body: body}))
	}
	if _, err := d.served.Commit(delta, time.Now()); err != nil {
		d.gateway.t.Error(err)
	}
}

// await waits until ok, each time that it is said that something may have changed.
func (g *gatewayUnderTest) await(what string, ok func() (bool, <-chan struct{})) {
	g.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		done, changed := ok()
		if done {
			return
		}
		select {
		case <-changed:
		case <-timeout.C:
			s, _ := g.proxy.State()
			doors, _ := g.keeper.State()
			g.t.Fatalf("%s: not within %s: Envoy %+v, doors %+v", what, patience, s, doors)
		}
	}
}

// awaitFailure waits until a live Envoy has failed the proof, and returns how.
func (g *gatewayUnderTest) awaitFailure() error {
	g.t.Helper()
	g.await("live", func() (bool, <-chan struct{}) {
		s, changed := g.proxy.State()
		return s.Live, changed
	})
	var failure error
	g.await("a proof that fails", func() (bool, <-chan struct{}) {
		s, changed := g.keeper.State()
		failure = s.Err
		var open *proxy.DoorError
		refused := g.stat(`listener_manager.lds.update_rejected`) > 0
		return failure != nil && (errors.As(failure, &open) || refused), changed
	})
	return failure
}

func (g *gatewayUnderTest) awaitOpen() {
	g.t.Helper()
	g.await("open", func() (bool, <-chan struct{}) {
		s, changed := g.keeper.State()
		return s.Open && s.Err == nil, changed
	})
}

func (g *gatewayUnderTest) stat(name string) uint64 {
	g.t.Helper()
	stats, err := g.proxy.Admin().Stats(g.t.Context(), "^"+strings.ReplaceAll(name, ".", `\.`)+"$")
	if err != nil {
		g.t.Fatal(err)
	}
	return stats[name]
}

// doors are the listeners of Envoy that have an address on the network.
func (g *gatewayUnderTest) doors() map[string]string {
	g.t.Helper()
	text, err := g.proxy.Admin().Get(g.t.Context(), "/listeners?format=json")
	if err != nil {
		g.t.Fatal(err)
	}
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
	if err := json.Unmarshal(text, &answer); err != nil {
		g.t.Fatal(err)
	}
	open := map[string]string{}
	for _, l := range answer.Status {
		if l.Local.Socket.Address != "" {
			open[l.Name] = fmt.Sprintf("%s:%d", l.Local.Socket.Address, l.Local.Socket.Port)
		}
	}
	return open
}

// awaitDoor asks for the address of a listener until it has one. Envoy gives no sign.
func (g *gatewayUnderTest) awaitDoor(name string) string {
	g.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var address string
	g.await("listener "+name, func() (bool, <-chan struct{}) {
		address = g.doors()[name]
		again := make(chan struct{})
		if address == "" || strings.HasSuffix(address, ":0") {
			<-tick.C
			close(again)
			return false, again
		}
		return true, nil
	})
	return address
}

// get asks for a service as the partner does, with a token unless it is empty.
func (g *gatewayUnderTest) get(address, service, token string) string {
	g.t.Helper()
	request, err := http.NewRequestWithContext(g.t.Context(), http.MethodGet, "http://"+address+"/", nil)
	if err != nil {
		g.t.Fatal(err)
	}
	request.Close = true
	request.Header.Set(names.HeaderHost, names.ServiceHost(service, domain))
	request.Header.Set(names.HeaderSource, partner)
	if token != "" {
		request.Header.Set(names.HeaderToken, token)
	}
	answer, err := new(http.Transport).RoundTrip(request)
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }() // nothing is written to it
	body := make([]byte, 64)
	n, _ := answer.Body.Read(body) // what is short is there at once
	if answer.StatusCode != http.StatusOK {
		return fmt.Sprint(answer.StatusCode)
	}
	return fmt.Sprintf("%d %s", answer.StatusCode, slices.Clip(body[:n]))
}
