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
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/controllers/gateway"
	"github.com/entente-mesh/entente/dns"
	"github.com/entente-mesh/entente/internal/child"
	"github.com/entente-mesh/entente/internal/latest"
	"github.com/entente-mesh/entente/internal/run"
	"github.com/entente-mesh/entente/internal/version"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/mesh/source"
	"github.com/entente-mesh/entente/xds/bootstrap"
	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/proxy"
	"github.com/entente-mesh/entente/xds/publish"
	"github.com/entente-mesh/entente/xds/serve"
	"github.com/entente-mesh/entente/xds/translate"
)

// stopDrain is how long the gateway's clients have to go elsewhere when the node is told to stop.
const stopDrain = 2 * time.Second

// A meshTask is the part of the node that works from the domain's mesh: the picture itself, the gateway and the name server.
type meshTask struct {
	// Set once in newMeshTask.
	node     *node
	plan     *gatewayPlan
	identity *identity
	// authorities are the system's, in PEM.
	authorities string
	tls         *serverTLS
	settings    latest.Value[*mesh.Settings]
	figures     *prometheus.Registry
	served      *serve.Metrics
	ready       chan struct{}

	// Set once by Run, before ready.
	source *source.Source
	proxy  atomic.Pointer[proxy.Proxy]
	doors  atomic.Pointer[proxy.Doorkeeper]
}

// newMeshTask finds out what can be found out before anything starts.
func newMeshTask(ctx context.Context, n *node) (*meshTask, error) {
	plan, err := n.planGateway(ctx)
	if err != nil {
		return nil, err
	}
	id, err := n.newIdentity()
	if err != nil {
		return nil, err
	}
	t := &meshTask{node: n, plan: plan, identity: id, authorities: systemAuthorities(), figures: prometheus.NewRegistry(), ready: make(chan struct{})}
	t.served = serve.NewMetrics(t.figures)
	t.tls = &serverTLS{
		config: n.config, authority: id.authority, addresses: []netip.Addr{plan.address}, log: n.log, ready: make(chan struct{}),
		set: func(material *mesh.ServerTLS) { t.settings.Set(t.newSettings(material)) },
	}
	material, err := t.tls.load(time.Now())
	if err != nil {
		return nil, err
	}
	t.settings.Set(t.newSettings(material))
	return t, nil
}

// newSettings is what the mesh depends on beside API objects.
func (t *meshTask) newSettings(material *mesh.ServerTLS) *mesh.Settings {
	c := t.node.config
	s := &mesh.Settings{
		Domain:      c.DomainID,
		Master:      c.Mode == "master",
		Address:     t.plan.address,
		StreamIdle:  c.Entente.Gateway.StreamIdle,
		ExternalTLS: material,
		Authorities: t.authorities,
	}
	for _, u := range c.Entente.Gateway.Whitelist {
		item := mesh.Upstream{Ports: whitelistPorts(u.Ports)}
		if prefix, err := netip.ParsePrefix(u.Address); err == nil {
			item.Prefix = prefix.Masked()
		} else if a, err := netip.ParseAddr(u.Address); err == nil {
			item.Prefix = netip.PrefixFrom(a, a.BitLen())
		} else {
			item.Host = u.Address
		}
		s.Whitelist = append(s.Whitelist, item)
	}
	return s
}

// String names the part.
func (t *meshTask) String() string { return "mesh" }

// Ready is closed when the gateway lets its domain's traffic through and names are answered.
func (t *meshTask) Ready() <-chan struct{} { return t.ready }

// Run builds the parts on the cluster, which is ready by now, and keeps them until ctx ends. A node that is told to stop ends its Envoy; one that
// restarts in place, or is killed, leaves it to its successor.
func (t *meshTask) Run(ctx context.Context) error {
	objects, err := newObjects(t.node.cluster.open.Load().REST())
	if err != nil {
		return err
	}
	if err := ownNamespace(ctx, objects, t.node.config.DomainID); err != nil {
		return err
	}
	parts, err := t.parts(objects)
	if err != nil {
		return err
	}
	returned := make(chan struct{})
	var teller sync.WaitGroup
	teller.Go(func() {
		select {
		case <-parts.Ready():
			close(t.ready)
		case <-returned:
		}
	})
	err = parts.Run(ctx)
	close(returned)
	teller.Wait()
	if t.node.again.Load() || !t.node.config.Entente.Gateway.Enabled {
		return err
	}
	return errors.Join(err, proxy.Stop(context.WithoutCancel(ctx), t.plan.dir, stopDrain))
}

// parts puts the task together.
func (t *meshTask) parts(objects client.Client) (*run.Group, error) {
	n := t.node
	parts := run.NewGroup("mesh", n.observe)
	if t.node.config.DomainRoute.ExternalTLS.EnableTLS {
		parts.Add(t.tls)
	}
	keeper, err := source.NewKeeper(t.identity.key, filepath.Join(n.home.dir, "var", "tokens.vault"))
	if err != nil { // it works all the same, from an empty memory
		n.log.Warn("tokens are opened anew", "error", err)
	}
	t.source, err = source.New(source.Config{REST: n.cluster.open.Load().REST(), Namespace: n.config.DomainID, Settings: &t.settings, Opener: keeper, Log: n.log})
	if err != nil {
		return nil, err
	}
	parts.Add(t.source)
	if at := n.config.Entente.Metrics.Listen; at.IsValid() {
		listener, err := net.Listen("tcp", at.String())
		if err != nil {
			return nil, n.config.Problem("entente.metrics.listen", fmt.Sprintf("%s cannot be opened: %v", at, innermost(err)), remedyForPort(err, "listen", at))
		}
		parts.Add(newFleetFigures(listener, t.figures))
	}
	if n.config.Entente.DNS.Enabled {
		parts.Add(t.nameServer(), t.source)
	}
	if !n.config.Entente.Gateway.Enabled {
		return parts, nil
	}
	return parts, t.addGateway(parts, objects)
}

