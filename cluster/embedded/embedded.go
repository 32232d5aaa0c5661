//go:build !lite

package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"k8s.io/client-go/rest"

	"github.com/entente-mesh/entente/cluster/embedded/pki"
	"github.com/entente-mesh/entente/cluster/embedded/store"
	"github.com/entente-mesh/entente/internal/run"
)

// Server is a control plane in this process. Its methods may be called from several goroutines; Run is called once.
type Server struct {
	// Set once in New.
	config Config
	pki    *pki.PKI
	parts  *run.Group
}

// taken is the one mutable package variable: Kubernetes keeps feature gates, metrics and configz per process, and a second
// control plane would corrupt the first one's in silence.
var taken atomic.Bool

// New checks the configuration, opens the keys and the store, and takes the process-wide settings of Kubernetes. It serves
// nothing yet. An error names the file or setting, the reason and the remedy.
func New(ctx context.Context, c Config) (*Server, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	keys, err := pki.Open(PKIDir(c.Dir), pki.Config{SANs: c.SANs, IPs: c.addresses(), Log: c.Log})
	if err != nil {
		return nil, err
	}
	data, err := store.New(ctx, store.Config{
		Dir: StoreDir(c.Dir), RunDir: c.RunDir, Datastore: c.Datastore,
		CAFile: c.DatastoreCAFile, CertFile: c.DatastoreCertFile, KeyFile: c.DatastoreKeyFile,
		Synchronous: c.Synchronous, Log: c.Log,
	})
	if err != nil {
		return nil, err
	}
	if !taken.CompareAndSwap(false, true) {
		return nil, errors.New("embedded cluster: this process has one already, and Kubernetes allows no second: start another process")
	}
	s := &Server{config: c, pki: keys, parts: run.NewGroup("embedded cluster", func(e run.Event) { logEvent(c.Log, e) })}
	if err := takeGlobals(c.Version); err != nil {
		return nil, fmt.Errorf("embedded cluster: %w", err)
	}
	api, err := newAPIServer(c, keys.Files, data.Endpoint())
	if err != nil {
		return nil, fmt.Errorf("API server: %w", err)
	}
	controllers, err := newControllerManager(s.rest(keys.Files.ControllerManagerCert, keys.Files.ControllerManagerKey), keys.Files)
	if err != nil {
		return nil, fmt.Errorf("controller manager: %w", err)
	}
	s.parts.Add(keys)
	s.parts.Add(data)
	s.parts.Add(api, keys, data)
	s.parts.Add(controllers, api)
	return s, nil
}

// Run serves until ctx ends, then stops the controllers, the API server and the store in this order.
func (s *Server) Run(ctx context.Context) error { return s.parts.Run(ctx) }

// Ready is closed when /readyz says ok and the controllers have been started. What they make for every namespace, such as
// its default service account, follows within moments.
func (s *Server) Ready() <-chan struct{} { return s.parts.Ready() }

// String names the part.
func (s *Server) String() string { return s.parts.String() }

// REST returns the credentials of the local administrator, who may do everything. They name files, which are read again
// when they are renewed, and set no client-side limit: the server's own fairness holds. The caller owns the copy.
func (s *Server) REST() *rest.Config { return s.rest(s.pki.Files.AdminCert, s.pki.Files.AdminKey) }

func (s *Server) rest(cert, key string) *rest.Config {
	return &rest.Config{
		Host:            s.url(),
		TLSClientConfig: rest.TLSClientConfig{CAFile: s.pki.Files.ServerCA, CertFile: cert, KeyFile: key},
		QPS:             -1,
	}
}

func (s *Server) url() string { return "https://" + s.config.local().String() }

// logEvent tells a developer how long each part takes to start and to stop.
func logEvent(log *slog.Logger, e run.Event) {
	log.Debug("part of the embedded cluster", "part", e.Task, "phase", e.Phase.String(), "took", e.Took)
}
