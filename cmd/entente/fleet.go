package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/internal/kubelog"
	"github.com/entente-mesh/entente/internal/run"
	"github.com/entente-mesh/entente/internal/version"
	"github.com/entente-mesh/entente/xds/serve"
)

func newGateway() *cobra.Command {
	flags := fleetFlags{
		external: netip.AddrPortFrom(netip.IPv4Unspecified(), names.PortExternal),
		internal: netip.AddrPortFrom(netip.IPv4Unspecified(), names.PortInternal),
	}
	cmd := &cobra.Command{
		Use:   "gateway",
		Short: "Serve the Envoys of many domains from one process",
		Long: `Serve the Envoys of many domains over mutual TLS, from the objects in an API server, until SIGTERM or Ctrl-C.

Each domain has a folder in --domains, named like the domain, with the domain's private key in domain.key. Folders may come, change and go at
any time. An Envoy's certificate, signed by its domain's key, decides which domain it sees; ` + "`entente gateway bootstrap`" + ` makes one
with everything else that an Envoy needs. docs/fleet.md tells the rest.`,
		Example: "  entente gateway --listen 0.0.0.0:18000 --kubeconfig admin.conf --domains /etc/entente/domains --certificate tls.crt --key tls.key",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := given(cmd, "listen", "domains", "certificate", "key"); err != nil {
				return err
			}
			f, err := newFleet(&flags, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			return f.run(cmd.Context())
		},
	}
	flags.register(cmd)
	cmd.AddCommand(newGatewayBootstrap(), newGatewayStatus())
	for _, sub := range cmd.Commands() {
		wrapArgs(sub)
	}
	return cmd
}

// fleetFlags are the command line of `entente gateway`.
type fleetFlags struct {
	listen, metrics     string
	kubeconfig, context string
	domains             string
	certificate, key    string
	external, internal  netip.AddrPort
	home                string
}

func (f *fleetFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", "", "where Envoys connect, as host:port (required)")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "how to reach the API server (default $KUBECONFIG, else that of the pod that this runs in)")
	flags.StringVar(&f.context, "context", "", "context of the kubeconfig (default its current one)")
	flags.StringVar(&f.domains, "domains", "", "folder with a folder for each domain (required)")
	flags.StringVar(&f.certificate, "certificate", "", "certificate that proves this server to Envoys, in PEM; a new file is taken up at once (required)")
	flags.StringVar(&f.key, "key", "", "its private key, in PEM (required)")
	flags.TextVar(&f.external, "external", f.external, "where Envoys let partners in, unless gateways.yaml says otherwise")
	flags.TextVar(&f.internal, "internal", f.internal, "where Envoys let pods in, unless gateways.yaml says otherwise")
	flags.StringVar(&f.metrics, "metrics", "", "serve figures for Prometheus at host:port/metrics (default: not at all)")
	homeFlag(cmd, &f.home)
	_ = cmd.MarkFlagDirname("domains") // the flag exists
}

// given refuses a call without one of the flags.
func given(cmd *cobra.Command, flags ...string) error {
	for _, name := range flags {
		if cmd.Flag(name).Value.String() == "" {
			return usageError{fmt.Errorf("--%s is missing; see `%s --help`", name, cmd.CommandPath())}
		}
	}
	return nil
}

func homeFlag(cmd *cobra.Command, dir *string) {
	cmd.Flags().StringVar(dir, "home", "", "data folder (default /var/lib/entente/gateway for root, ~/.local/share/entente/gateway for others)")
	_ = cmd.MarkFlagDirname("home") // the flag exists
}

// fleetHome is the folder in which the process keeps what must outlive it.
func fleetHome(dir string) (home, error) {
	if dir == "" {
		base, err := dataHome()
		if err != nil {
			return home{}, err
		}
		dir = filepath.Join(base, "entente", "gateway")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return home{}, fmt.Errorf("find the data folder %s: %w", dir, err)
	}
	return home{dir: abs}, nil
}

// A fleet is the process of `entente gateway`.
type fleet struct {
	// Set once in newFleet.
	flags       fleetFlags
	home        home
	rest        *rest.Config
	certificate *fleetCertificate
	started     time.Time
	say         io.Writer // for people
	log         *slog.Logger
	figures     *prometheus.Registry
	served      *serve.Metrics
	progress    progress

	// Set once by run.
	domains  *fleetDomains
	listener net.Listener
}

