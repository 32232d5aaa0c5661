package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/rest"

	"github.com/entente-mesh/entente/internal/child"
	"github.com/entente-mesh/entente/internal/latest"
	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/internal/run"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/mesh/source"
	"github.com/entente-mesh/entente/xds/bootstrap"
	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/proxy"
	"github.com/entente-mesh/entente/xds/publish"
	"github.com/entente-mesh/entente/xds/serve"
	"github.com/entente-mesh/entente/xds/translate"
)

// gatewayName is what the measured gateway is called.
const gatewayName = "bench"

// patience bounds every wait for a program. It is no measure of speed.
const patience = 3 * time.Minute

// A gateway is what `entente start` makes one of: source, publisher, xDS server, Envoy and doorkeeper. Reports on objects are left out: they are
// written at a bounded rate, after the fact, and their time is the API server's.
type gateway struct {
	// Set once in newGateway.
	source *source.Source
	server *serve.Metrics
	domain *cache.Cache
	envoy  *proxy.Proxy
	parts  *run.Group
	tasks  tasks
	dir    string

	settings latest.Value[*mesh.Settings]
	events   latest.Value[int] // how many were compiled; written by the source
	begun    time.Time
	stop     context.CancelFunc
	ended    chan error
}

// tasks are the parts whose readiness is a mark on the way.
type tasks struct {
	publisher, envoy, doors run.Task
}

// newGateway puts a gateway together in a folder of its own. The opener decides which tokens are known without work.
func newGateway(cfg *rest.Config, binary proxy.Binary, opener source.Opener) (g *gateway, err error) {
	g = &gateway{server: serve.NewMetrics(nil), domain: cache.New([]byte("benchmark")), ended: make(chan error, 1)}
	if g.dir, err = os.MkdirTemp("", "entente-mesh-"); err != nil { // the system's folder: paths of sockets must be short
		return nil, fmt.Errorf("make a folder for Envoy: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(g.dir))
		}
	}()
	g.settings.Set(&mesh.Settings{Domain: domain, Address: netip.MustParseAddr("127.0.0.1")})
	g.source, err = source.New(source.Config{REST: cfg, Namespace: domain, Settings: &g.settings, Opener: opener, Observe: g.observe})
	if err != nil {
		return nil, err
	}
	publisher, err := publish.New(publish.Config{Cache: g.domain, Wanted: func() (publish.Wanted, <-chan struct{}) {
		w, newer := g.source.Wanted().Get()
		return publish.Wanted{Mesh: w.Mesh, Since: w.Since}, newer
	}})
	if err != nil {
		return nil, err
	}
	if g.envoy, err = newEnvoy(g.dir, binary); err != nil {
		return nil, err
	}
	proof := filepath.Join(g.dir, "proof.sock")
	doors := proxy.NewDoorkeeper(proxy.DoorkeeperConfig{Dir: g.dir, Dial: func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", proof)
	}})
	listeners, err := listenersIn(g.dir, proof)
	if err != nil {
		return nil, err
	}
	socket, err := net.Listen("unix", socketIn(g.dir))
	if err != nil {
		return nil, fmt.Errorf("listen for Envoy: %w", err)
	}
	server := serve.New(serve.Config{
		Listener: socket, Authenticator: serve.Local{Domain: domain}, Metrics: g.server, Views: views{publisher, g.domain, doors, listeners},
	})
	g.tasks = tasks{publisher, g.envoy, doors}
	g.parts = run.NewGroup("gateway", nil)
	g.parts.Add(g.source)
	g.parts.Add(publisher, g.source)
	g.parts.Add(server, publisher)
	g.parts.Add(g.envoy, server)
	g.parts.Add(doors, g.envoy)
	return g, nil
}

func socketIn(dir string) string { return filepath.Join(dir, "xds.sock") }

func newEnvoy(dir string, binary proxy.Binary) (*proxy.Proxy, error) {
	text, err := bootstrap.Make(bootstrap.Config{Domain: domain, Gateway: gatewayName, Admin: proxy.AdminSocket(dir), Socket: socketIn(dir)})
	if err != nil {
		return nil, err
	}
	return proxy.New(proxy.Config{Binary: binary, Bootstrap: text, Concurrency: 1, Dir: dir, Log: child.Log{File: filepath.Join(dir, "envoy.log")}})
}

