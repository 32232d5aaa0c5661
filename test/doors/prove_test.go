package doors

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	"golang.org/x/sync/errgroup"

	"github.com/entente-mesh/entente/internal/lab/envoy"
	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/xds/bootstrap"
	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/proxy"
	"github.com/entente-mesh/entente/xds/serve"
	"github.com/entente-mesh/entente/xds/translate"
)

// patience bounds every wait, so that a hanging product fails its test. It is no measure of speed.
const patience = time.Minute

// older are the Envoys that look for a matcher in the wrapper alone.
func older(v proxy.Version) bool { return v.Before(proxy.Version{Major: 1, Minor: 39}) }

func TestTheProofTellsABrokenAuthenticationFromASoundOne(t *testing.T) {
	t.Parallel()
	eachEnvoy(t, func(t *testing.T, binary proxy.Binary) {
		t.Parallel()
		d := newDoors(t, binary)
		for _, c := range []struct {
			name   string
			damage damage
			want   string // in the DoorError; empty: closed
			unless func(proxy.Version) bool
		}{
			{"a door as it is translated is closed", sound, "", nil},
			{"no authentication", unauthenticated, "a request without a token got status 403", nil},
			{"an authentication that is switched off", asleep, "a request without a token got status 403", nil},
			{"an authentication that is switched off on every route", exempting, "a request without a token got status 404", nil},
			{"an authentication that does nothing when no list is picked", welcoming, "a request without a token got status 403", nil},
			{"a token that stands in specifications", generous, "a request with the token noop got status 404", nil},
			{"a matcher where this Envoy finds it", bare, "", older},
		} {
			if c.unless == nil || !c.unless(binary.Version) {
				d.add(c.name, c.damage)
				d.expect(t, c.name, c.want)
			}
		}
		if older(binary.Version) {
			d.matcherThatIsNotFound(t)
		}
	})
}

// matcherThatIsNotFound is the damage that made a proof necessary: Envoy 1.38 ignores the field without a word and lets everybody in. Before, it
// is an unknown field, which Envoy refuses when it is told to.
func (d *doors) matcherThatIsNotFound(t *testing.T) {
	const name = "a matcher where this Envoy does not look"
	before := d.envoy.Stats(`^listener_manager\.lds\.update_rejected$`)["listener_manager.lds.update_rejected"]
	d.add(name, bare)
	refused := d.envoy.Stats(`^listener_manager\.lds\.update_rejected$`)["listener_manager.lds.update_rejected"] > before
	if d.version.Before(proxy.Version{Major: 1, Minor: 38}) {
		err := proxy.Prove(t.Context(), d.dial(name))
		var open *proxy.DoorError
		if !refused || err == nil || errors.As(err, &open) {
			t.Errorf("%s: refused %t, %v; want a listener that Envoy refuses", name, refused, err)
		}
		return
	}
	if refused {
		t.Fatalf("%s: Envoy %s knows that it is wrong; the proof is not needed for this any more", name, d.version)
	}
	d.expect(t, name, "a request without a token got status 403")
}

// doors is an Envoy with a private listener for each kind of damage.
type doors struct {
	t         *testing.T
	version   proxy.Version
	dir       string
	cache     *cache.Cache
	listeners *cache.Cache
	proof     cache.Resource // as it is translated
	envoy     *envoy.Envoy
	sockets   map[string]string // by the names of the listeners
}

