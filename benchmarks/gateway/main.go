// Command gateway measures what one gateway hop costs beside the same Envoy without filters: CPU time per request, saturated, in turns, and what
// each part of the chain adds to it. It starts the built program that ENTENTE_BIN names, asks its Envoy what it was configured with, and runs
// copies of that from which parts are left out.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/entente-mesh/entente/benchmarks/proc"
	"github.com/entente-mesh/entente/benchmarks/report"
)

func main() {
	err := run(context.Background(), os.Args[1:])
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return
	}
	fmt.Fprintln(os.Stderr, "gateway: "+err.Error())
	os.Exit(1)
}

// options are the command line.
type options struct {
	rounds   int
	requests int
	format   string
	results  string
	dir      string
}

func parse(args []string) (options, error) {
	var o options
	var short bool
	flags := flag.NewFlagSet("gateway", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: ENTENTE_BIN=FILE ENVOY=FILE gateway [flags]\n\nmeasures one gateway hop beside an Envoy without filters and prints a table")
		flags.PrintDefaults()
	}
	flags.BoolVar(&short, "short", false, "3 rounds of 10,000 requests: about half a minute")
	flags.IntVar(&o.rounds, "rounds", 9, "how many times everything takes its turn")
	flags.IntVar(&o.requests, "requests", 30_000, "requests per turn")
	flags.StringVar(&o.format, "format", "table", "what goes to standard output: table or benchstat")
	flags.StringVar(&o.results, "results", "", "also write the samples in benchstat's format to this `file`")
	flags.StringVar(&o.dir, "dir", "", "`folder` for sockets and data; removed from it at the end (default: the system's temporary folder)")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if short {
		o.rounds, o.requests = 3, 10_000
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q; see -help", flags.Arg(0))
	case o.format != "table" && o.format != "benchstat":
		return o, fmt.Errorf("-format %s: write table or benchstat", o.format)
	case o.rounds < 1 || o.requests < 1000:
		return o, fmt.Errorf("%d rounds of %d requests: give at least 1 of 1000", o.rounds, o.requests)
	}
	return o, nil
}

// run measures and reports. Whatever happens, Ctrl-C too, nothing that it started is left, and no file but the results.
func run(ctx context.Context, args []string) (err error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.dir, "hop-")
	if err != nil {
		return fmt.Errorf("make a folder for the measured programs' data: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cores, err := proc.Cores()
	if err != nil {
		return err
	}
	if err := keepTo(os.Getpid(), clientCore, cores); err != nil {
		return err
	}
	runtime.GOMAXPROCS(1)

	b := &bench{options: o, dir: dir, cores: cores}
	ctx, cancel := context.WithCancel(ctx)
	defer func() { err = errors.Join(err, b.end(cancel)) }() // before the folder goes
	if err := b.prepare(ctx); err != nil {
		return err
	}
	if err := b.measure(ctx); err != nil {
		return err
	}
	return b.publish()
}

// publish writes the report to standard output and, when a file is named, the samples to it.
func (b *bench) publish() error {
	r, err := b.report()
	if err != nil {
		return err
	}
	if b.options.results != "" {
		if err := writeSamples(r, b.options.results); err != nil {
			return err
		}
	}
	if b.options.format == "benchstat" {
		return r.Benchstat(os.Stdout)
	}
	if err := b.short(r).Table(os.Stdout); err != nil {
		return err
	}
	return b.breakdown(os.Stdout)
}

func writeSamples(r report.Report, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	return errors.Join(r.Benchstat(file), file.Close())
}