// newObjects is a client for what the mesh's parts write.
func newObjects(cfg *rest.Config) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	return client.New(cfg, client.Options{Scheme: scheme})
}

// ownNamespace makes the namespace of the node's own domain, in which its gateway reports, where it is missing.
func ownNamespace(ctx context.Context, objects client.Client, domain string) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: domain}}
	if err := objects.Create(ctx, namespace); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make the namespace of domain %s: %w", domain, err)
	}
	return nil
}

func (t *meshTask) nameServer() run.Task {
	gatewayAddress := []netip.Addr{t.plan.address}
	upstream := t.plan.upstream
	return dns.NewServer(dns.ServerConfig{
		Config: dns.Config{Domain: t.node.config.DomainID, Gateway: gatewayAddress, Metrics: t.figures, Mesh: func() (*mesh.Mesh, time.Time, <-chan struct{}) {
			w, newer := t.source.Wanted().Get()
			return w.Mesh, w.Since, newer
		}},
		Listen: []netip.AddrPort{t.plan.dns}, Upstream: upstream, Log: t.node.log,
	})
}

// addGateway adds what makes an Envoy a gateway: publisher, xDS server, the process itself, the proof of its doors and the report on it.
func (t *meshTask) addGateway(parts *run.Group, objects client.Client) error {
	n := t.node
	domain := cache.New(t.identity.salt)
	publisher, err := publish.New(publish.Config{
		Wanted: func() (publish.Wanted, <-chan struct{}) {
			w, newer := t.source.Wanted().Get()
			return publish.Wanted{Mesh: w.Mesh, Since: w.Since}, newer
		},
		Cache: domain, Client: objects, Metrics: t.figures, Log: n.log,
		Patient: proxy.Running(t.plan.dir) != 0, // it serves with tokens that must not be taken from it
	})
	if err != nil {
		return err
	}
	socket := filepath.Join(n.home.run(), "xds.sock")
	listener, err := listenPrivate(socket)
	if err != nil {
		return err
	}
	doors := t.newDoorkeeper()
	t.doors.Store(doors)
	server := serve.New(serve.Config{
		Listener: listener, Authenticator: serve.Local{Domain: n.config.DomainID}, Views: gatewayViews{t, publisher, domain, doors}, Metrics: t.served, Log: n.log,
	})
	envoy, err := t.newProxy(socket)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	t.proxy.Store(envoy)
	report, err := gateway.New(gateway.Config{
		Client: objects, Domain: n.config.DomainID, Name: t.plan.name, Address: t.plan.address, PublicKey: &t.identity.key.PublicKey,
		Stats: gateway.Envoy{Domain: n.config.DomainID, Ask: envoy.Admin().Get}, Proven: doors.Ready(), Metrics: t.figures, Log: n.log,
	})
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	parts.Add(publisher, t.source)
	parts.Add(server, publisher)
	parts.Add(envoy, server)
	parts.Add(doors, envoy)
	parts.Add(report, doors)
	return nil
}

// newProxy prepares the Envoy of this node.
func (t *meshTask) newProxy(socket string) (*proxy.Proxy, error) {
	n := t.node
	text, err := bootstrap.Make(bootstrap.Config{
		Domain: n.config.DomainID, Gateway: t.plan.name, Admin: proxy.AdminSocket(t.plan.dir), Socket: socket,
		MaxConnections: int64(n.config.Entente.Gateway.MaxConnections),
	})
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(t.plan.logs, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of access logs: %w", err)
	}
	rotation := n.config.LogRotate
	return proxy.New(proxy.Config{
		Binary: t.plan.envoy, Bootstrap: text, Concurrency: n.config.Entente.Gateway.Workers, Dir: t.plan.dir, Adopt: true, OOMScore: -700,
		Log:     child.Log{File: filepath.Join(t.plan.logs, "envoy.log"), MaxSizeMB: rotation.MaxFileSizeMB, MaxFiles: rotation.MaxFiles, MaxAgeDays: rotation.MaxAgeDays},
		Access:  proxy.Rotation{Files: translate.AccessLogs(t.plan.logs), MaxSizeMB: rotation.MaxFileSizeMB, MaxFiles: rotation.MaxFiles, MaxAgeDays: rotation.MaxAgeDays},
		Logger:  n.log,
		Metrics: proxy.NewMetrics(t.figures),
	})
}

// translated is this node's gateway as the listeners see it.
func (t *meshTask) translated() translate.Gateway {
	return translate.Gateway{
		Name: t.plan.name, Version: version.String(), External: t.plan.external, Internal: []netip.AddrPort{t.plan.internal},
		Control: t.controlSocket(), Proof: t.proofSocket(), Logs: t.plan.logs,
	}
}

func (t *meshTask) controlSocket() string { return filepath.Join(t.plan.dir, "control.sock") }
func (t *meshTask) proofSocket() string   { return filepath.Join(t.plan.dir, "proof.sock") }

// listenPrivate opens a unix socket that only this user can reach. What is there belonged to a process that has ended: the data folder is locked.
func listenPrivate(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the socket of a former process: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open a socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("make a socket private: %w", err), listener.Close())
	}
	return listener, nil
}