// listenersIn are the gateway's listeners, on free ports of this machine.
func listenersIn(dir, proof string) (translate.Gateway, error) {
	g := translate.Gateway{Name: gatewayName, Version: "bench", Control: filepath.Join(dir, "control.sock"), Proof: proof, Logs: dir, Closed: true}
	for i := range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return g, fmt.Errorf("find a free port: %w", err)
		}
		at := l.Addr().(*net.TCPAddr).AddrPort()
		if err := l.Close(); err != nil {
			return g, fmt.Errorf("find a free port: %w", err)
		}
		if i == 0 {
			g.External = at
		} else {
			g.Internal = []netip.AddrPort{at}
		}
	}
	return g, nil
}

// views gives the Envoy its resources, as the node does it: its listeners are private until its doors are proved.
type views struct {
	publisher *publish.Publisher
	domain    *cache.Cache
	keeper    *proxy.Doorkeeper
	gateway   translate.Gateway
}

// Open shows a stream what its gateway sees. It satisfies serve.Views.
func (v views) Open(string, string) (serve.View, error) {
	g := v.gateway
	g.Mark = proxy.NewMark()
	door := v.publisher.Gateway(g)
	view, err := cache.NewView(v.domain, door.Listeners())
	if err != nil {
		door.Release()
		return serve.View{}, err
	}
	leave := v.keeper.Guard(door, g.Mark, false)
	var once sync.Once
	return serve.View{Resources: view, Board: v.domain.Board(), Release: func() { once.Do(func() { leave(); door.Release() }) }}, nil
}

// observe counts events. It satisfies source.Config.Observe.
func (g *gateway) observe(c source.Compiled) {
	before, _ := g.events.Get()
	g.events.Set(before + c.Events)
}

// start runs the gateway until close.
func (g *gateway) start(ctx context.Context) {
	ctx, g.stop = context.WithCancel(ctx)
	g.begun = time.Now()
	go func() { g.ended <- g.parts.Run(ctx) }()
}

// close ends everything and removes the folder.
func (g *gateway) close() error {
	g.stop()
	return errors.Join(<-g.ended, os.RemoveAll(g.dir))
}

// await waits until a part is ready, and returns how long after the start that was.
func (g *gateway) await(ctx context.Context, t run.Task) (time.Duration, error) {
	err := g.until(ctx, t.String()+" is ready", func() (bool, <-chan struct{}) {
		select {
		case <-t.Ready():
			return true, nil
		default:
			return false, t.Ready()
		}
	})
	return time.Since(g.begun), err
}

// until waits for a condition, which says whether it holds and when to ask again.
func (g *gateway) until(ctx context.Context, what string, holds func() (bool, <-chan struct{})) error {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		ok, again := holds()
		if ok {
			return nil
		}
		select {
		case <-again:
		case err := <-g.ended:
			g.ended <- err // for close
			return fmt.Errorf("wait until %s: the gateway ended: %w", what, err)
		case <-late.C:
			return fmt.Errorf("wait until %s: gave up after %v; the end of Envoy's log:\n%s", what, patience, g.words())
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, context.Cause(ctx))
		}
	}
}

// settled waits until Envoy has confirmed all that was committed. What it refuses is an error: such a run measures something else.
func (g *gateway) settled(ctx context.Context) error {
	refused := ""
	err := g.until(ctx, "everything is confirmed", func() (bool, <-chan struct{}) {
		v, changed := g.domain.Board().Reached(g.domain.Seq())
		if v.State == live.Rejected {
			refused = v.Reason
		}
		return v.State == live.Confirmed || refused != "", changed
	})
	if refused != "" {
		return errors.New("Envoy refused a resource: " + refused)
	}
	return err
}

// sent is how many bytes of xDS Envoy was sent so far.
func (g *gateway) sent() uint64 {
	sum := uint64(0)
	for _, t := range g.server.Stats().Types {
		sum += t.Bytes
	}
	return sum
}

// envoyPID is Envoy's process.
func (g *gateway) envoyPID() int {
	s, _ := g.envoy.State()
	return s.PID
}

// words are the last ones of Envoy, for an error.
func (g *gateway) words() string {
	const most = 4 << 10
	text, err := os.ReadFile(filepath.Join(g.dir, "envoy.log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}
