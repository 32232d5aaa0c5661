// Package k3s has K3s serve the Kubernetes API: one that is installed as a service, or one that this process starts as its
// child and that ends with it. Once it is ready it behaves as any cluster behind a kubeconfig.
package k3s

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"

	"github.com/entente-mesh/entente/cluster/kubeconfig"
	"github.com/entente-mesh/entente/internal/child"
	"github.com/entente-mesh/entente/internal/run"
)

const (
	// installedKubeconfig is where an installed K3s writes its administrator's kubeconfig.
	installedKubeconfig = "/etc/rancher/k3s/k3s.yaml"
	// readyTimeout is how long a child may take until it is ready; measured are 3.5 s on two cores with an empty data folder.
	readyTimeout = 60 * time.Second
	// stopGrace is how long a child may take to stop.
	stopGrace = 3 * time.Second
)

// Config says which K3s.
type Config struct {
	// Installed uses the K3s that runs as a service on this machine; of the other fields only Kubeconfig and Log count then.
	Installed bool
	// Kubeconfig is the installed K3s' kubeconfig; empty means its usual place.
	Kubeconfig string

	// Binary is the k3s program; empty means K3S_BIN of the environment, then k3s on the PATH.
	Binary string
	// Dir holds the child's data, token and kubeconfig; it is made private to this user.
	Dir string
	// Listen is where the child serves the API; zero means 127.0.0.1:6443, port 0 a free one. It takes the next port, too.
	Listen netip.AddrPort
	// NodeIP is the address that the child advertises; zero leaves the choice to K3s.
	NodeIP netip.Addr
	// Datastore is K3s' datastore endpoint (MySQL, PostgreSQL, etcd); empty means SQLite in Dir.
	Datastore string
	// Token secures the cluster's join and encrypts what K3s keeps in the datastore: all servers on one datastore need the
	// same. Empty means a random one, made once.
	Token string
	// LogDir gets the child's log, k3s.log; empty means Dir.
	LogDir string

	// Log receives when the server starts, goes away and comes back; nil discards it.
	Log *slog.Logger
}

// Server is a K3s.
type Server struct {
	name  string
	api   *kubeconfig.Server
	parts *run.Group
}

// New checks what people get wrong: the program, the folder, the ports, the token, or the installed one's kubeconfig. It
// starts nothing.
func New(c Config) (*Server, error) {
	if c.Installed {
		return installed(c)
	}
	if !c.Listen.IsValid() {
		c.Listen = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 6443)
	}
	if c.Listen.Port() == 65535 {
		return nil, fmt.Errorf("K3s cannot listen on %s: give a lower port, since it takes the next one, too", c.Listen)
	}
	if c.Listen.Port() == 0 {
		var err error
		if c.Listen, err = choose(c.Listen.Addr()); err != nil {
			return nil, err
		}
	}
	return start(c, needed(c.Listen))
}

// installed is New for a K3s that others run.
func installed(c Config) (*Server, error) {
	file := c.Kubeconfig
	if file == "" {
		file = installedKubeconfig
	}
	api, err := kubeconfig.New(kubeconfig.Config{File: file, Log: c.Log})
	if err != nil {
		return nil, fmt.Errorf("installed K3s: %w", err)
	}
	return assemble("installed K3s", api, nil), nil
}

// start is New for a child that will need the given addresses.
func start(c Config, addresses []netip.AddrPort) (*Server, error) {
	binary, err := find(c.Binary)
	if err != nil {
		return nil, err
	}
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return nil, fmt.Errorf("folder of K3s: %w", err)
	}
	if c.LogDir == "" {
		c.LogDir = c.Dir
	}
	if c.LogDir, err = filepath.Abs(c.LogDir); err != nil {
		return nil, fmt.Errorf("log folder of K3s: %w", err)
	}
	if err := prepare(c.Dir); err != nil {
		return nil, err
	}
	token, err := tokenFile(layout{c.Dir}, c.Token)
	if err != nil {
		return nil, err
	}
	for _, address := range addresses {
		if err := free(address); err != nil {
			return nil, err
		}
	}
	name := "K3s " + reach(c.Listen).String()
	api := kubeconfig.Of(name, credentials(c), c.Log)
	process, err := child.New(child.Config{
		Name: "K3s", Path: binary, Args: arguments(c, token), Env: environment(os.Environ(), c.Datastore), Dir: c.Dir,
		Mode: child.Bound, Log: child.Log{File: filepath.Join(c.LogDir, "k3s.log")}, Logger: c.Log,
		Ready:        func(ctx context.Context) error { _, err := api.Probe(ctx); return err },
		ReadyTimeout: readyTimeout, Tries: 2, StopGrace: stopGrace,
	})
	if err != nil {
		return nil, err
	}
	return assemble(name, api, process), nil
}

// assemble puts the parts into their order.
func assemble(name string, api *kubeconfig.Server, process *child.Child) *Server {
	parts := run.NewGroup(name, nil)
	if process == nil {
		parts.Add(api)
	} else {
		parts.Add(process)
		parts.Add(api, process)
	}
	return &Server{name: name, api: api, parts: parts}
}

// credentials are the administrator's, as files that K3s writes at its first start and renews at later ones.
func credentials(c Config) *rest.Config {
	at := layout{c.Dir}
	return &rest.Config{
		Host: "https://" + reach(c.Listen).String(),
		TLSClientConfig: rest.TLSClientConfig{
			CAFile: at.tls("server-ca.crt"), CertFile: at.tls("client-admin.crt"), KeyFile: at.tls("client-admin.key"),
		},
	}
}

// choose finds a port that is free together with the next one.
func choose(ip netip.Addr) (netip.AddrPort, error) {
	var last error
	for range 20 {
		l, err := net.Listen("tcp", netip.AddrPortFrom(ip, 0).String())
		if err != nil {
			return netip.AddrPort{}, fmt.Errorf("K3s cannot listen on %s: %w: give an address of this machine", ip, err)
		}
		port := l.Addr().(*net.TCPAddr).AddrPort().Port()
		if err := l.Close(); err != nil {
			return netip.AddrPort{}, fmt.Errorf("look for a free port for K3s: %w", err)
		}
		if port == 65535 {
			continue
		}
		chosen := netip.AddrPortFrom(ip, port)
		if last = free(needed(chosen)[1]); last == nil {
			return chosen, nil
		}
	}
	return netip.AddrPort{}, fmt.Errorf("look for a free port for K3s: %w", last)
}

// free says whether a port can be listened on.
func free(address netip.AddrPort) error {
	l, err := net.Listen("tcp", address.String())
	if err != nil {
		return fmt.Errorf("K3s needs %s: %w: stop what listens there (ss -ltnp), choose another port, or use the K3s that is installed", address, err)
	}
	return l.Close()
}

// REST returns a copy of the administrator's client configuration. The files that a child's names exist once it is ready.
func (s *Server) REST() *rest.Config { return s.api.REST() }

// ServerVersion is the version that the server had when it became ready; zero before that.
func (s *Server) ServerVersion() kubeconfig.Version { return s.api.ServerVersion() }

// Run starts the child, if there is one, and keeps it running until ctx ends. It fails before it is ready when the child
// cannot start or its version is too old; a child that ends later is started again.
func (s *Server) Run(ctx context.Context) error { return s.parts.Run(ctx) }

// Ready is closed when the API is ready.
func (s *Server) Ready() <-chan struct{} { return s.parts.Ready() }

// String names the server.
func (s *Server) String() string { return s.name }