func newDoors(t *testing.T, binary proxy.Binary) *doors {
	t.Helper()
	d := &doors{t: t, version: binary.Version, dir: envoy.Dir(t), cache: cache.New([]byte("salt")), sockets: map[string]string{}}
	d.listeners = d.cache.Beside()
	m := theMesh(startEcho(t))
	delta, faults := translate.Delta(nil, m)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	table := delta.Set[slices.IndexFunc(delta.Set, func(r cache.Resource) bool {
		return r.Key == cache.Key{Type: cache.Route, Name: translate.RoutesExternal}
	})]
	delta.Set = append(delta.Set, exempt(table))
	if _, err := d.cache.Commit(delta, time.Now()); err != nil {
		t.Fatal(err)
	}
	g := theGateway(d.dir)
	g.Closed = true
	for _, r := range translate.Listeners(m.Settings, g) {
		if r.Name == translate.ListenerProof {
			d.proof = r
		}
	}
	d.serve()
	boot, err := bootstrap.Make(bootstrap.Config{Domain: domain, Gateway: gateway, Admin: filepath.Join(d.dir, "admin.sock"), Socket: d.xds()})
	if err != nil {
		t.Fatal(err)
	}
	d.envoy = envoy.Start(t, envoy.Options{Binary: binary.Path, Bootstrap: boot, Dir: d.dir})
	return d
}

func (d *doors) xds() string { return filepath.Join(d.dir, "xds.sock") }

// Open shows everything to the one Envoy.
func (d *doors) Open(_, _ string) (serve.View, error) {
	view, err := cache.NewView(d.cache, d.listeners)
	return serve.View{Resources: view, Board: d.cache.Board()}, err
}

func (d *doors) serve() {
	listener, err := new(net.ListenConfig).Listen(d.t.Context(), "unix", d.xds())
	if err != nil {
		d.t.Fatal(err)
	}
	server := serve.New(serve.Config{Listener: listener, Authenticator: serve.Local{Domain: domain}, Views: d, Drain: time.Millisecond})
	ctx, cancel := context.WithCancel(context.WithoutCancel(d.t.Context()))
	var group errgroup.Group
	group.Go(func() error { return server.Run(ctx) })
	d.t.Cleanup(func() {
		cancel()
		if err := group.Wait(); err != nil {
			d.t.Errorf("xDS server: %v", err)
		}
	})
}

// add gives Envoy a damaged listener, and returns when Envoy has taken it, or refused it.
func (d *doors) add(name string, damage damage) {
	d.t.Helper()
	r := inflict(damage, d.proof)
	listener := r.Body.(*listenerv3.Listener) // a copy
	r.Name, listener.Name = name, name
	d.sockets[name] = filepath.Join(d.dir, "proof-"+string(rune('a'+len(d.sockets)))+".sock")
	listener.Address.GetPipe().Path = d.sockets[name]
	seq, err := d.listeners.Commit(cache.Delta{Set: []cache.Resource{r}}, time.Now())
	if err != nil {
		d.t.Fatal(err)
	}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		verdict, changed := d.cache.Board().Reached(seq)
		if verdict.State == live.Confirmed {
			break
		}
		select {
		case <-changed:
		case <-timeout.C:
			d.t.Fatalf("%s: Envoy has not answered: %+v", name, verdict)
		}
	}
	d.envoy.Await(name+": the listener serves", `^listener_manager\.total_listeners_warming$`, func(s map[string]int64) bool {
		return s["listener_manager.total_listeners_warming"] == 0
	})
}

func (d *doors) dial(name string) proxy.Dial {
	return func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", d.sockets[name])
	}
}

// expect tries a door. want is what the DoorError says, and empty for none.
func (d *doors) expect(t *testing.T, name, want string) {
	t.Helper()
	err := proxy.Prove(t.Context(), d.dial(name))
	var open *proxy.DoorError
	switch {
	case want == "" && err != nil:
		t.Errorf("%s: %v, want closed", name, err)
	case want != "" && (!errors.As(err, &open) || !strings.Contains(err.Error(), want)):
		t.Errorf("%s: %v, want a DoorError with %q", name, err, want)
	}
}

// startEcho starts the service that the doors protect.
func startEcho(t *testing.T) netip.AddrPort {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte("inside")) // to whoever is gone
	}))
	t.Cleanup(s.Close)
	return netip.MustParseAddrPort(s.Listener.Addr().String())
}