// newFleet refuses what cannot work before anything starts.
func newFleet(flags *fleetFlags, say io.Writer) (*fleet, error) {
	if flags.external.Port() == 0 || flags.internal.Port() == 0 {
		return nil, usageError{fmt.Errorf("--external %s or --internal %s has no port; write for example 0.0.0.0:1080", flags.external, flags.internal)}
	}
	if info, err := os.Stat(flags.domains); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("--domains %s is no folder that can be read; make it, with a folder for each domain that holds its domain.key", flags.domains)
	}
	h, err := fleetHome(flags.home)
	if err != nil {
		return nil, err
	}
	f := &fleet{
		flags: *flags, home: h, started: time.Now(), say: say, figures: prometheus.NewRegistry(),
		log: slog.New(slog.NewTextHandler(say, &slog.HandlerOptions{Level: slog.LevelInfo})),
	}
	kubelog.Redirect(f.log)
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = flags.kubeconfig
	f.rest, err = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{CurrentContext: flags.context}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("--kubeconfig %s: %w; give a kubeconfig whose user may read the domains' namespaces", flags.kubeconfig, err)
	}
	f.rest.QPS = -1 // what is written is bounded where it is written
	f.rest.UserAgent = "entente-gateway/" + version.String()
	if f.certificate, err = newFleetCertificate(flags.certificate, flags.key, f.log); err != nil {
		return nil, err
	}
	f.figures.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f.served = serve.NewMetrics(f.figures)
	return f, nil
}

// run is the whole life of the process.
func (f *fleet) run(ctx context.Context) (err error) {
	if err := os.MkdirAll(filepath.Join(f.home.dir, "var"), 0o700); err != nil {
		return f.home.unwritable(err)
	}
	if err := f.home.createRun(); err != nil {
		return err
	}
	lock, err := f.home.lock()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	parts, err := f.parts()
	if err != nil {
		return err
	}
	fmt.Fprintf(f.say, "entente %s: gateways connect to %s; domains in %s\n", version.String(), f.listener.Addr(), f.flags.domains)
	return f.live(ctx, parts)
}

// parts opens every address and puts the process together.
func (f *fleet) parts() (_ *run.Group, err error) {
	var opened []io.Closer
	defer func() {
		if err == nil {
			return
		}
		for _, o := range opened {
			_ = o.Close() // nothing was served yet
		}
	}()
	if f.listener, err = net.Listen("tcp", f.flags.listen); err != nil {
		return nil, busy("--listen", f.flags.listen, err)
	}
	opened = append(opened, f.listener)
	if f.domains, err = newFleetDomains(f); err != nil {
		return nil, err
	}
	control, err := newControl(f.home.control(), func(context.Context) any { return f.status() }, nil)
	if err != nil {
		return nil, err
	}
	opened = append(opened, control.listener)
	parts := run.NewGroup("fleet", f.progress.observe)
	parts.Add(control)
	if f.flags.metrics != "" {
		listener, err := net.Listen("tcp", f.flags.metrics)
		if err != nil {
			return nil, busy("--metrics", f.flags.metrics, err)
		}
		parts.Add(newFleetFigures(listener, f.gatherer()))
	}
	parts.Add(f.certificate)
	parts.Add(f.domains)
	parts.Add(serve.New(serve.Config{
		Listener: f.listener, Authenticator: serve.NewFleet(f.certificate.get, f.domains.roots), Views: f.domains, Metrics: f.served, Log: f.log,
	}), f.certificate, f.domains)
	return parts, nil
}

func busy(flag, address string, err error) error {
	return fmt.Errorf("%s %s cannot be opened: %w; end what uses the address (`ss -ltnp` names it), or choose another", flag, address, innermost(err))
}

// live runs the parts to their end and says what a person waits for.
func (f *fleet) live(ctx context.Context, parts *run.Group) error {
	f.progress.set(Starting, 0)
	returned := make(chan struct{})
	var teller sync.WaitGroup
	teller.Go(func() {
		select {
		case <-parts.Ready():
			took := time.Since(f.started)
			f.progress.set(Ready, took)
			fmt.Fprintf(f.say, "ready after %s\n", round(took))
		case <-ctx.Done():
		case <-returned:
		}
		select {
		case <-ctx.Done():
			f.progress.set(Stopping, 0)
			fmt.Fprintln(f.say, "stopping; the gateways go on with what they have. Once more ends it at once")
		case <-returned:
		}
	})
	err := parts.Run(ctx)
	close(returned)
	teller.Wait()
	return err
}
