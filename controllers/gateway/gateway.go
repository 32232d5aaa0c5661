// Package gateway reports one running gateway to its domain: the Gateway object says where it is, that it lives, and how it sees what it
// routes to.
//
// A gateway is reported only from when it has been proved that its doors are closed, and only while its Envoy answers. Others count a
// gateway whose heartbeat is older than three minutes as gone, so silence is how a gateway leaves.
package gateway

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/auth/keys"
	"github.com/entente-mesh/entente/internal/run"
	"github.com/entente-mesh/entente/internal/version"
)

const (
	// Period is the time between two heartbeats. Partners' control planes expect it: to some of them a gateway is gone after 30 s.
	Period = 15 * time.Second
	// reportTimeout bounds one report, so that an API server that accepts and never answers costs no more than one heartbeat.
	reportTimeout = 10 * time.Second
)

// Stats says how the gateway's Envoy sees what it routes to.
type Stats interface {
	// NetworkStatus returns the state of now, sorted, or why Envoy cannot be asked. It ends with ctx.
	NetworkStatus(ctx context.Context) ([]v1alpha1.GatewayEndpointStatus, error)
}

// Config says which gateway is reported.
type Config struct {
	// Client writes to the API server that holds the domain's namespace. It is used without any cache.
	Client client.Client
	// Domain is the domain, and the namespace of the object. Name is the gateway's, and the object's.
	Domain, Name string
	// Address is where pods of the domain reach the gateway.
	Address netip.Addr
	// PublicKey is the domain's.
	PublicKey *rsa.PublicKey
	// Stats asks the gateway's Envoy.
	Stats Stats
	// Proven is closed when the gateway has been seen to refuse who has no token. Before, nothing is reported. Nil is never.
	Proven <-chan struct{}
	// Version is the gateway's; empty means this program's.
	Version string
	// Metrics registers this package's figures; nil means nobody wants them.
	Metrics prometheus.Registerer
	// Log takes what a user would want to know; nil discards it.
	Log *slog.Logger
}

// A Reporter is the Task that reports one gateway.
type Reporter struct {
	// Set once in New.
	cfg       Config
	publicKey string
	metrics   *metrics
	ready     chan struct{} // closed by Run after the first report
}

// New returns the reporter of a gateway. It refuses what could not stand in the object.
func New(cfg Config) (*Reporter, error) {
	if err := names.ValidateDomainID(cfg.Domain); err != nil {
		return nil, err
	}
	if err := names.ValidateName("gateway name", cfg.Name); err != nil {
		return nil, err
	}
	switch {
	case !cfg.Address.Is4() || cfg.Address.IsUnspecified():
		return nil, fmt.Errorf("the address of gateway %s is %q; give the IPv4 address at which pods reach it", cfg.Name, cfg.Address)
	case cfg.PublicKey == nil:
		return nil, fmt.Errorf("gateway %s has no public key; give that of domain %s", cfg.Name, cfg.Domain)
	case cfg.Client == nil || cfg.Stats == nil:
		return nil, fmt.Errorf("gateway %s has no API client or no Envoy to ask; give both", cfg.Name)
	}
	if cfg.Version == "" {
		cfg.Version = version.String()
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.Log = cfg.Log.With("domain", cfg.Domain, "gateway", cfg.Name)
	m, err := newMetrics(cfg.Metrics, cfg.Domain, cfg.Name)
	if err != nil {
		return nil, fmt.Errorf("register the figures of gateway %s: %w", cfg.Name, err)
	}
	return &Reporter{cfg: cfg, publicKey: keys.EncodePublic(cfg.PublicKey), metrics: m, ready: make(chan struct{})}, nil
}

// String names the task.
func (r *Reporter) String() string { return "gateway report" }

// Ready is closed when the gateway has been reported for the first time. That waits for the API server, so nothing that the API server
// needs may be added after this task.
func (r *Reporter) Ready() <-chan struct{} { return r.ready }

// Run reports at once when the gateway is proven, and then each [Period], until ctx ends. A report that fails is repeated soon, and it
// never ends the task. The object stays when the task ends: its heartbeat gets old.
func (r *Reporter) Run(ctx context.Context) error {
	started := time.Now()
	select {
	case <-r.cfg.Proven:
	case <-ctx.Done():
		return nil
	}
	beat := time.NewTicker(Period)
	defer beat.Stop()
	backoff := run.Backoff{First: 500 * time.Millisecond, Most: Period}
	for failures := 0; ; {
		err := r.report(ctx, started)
		if ctx.Err() != nil {
			return nil
		}
		r.tell(err, failures)
		var retry <-chan time.Time
		if err == nil {
			failures = 0
		} else {
			failures++
			retry = time.After(backoff.Pause(failures))
		}
		select {
		case <-beat.C:
		case <-retry:
		case <-ctx.Done():
			return nil
		}
	}
}

// tell tells of how a report went after so many failures in a row: of each turn once.
func (r *Reporter) tell(err error, failures int) {
	r.metrics.reported(err)
	if err != nil {
		if failures == 0 {
			r.cfg.Log.Warn("gateway cannot be reported; others will take it for gone after three minutes", "error", err)
		}
		return
	}
	select {
	case <-r.ready:
		if failures > 0 {
			r.cfg.Log.Info("gateway is reported again", "failures", failures)
		}
	default:
		r.cfg.Log.Info("gateway is published", "address", r.cfg.Address)
		close(r.ready)
	}
}

// report asks Envoy and writes the object once.
func (r *Reporter) report(ctx context.Context, started time.Time) error {
	ctx, cancel := context.WithTimeoutCause(ctx, reportTimeout, errSlow)
	defer cancel()
	network, err := r.cfg.Stats.NetworkStatus(ctx)
	if err != nil {
		return because(ctx, fmt.Errorf("ask Envoy for its endpoints: %w", err))
	}
	return because(ctx, r.write(ctx, v1alpha1.GatewayStatus{
		Address:       r.cfg.Address.String(),
		UpTime:        seconds(started),
		HeartbeatTime: seconds(time.Now()),
		PublicKey:     r.publicKey,
		Version:       r.cfg.Version,
		NetworkStatus: network,
	}))
}

var errSlow = errors.New("no answer within " + reportTimeout.String())

// because adds why ctx ended, if that is why there is an error.
func because(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	return fmt.Errorf("%w: %w", context.Cause(ctx), err)
}
