// Command cluster measures the control plane's ground, the Kubernetes API server in one process, beside its peers: the same server on
// etcd, and K3s. It starts the built program that ENTENTE_BIN names and knows nothing of its inside.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"k8s.io/client-go/rest"

	"github.com/entente-mesh/entente/benchmarks/report"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == etcdArgument {
		exit(serveEtcd(os.Args[2]))
	}
	exit(run(context.Background(), os.Args[1:]))
}

func exit(err error) {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "cluster: "+err.Error())
	os.Exit(1)
}

// options are the command line.
type options struct {
	short     bool
	coldBuild bool
	format    string
	results   string
	dir       string
	source    string
	budget    time.Duration
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: ENTENTE_BIN=FILE [K3S_BIN=FILE] cluster [flags]\n\nmeasures the control plane's ground beside its peers and prints a table")
		flags.PrintDefaults()
	}
	flags.BoolVar(&o.short, "short", false, "fewer and shorter rounds: about two minutes")
	flags.BoolVar(&o.coldBuild, "cold-build", false, "also build the program with an empty build cache, after everything else (8 minutes on two free cores)")
	flags.StringVar(&o.format, "format", "table", "what goes to standard output: table or benchstat")
	flags.StringVar(&o.results, "results", "", "also write the samples in benchstat's format to this `file`")
	flags.StringVar(&o.dir, "dir", "", "`folder` for the data of the measured programs; removed from it at the end (default: the system's temporary folder)")
	flags.StringVar(&o.source, "source", "..", "`folder` of the module that -cold-build builds")
	flags.DurationVar(&o.budget, "budget", 0, "no further round begins that would end after this time (default 10m, with -short 3m)")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q; see -help", flags.Arg(0))
	case o.format != "table" && o.format != "benchstat":
		return o, fmt.Errorf("-format %s: write table or benchstat", o.format)
	case o.budget < 0:
		return o, fmt.Errorf("-budget %v: write a positive time such as 10m", o.budget)
	}
	return o, nil
}

// run measures and reports. Whatever happens, Ctrl-C too, nothing that it started is left, and no file but the results.
func run(ctx context.Context, args []string) (err error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	o, err := parse(args)
	if err != nil {
		return err
	}
	binary, err := entente()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.dir, "entente-bench-")
	if err != nil {
		return fmt.Errorf("make a folder for the measured programs' data: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	b := &bench{plan: planned(o), binary: binary, dir: dir, say: newProgress(os.Stderr), ended: make(map[string]int)}
	if err := b.measure(ctx); err != nil {
		return err
	}
	var failed error // a build that fails must not lose what was measured before
	if o.coldBuild {
		failed = b.coldBuild(ctx, o.source)
	}
	return errors.Join(publish(b.report(), o, os.Stdout), failed)
}

// publish writes the report to standard output and, when a file is named, the samples to it.
func publish(r report.Report, o options, stdout io.Writer) (err error) {
	if o.results != "" {
		if err := os.MkdirAll(filepath.Dir(o.results), 0o755); err != nil {
			return fmt.Errorf("write the results: %w", err)
		}
		file, err := os.Create(o.results)
		if err != nil {
			return fmt.Errorf("write the results: %w", err)
		}
		if err := errors.Join(r.Benchstat(file), file.Close()); err != nil {
			return err
		}
	}
	if o.format == "benchstat" {
		return r.Benchstat(stdout)
	}
	return r.Table(stdout)
}
