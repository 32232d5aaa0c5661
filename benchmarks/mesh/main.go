// Command mesh measures the way of an object from the API server into a real Envoy: thousands of objects loaded from nothing, and single
// changes among ten thousand services. The API server is the built program that ENTENTE_BIN names, the Envoy the one that ENVOY names, and
// what stands between them runs in this process, put together as `entente start` does it.
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
	"runtime/pprof"
	"syscall"

	"k8s.io/client-go/rest"

	"github.com/entente-mesh/entente/benchmarks/report"
)

func main() {
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	if len(os.Args) > 1 && os.Args[1] == writerArgument {
		exit(serveWriter(context.Background(), os.Args[2:], os.Stdout))
	}
	exit(benchmark(context.Background(), os.Args[1:], os.Stdout))
}

func exit(err error) {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		os.Exit(0)
	}
	fmt.Fprintln(os.Stderr, "mesh: "+err.Error())
	os.Exit(1)
}

// options are the command line.
type options struct {
	quick   bool
	part    string
	format  string
	results string
	dir     string
	profile string
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("mesh", flag.ContinueOnError)
	flags.Usage = func() {
		fmt.Fprintln(flags.Output(), "usage: ENTENTE_BIN=FILE ENVOY=FILE mesh [flags]\n\nmeasures the way from the API server into a real Envoy and prints a table")
		flags.PrintDefaults()
	}
	flags.BoolVar(&o.quick, "quick", false, "few objects and rounds: half a minute, to see that everything works; its figures say little")
	flags.StringVar(&o.part, "part", "all", "what is measured: load, change or all")
	flags.StringVar(&o.format, "format", "table", "what goes to standard output: table or benchstat")
	flags.StringVar(&o.results, "results", "", "also write the samples in benchstat's format to this `file`")
	flags.StringVar(&o.dir, "dir", "", "`folder` for the API server's data; removed from it at the end (default: the system's temporary folder)")
	flags.StringVar(&o.profile, "cpuprofile", "", "write CPU profiles of this process to `file`.load and, for each sort of change, file.KEY")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q; see -help", flags.Arg(0))
	case o.part != "load" && o.part != "change" && o.part != "all":
		return o, fmt.Errorf("-part %s: write load, change or all", o.part)
	case o.format != "table" && o.format != "benchstat":
		return o, fmt.Errorf("-format %s: write table or benchstat", o.format)
	}
	return o, nil
}

// benchmark measures and reports. Whatever happens, Ctrl-C too, nothing that it started is left, and no file but the results.
func benchmark(ctx context.Context, args []string, stdout io.Writer) (err error) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(args)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(o.dir, "entente-bench-")
	if err != nil {
		return fmt.Errorf("make a folder for the API server's data: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b, err := newBench(ctx, o, dir)
	if err != nil {
		return err
	}
	if err := b.measure(ctx); err != nil {
		return err
	}
	return show(b.report(), o, stdout)
}

// show writes the report to standard output and, when a file is named, the samples to it.
func show(r report.Report, o options, stdout io.Writer) error {
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

// profiled runs work under the CPU profiler, if a file is wanted.
func (o options) profiled(part string, work func() error) (err error) {
	if o.profile == "" {
		return work()
	}
	file, err := os.Create(o.profile + "." + part)
	if err != nil {
		return fmt.Errorf("write a profile: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := pprof.StartCPUProfile(file); err != nil {
		return fmt.Errorf("take a profile: %w", err)
	}
	defer pprof.StopCPUProfile()
	return work()
}
