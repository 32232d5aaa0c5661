// Command dns measures CoreDNS with the plugin entente beside the same CoreDNS with the plugins kubernetes and hosts.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/entente-mesh/entente/benchmarks/proc"
)

// serverRole and clientRole make this program one side of a measurement, on a core of its own. They are not for people.
const (
	serverRole = "be-server"
	clientRole = "be-client"
)

func main() {
	if role, ok := sideOf(os.Args); ok {
		exit(role())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// sideOf is the side that the program was started to be, if any.
func sideOf(args []string) (func() error, bool) {
	switch {
	case len(args) == 3 && args[1] == serverRole:
		return func() error {
			return proc.Play(serverRole, args[2], 0, func(ctx context.Context, _ string) any { return newServer(ctx) })
		}, true
	case len(args) == 3 && args[1] == clientRole:
		return func() error {
			return proc.Play(clientRole, args[2], 1, func(context.Context, string) any { return &Client{} })
		}, true
	}
	return nil, false
}

func exit(err error) {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "dns: "+err.Error())
	os.Exit(1)
}

// options are the command line.
type options struct {
	quick   bool
	rounds  int
	format  string
	results string
	profile string
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("dns", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: dns [flags]\n\nmeasures CoreDNS with the plugin entente beside kubernetes and hosts and prints a table")
		flags.PrintDefaults()
	}
	flags.BoolVar(&o.quick, "quick", false, "small counts: some seconds, to see that everything works")
	flags.IntVar(&o.rounds, "rounds", 0, "rounds (default 5, with -quick 1)")
	flags.StringVar(&o.format, "format", "table", "what goes to standard output: table or benchstat")
	flags.StringVar(&o.results, "results", "", "also write the samples in benchstat's format to this `file`")
	flags.StringVar(&o.profile, "profile", "", "write a CPU profile of each server under load to this `folder`")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q; see -help", flags.Arg(0))
	case o.format != "table" && o.format != "benchstat":
		return o, fmt.Errorf("-format %s: write table or benchstat", o.format)
	case o.rounds < 0:
		return o, fmt.Errorf("-rounds %d: write a positive number", o.rounds)
	}
	return o, nil
}

// run measures and reports. Whatever happens, Ctrl-C too, nothing that it started is left, and no file but the results.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	o, err := parse(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "entente-bench-")
	if err != nil {
		return fmt.Errorf("make a folder for the servers' files: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{plan: planned(o.quick), dir: dir, profile: o.profile, say: &progress{to: stderr, begun: time.Now()}}
	if o.rounds > 0 {
		b.plan.rounds = o.rounds
	}
	r, err := b.measure(ctx)
	if err != nil {
		return err
	}
	if o.results != "" {
		if err := results(r, o.results); err != nil {
			return err
		}
	}
	if o.format == "benchstat" {
		return r.Benchstat(stdout)
	}
	return r.Table(stdout)
}
