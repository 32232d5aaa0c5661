// Command xds measures the xDS server beside its peers: go-control-plane's server over each of its caches, and grpc-go alone. It puts the
// product's own cache and server into a process, as the product's fleet does, and thousands of clients into another.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/entente-mesh/entente/benchmarks/proc"
	"github.com/entente-mesh/entente/benchmarks/report"
)

func main() {
	if role, ok := sideOf(os.Args); ok {
		exit(role())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// standRole and crowdRole make this program one side of a measurement, on a core of its own. They are not for people.
const (
	standRole = "be-stand"
	crowdRole = "be-crowd"
)

// sideOf is the side that the program was started to be, if any.
func sideOf(args []string) (func() error, bool) {
	switch {
	case len(args) == 3 && args[1] == standRole:
		return func() error {
			return proc.Play(standRole, args[2], 0, func(ctx context.Context, dir string) any { return &Stand{ctx: ctx, dir: dir} })
		}, true
	case len(args) == 3 && args[1] == crowdRole:
		return func() error {
			return proc.Play(crowdRole, args[2], 1, func(context.Context, string) any { return &Crowd{} })
		}, true
	}
	return nil, false
}

func exit(err error) {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "xds: "+err.Error())
	os.Exit(1)
}

// options are the command line.
type options struct {
	quick   bool
	only    []string
	systems []string
	rounds  int
	format  string
	results string
	limit   time.Duration
	profile string
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("xds", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: xds [flags]\n\nmeasures the xDS server beside its peers and prints a table per section: confirm, cost, memory, reconnect, bugs")
		flags.PrintDefaults()
	}
	flags.BoolVar(&o.quick, "quick", false, "small counts: some seconds, to see that everything works")
	only := flags.String("only", "", "`sections`, separated by commas")
	some := flags.String("systems", "", "keys of the `systems` that are measured, separated by commas, such as entente,bare (default all)")
	flags.IntVar(&o.rounds, "rounds", 0, "rounds per section (default 3, with -quick 1)")
	flags.StringVar(&o.format, "format", "table", "what goes to standard output: table or benchstat")
	flags.StringVar(&o.results, "results", "", "also write the samples in benchstat's format to this `file`")
	flags.StringVar(&o.profile, "profile", "", "write a CPU profile of each server, taken during its changes, to this `folder`")
	flags.DurationVar(&o.limit, "limit", 20*time.Minute, "a section that takes longer is given up")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	if *some != "" {
		o.systems = strings.Split(*some, ",")
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q; see -help", flags.Arg(0))
	case o.format != "table" && o.format != "benchstat":
		return o, fmt.Errorf("-format %s: write table or benchstat", o.format)
	case o.rounds < 0 || o.limit <= 0:
		return o, fmt.Errorf("-rounds %d -limit %v: write positive values", o.rounds, o.limit)
	}
	return o, nil
}

// run measures and reports. Whatever happens, Ctrl-C too, nothing that it started is left.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	b := &bench{plan: planned(o.quick), profiles: o.profile, say: &progress{to: stderr, begun: time.Now()}}
	if o.rounds > 0 {
		b.plan.rounds = o.rounds
	}
	some, err := chosen(sections(b.plan), o)
	if err != nil {
		return err
	}
	if b.server, b.client, err = identities(); err != nil {
		return err
	}
	if err := room(b.plan); err != nil {
		return err
	}
	var results strings.Builder
	for _, s := range some {
		r, err := b.measure(ctx, s, o.limit)
		if err != nil {
			return err
		}
		if err := publish(r, o, stdout, &results); err != nil {
			return err
		}
	}
	if o.results != "" {
		if err := os.WriteFile(o.results, []byte(results.String()), 0o600); err != nil {
			return fmt.Errorf("write the results: %w", err)
		}
	}
	if len(o.only) > 0 && !slices.Contains(o.only, bugsKey) {
		return nil
	}
	return reportBugs(ctx, b.plan.silence, stdout)
}

// publish writes a section to standard output, and its samples to results.
func publish(r report.Report, o options, stdout, results io.Writer) error {
	if err := r.Benchstat(results); err != nil {
		return err
	}
	if o.format == "benchstat" {
		return r.Benchstat(stdout)
	}
	err := r.Table(stdout)
	fmt.Fprintln(stdout)
	return err
}

// room sees to it that the processes may open as many connections as the plan has.
func room(p plan) error {
	most := uint64(max(p.idle, p.fleet, slices.Max(p.crowds)) + 200)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("ask how many files may be open: %w", err)
	}
	if limit.Cur >= most {
		return nil
	}
	limit.Cur, limit.Max = most, max(limit.Max, most)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("%d files must be open at the same time, which is not allowed here: raise the limit with ulimit -n, or run with -quick: %w", most, err)
	}
	return nil
}
