// Package cluster opens the Kubernetes API that everything else stands on: one ready API server with Entente's resources and
// scheduler, whichever kind of cluster it is. Nothing above this package may know which kind that was.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/entente-mesh/entente/cluster/embedded"
	"github.com/entente-mesh/entente/cluster/k3s"
	"github.com/entente-mesh/entente/cluster/kubeconfig"
	"github.com/entente-mesh/entente/cluster/scheduler"
	"github.com/entente-mesh/entente/internal/run"
)

// A Kind is a way to have a Kubernetes API server.
type Kind string

// The kinds. The zero Kind is Embedded.
const (
	Embedded   Kind = "embedded"   // in this process
	K3s        Kind = "k3s"        // K3s, installed or as a child process
	Kubeconfig Kind = "kubeconfig" // any cluster that a kubeconfig reaches
)

// Config says which cluster to open. Only the part of the chosen kind is read.
type Config struct {
	Kind       Kind
	Embedded   embedded.Config
	K3s        k3s.Config
	Kubeconfig kubeconfig.Config

	// Identity names this process in leader elections. It must be unique, and stable over restarts of the same data folder, so
	// that a process that was killed takes its own lease back at once.
	Identity string
	// Plugins are the scheduler's, beside its own.
	Plugins []scheduler.Plugin

	Observe func(run.Event) // progress of the parts; may be nil
	Log     *slog.Logger    // nil discards
}

// A Cluster is a ready API server with Entente's resources on it, and what runs beside it.
type Cluster struct {
	kind    Kind
	server  server
	version string

	stop context.CancelFunc
	done chan struct{}
	err  error // why the cluster ended; written before done is closed
}

// server is what each kind of cluster is here.
type server interface {
	run.Task
	// REST returns the administrator's credentials, valid once the task is ready.
	REST() *rest.Config
}

// newServer reports within a second, without starting anything, what cannot be opened: a corrupt store, an unreadable file, a
// missing binary.
func newServer(ctx context.Context, cfg Config) (server, error) {
	switch cfg.Kind {
	case Embedded:
		return embedded.New(ctx, cfg.Embedded)
	case K3s:
		return k3s.New(cfg.K3s)
	case Kubeconfig:
		return kubeconfig.New(cfg.Kubeconfig)
	}
	return nil, fmt.Errorf("unknown kind of cluster %q: use %s, %s or %s", cfg.Kind, Embedded, K3s, Kubeconfig)
}

// Open starts or reaches the cluster and returns when its API is ready and carries Entente's resources. ctx bounds the opening
// alone; the cluster lives until Close. When Open fails, nothing is left running.
func Open(ctx context.Context, cfg Config) (*Cluster, error) {
	if cfg.Kind == "" {
		cfg.Kind = Embedded
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	srv, err := newServer(ctx, cfg)
	if err != nil {
		return nil, err
	}
	parts := run.NewGroup("cluster", cfg.Observe)
	parts.Add(srv)
	resources := newResources(srv.REST, cfg.Log)
	parts.Add(resources, srv)
	if scheduler.Available() {
		parts.Add(newScheduling(srv.REST, cfg), resources)
	}

	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	c := &Cluster{kind: cfg.Kind, server: srv, stop: stop, done: make(chan struct{})}
	go func() { // ends with the parts; Close waits for it
		defer close(c.done)
		c.err = parts.Run(life)
	}()
	select {
	case <-parts.Ready():
	case <-c.done:
		stop()
		return nil, c.err
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), c.Close())
	}
	if c.version, err = serverVersion(srv.REST()); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// REST returns a copy of the administrator's client configuration.
func (c *Cluster) REST() *rest.Config { return c.server.REST() }

// Kubeconfig returns the administrator's kubeconfig, complete in itself. Its certificates are those of this moment: hand it out anew before
// they end.
func (c *Cluster) Kubeconfig() ([]byte, error) { return kubeconfig.Export(c.REST()) }

// Version returns the API server's version, such as v1.37.2+entente.
func (c *Cluster) Version() string { return c.version }

// Kind returns the kind that was opened.
func (c *Cluster) Kind() Kind { return c.kind }

// Done is closed when the cluster has ended, by Close or by itself.
func (c *Cluster) Done() <-chan struct{} { return c.done }

// Err returns why the cluster ended by itself: nil before Done is closed and after an orderly Close.
func (c *Cluster) Err() error {
	select {
	case <-c.done:
		return c.err
	default:
		return nil
	}
}

// Close stops what Open started, in the opposite order, and waits for its end. A cluster that others run goes on.
func (c *Cluster) Close() error {
	c.stop()
	<-c.done
	return c.err
}

// serverVersion asks the API server which Kubernetes it is.
func serverVersion(cfg *rest.Config) (string, error) {
	client, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return "", fmt.Errorf("ask the API server for its version: %w", err)
	}
	info, err := client.ServerVersion()
	if err != nil {
		return "", fmt.Errorf("ask the API server for its version: %w", err)
	}
	return info.GitVersion, nil
}
