package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/entente-mesh/entente/auth/keys"
	"github.com/entente-mesh/entente/benchmarks/proc"
	"github.com/entente-mesh/entente/benchmarks/report"
	"github.com/entente-mesh/entente/internal/lab/entente"
	"github.com/entente-mesh/entente/mesh/source"
	"github.com/entente-mesh/entente/xds/proxy"
)

// ours is the one system of the table.
const ours = "entente"

// A bench is one run. One goroutine owns it.
type bench struct {
	options options
	plan    plan
	binary  string
	envoy   proxy.Binary
	key     *rsa.PrivateKey
	dir     string
	say     io.Writer
	begun   time.Time

	api     *proc.Process
	rest    *rest.Config
	clerk   *clerk
	results report.Results
	machine []report.Fact
	ran     []report.Fact
}

// newBench finds what is to be measured.
func newBench(ctx context.Context, o options, dir string) (*bench, error) {
	b := &bench{options: o, plan: planned(o.quick), dir: dir, say: os.Stderr, begun: time.Now()}
	var err error
	if os.Getenv("ENTENTE_BIN") == "" || os.Getenv(proxy.Env) == "" {
		return nil, errors.New("ENTENTE_BIN or ENVOY is not set: `make bench` builds the one, finds the other and sets both")
	}
	if b.binary, err = entente.Binary(); err != nil {
		return nil, err
	}
	if b.envoy, err = proxy.Find(ctx, ""); err != nil {
		return nil, err
	}
	if b.key, err = keys.GeneratePrivate(rand.Reader); err != nil {
		return nil, err
	}
	m, err := proc.Describe(dir)
	if err != nil {
		return nil, err
	}
	b.machine = []report.Fact{
		{Key: "cpu", Value: m.CPU},
		{Key: "cores", Value: strconv.Itoa(m.Cores)},
		{Key: "memory", Value: fmt.Sprintf("%.0f GiB", float64(m.Memory)/(1<<30))},
		{Key: "kernel", Value: m.Kernel},
		{Key: "envoy", Value: b.envoy.Version.String()},
	}
	return b, nil
}

// measure starts the API server, fills it and measures. Both processes that it starts end with it.
func (b *bench) measure(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, b.plan.limit, fmt.Errorf("the run has taken longer than %v and was given up", b.plan.limit))
	defer cancel()
	before, err := proc.Now()
	if err != nil {
		return err
	}
	if err := b.startAPI(ctx); err != nil {
		return err
	}
	defer b.api.Kill()
	if err := b.parts(ctx); err != nil {
		return err
	}
	after, err := proc.Now()
	if err != nil {
		return err
	}
	b.tell("other-load", "%.0f %% of the machine's CPU time went to something else than this run", 100*proc.Others(before, after))
	b.tell("took", "%s", time.Since(b.begun).Round(time.Second))
	return nil
}

// parts writes what each part of the measurement needs, and measures it.
func (b *bench) parts(ctx context.Context) error {
	p := b.plan
	b.printf("%d services and %d routes are written", p.services, 2*p.partners)
	if err := errors.Join(b.clerk.fill(fillServices, 0, p.services, p.workers), b.clerk.fill(fillPartners, 0, p.partners, p.workers)); err != nil {
		return err
	}
	if b.options.part != "change" {
		if err := b.load(ctx); err != nil {
			return err
		}
	}
	if b.options.part == "load" {
		return nil
	}
	callers := max(p.allCallers-p.partners, p.changes())
	b.printf("%d services and %d routes more are written", p.allServices-p.services, callers)
	if err := errors.Join(b.clerk.fill(fillServices, p.services, p.allServices, p.workers), b.clerk.fill(fillCallers, 0, callers, p.workers)); err != nil {
		return err
	}
	return b.change(ctx)
}

// startAPI starts the API server, which is a node without gateway and name server, and the writer.
func (b *bench) startAPI(ctx context.Context) error {
	config, home := filepath.Join(b.dir, "kuscia.yaml"), filepath.Join(b.dir, "home")
	if err := os.WriteFile(config, []byte(entente.Autonomy(domain)), 0o600); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	var err error
	if b.api, err = proc.Start(ctx, proc.Command{Name: "entente", Path: b.binary, Args: []string{"start", "-c", config, "--home", home}, Ready: "ready after "}); err != nil {
		return err
	}
	if _, err := b.api.AwaitReady(ctx); err != nil {
		return err
	}
	kubeconfig := filepath.Join(home, "etc", "kubeconfig")
	if b.rest, err = clientcmd.BuildConfigFromFlags("", kubeconfig); err != nil {
		return fmt.Errorf("read %s: %w", kubeconfig, err)
	}
	if b.clerk, err = newClerk(ctx, kubeconfig, b.dir, &b.key.PublicKey); err != nil {
		return err
	}
	return b.clerk.fill(makeNamespace, 0, 0, 1)
}

// vault is the file in which opened tokens are kept from one start to the next.
func (b *bench) vault() string { return filepath.Join(b.dir, "tokens.vault") }

// meter is an opener that knows what the vault has.
func (b *bench) meter() (*meter, error) {
	keeper, err := source.NewKeeper(b.key, b.vault())
	if err != nil {
		return nil, err
	}
	return &meter{keeper: keeper}, nil
}

func (b *bench) add(figure string, value float64) { b.results.Add(figure, ours, value) }

func (b *bench) addSeconds(figure string, d time.Duration) { b.add(figure, d.Seconds()) }

func (b *bench) tell(key, format string, args ...any) {
	b.ran = append(b.ran, report.Fact{Key: key, Value: fmt.Sprintf(format, args...)})
}

// printf tells a person what happens, with the time since the begin.
func (b *bench) printf(format string, args ...any) {
	fmt.Fprintf(b.say, "[%4.0fs] %s\n", time.Since(b.begun).Seconds(), fmt.Sprintf(format, args...))
}

func (b *bench) report() report.Report {
	p := b.plan
	return report.Report{
		Package: "github.com/entente-mesh/entente/benchmarks/mesh",
		Machine: b.machine,
		Run:     b.ran,
		Figures: figures(),
		Systems: []report.System{{Key: ours, Title: "Entente"}},
		Results: &b.results,
		Notes: []string{
			fmt.Sprintf("load: %d services with an endpoint each, and %d partners with a token route there and one back", p.services, p.partners),
			"load, ours: the time until the first commit, in which the API server lists, and our CPU time while Envoy takes it in; Envoy's own is the rest",
			fmt.Sprintf("changes: among %d services and %d inbound token routes; CPU time of the whole process, garbage collection included", p.allServices, max(p.allCallers, p.partners)),
			"token: it is timed from the moment at which it is opened, and the CPU time of its RSA open is taken off and stands apart",
		},
	}
}
