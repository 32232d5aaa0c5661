package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/miekg/dns"

	"github.com/entente-mesh/entente/benchmarks/proc"
	"github.com/entente-mesh/entente/benchmarks/report"
)

// A plan says how much is measured.
type plan struct {
	names   int
	handles int           // questions to a plugin
	load    time.Duration // of questions to a server
	changes int
	rounds  int
}

func planned(quick bool) plan {
	if quick {
		return plan{names: 200, handles: 5_000, load: 300 * time.Millisecond, changes: 10, rounds: 1}
	}
	return plan{names: 10_000, handles: 1_000_000, load: 5 * time.Second, changes: 300, rounds: 5}
}

// The figures' keys.
const (
	handlerTime   = "HandlerTime"
	handlerAllocs = "HandlerAllocs"
	perCPU        = "QueriesPerCPU"
	wall          = "Queries"
	changeP50     = "ChangeP50"
	changeP99     = "ChangeP99"
)

func figures() []report.Figure {
	ms := func(key, title string, reach float64) report.Figure {
		return report.Figure{Key: key, Title: title, Unit: "sec", Shown: "ms", Scale: 1e3, Digits: 2, Reach: reach}
	}
	return []report.Figure{
		{Key: handlerTime, Title: "plugin alone: CPU per answer", Unit: "cpu-sec", Shown: "µs", Scale: 1e6, Digits: 2, Reach: 1e-6},
		{Key: handlerAllocs, Title: "plugin alone: allocations per answer", Unit: "allocs", Digits: 1},
		{Key: perCPU, Title: "whole server: queries per CPU-second", Unit: "queries/cpu-sec", Shown: "/s", Better: report.Higher},
		{Key: wall, Title: "whole server: queries per second", Unit: "queries/sec", Shown: "/s", Better: report.Higher},
		ms(changeP50, "watch event to new answer, p50", 0),
		ms(changeP99, "watch event to new answer, p99", 5e-3),
	}
}

// A bench is one run. One goroutine owns it.
type bench struct {
	plan    plan
	dir     string
	profile string // folder for CPU profiles of the servers under load; empty: none
	say     *progress
	results report.Results
}

// measure runs all rounds. Within a round the systems take turns, so that whatever else the machine does hits them alike.
func (b *bench) measure(ctx context.Context) (report.Report, error) {
	before, err := proc.Now()
	if err != nil {
		return report.Report{}, err
	}
	all := systems()
	for round := range b.plan.rounds {
		for i := range all {
			sys := all[(i+round)%len(all)]
			b.say.printf("round %d of %d: %s", round+1, b.plan.rounds, sys.Title)
			if err := b.round(ctx, sys); err != nil {
				return report.Report{}, fmt.Errorf("%s: %w", sys.Title, err)
			}
		}
	}
	after, err := proc.Now()
	if err != nil {
		return report.Report{}, err
	}
	r := report.Report{
		Package: "github.com/entente-mesh/entente/benchmarks/dns",
		Run: []report.Fact{
			{Key: "other-load", Value: fmt.Sprintf("%.0f %% of the machine's CPU time went to something else than this run", 100*proc.Others(before, after))},
			{Key: "took", Value: time.Since(b.say.begun).Round(time.Second).String()},
		},
		Figures: figures(), Results: &b.results,
		Notes: []string{
			fmt.Sprintf("CoreDNS v1.15.0 with the plugins errors and the named one, and %d names; server and client are two processes, each on a core of its own", b.plan.names),
			"entente and kubernetes watch the same headless services and endpoint slices in an API server that does nothing else; hosts has them in a file, and reads it again every 5 s",
			"kubernetes answers below svc.cluster.local, the others below svc",
		},
	}
	for _, sys := range all {
		r.Systems = append(r.Systems, sys.System)
	}
	r.Machine, err = machine()
	return r, err
}

// machine is where the figures come from.
func machine() ([]report.Fact, error) {
	m, err := proc.Describe(os.TempDir())
	if err != nil {
		return nil, err
	}
	cores, err := proc.Cores()
	return []report.Fact{
		{Key: "cpu", Value: m.CPU},
		{Key: "cores", Value: strconv.Itoa(len(cores))},
		{Key: "memory", Value: fmt.Sprintf("%.0f GiB", float64(m.Memory)/(1<<30))},
		{Key: "kernel", Value: m.Kernel},
	}, err
}

// round measures one system once, on an API server of its own.
func (b *bench) round(ctx context.Context, sys system) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*time.Minute, errors.New("a round has taken longer than two minutes and was given up"))
	defer cancel()
	api, err := startAPI()
	if err != nil {
		return err
	}
	defer api.close()
	for i := range b.plan.names {
		api.service(serviceName(i), address(i))
	}
	kubeconfig, hosts, err := write(b.dir, api.url, b.plan.names)
	if err != nil {
		return err
	}
	at, err := freeAddress()
	if err != nil {
		return err
	}
	server, err := proc.StartSide(ctx, serverRole)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.End()) }()
	if err := server.Ask(ctx, "Server.Begin", sys.whole(at, kubeconfig, hosts), new(int)); err != nil {
		return err
	}
	if err := until(ctx, at, sys.names(b.plan.names), nil); err != nil {
		return err
	}
	return errors.Join(b.handle(ctx, sys, server), b.load(ctx, sys, server, at), b.change(ctx, sys, api, at))
}

func (b *bench) handle(ctx context.Context, sys system, server *proc.Side) error {
	var h Handled
	if err := server.Ask(ctx, "Server.Handle", Handle{Plugin: sys.plugin, Names: sys.names(b.plan.names), Times: b.plan.handles}, &h); err != nil {
		return err
	}
	b.results.Add(handlerTime, sys.Key, h.Took.Seconds())
	b.results.Add(handlerAllocs, sys.Key, h.Allocations)
	b.say.printf("  plugin alone: %v, %.1f allocations", h.Took, h.Allocations)
	return nil
}

// load asks the whole server as fast as it answers.
func (b *bench) load(ctx context.Context, sys system, server *proc.Side, at string) (err error) {
	client, err := proc.StartSide(ctx, clientRole)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.End()) }()
	task := Load{Address: at, Names: sys.names(b.plan.names), Sockets: 8, Ahead: 8, Time: b.plan.load / 10}
	if err := client.Ask(ctx, "Client.Ask", task, new(Loaded)); err != nil { // not counted
		return err
	}
	task.Time = b.plan.load
	before, err := server.Used()
	if err != nil {
		return err
	}
	if b.profile != "" {
		if err := server.Ask(ctx, "Server.Profile", filepath.Join(b.profile, sys.Key+".pprof"), new(int)); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, server.Ask(ctx, "Server.Profile", "", new(int))) }()
	}
	begun := time.Now()
	var got Loaded
	if err := client.Ask(ctx, "Client.Ask", task, &got); err != nil {
		return err
	}
	took := time.Since(begun)
	after, err := server.Used()
	if err != nil {
		return err
	}
	if got.Lost > got.Answered/100 {
		return fmt.Errorf("of %d questions %d were lost: the figures would say nothing", got.Answered+got.Lost, got.Lost)
	}
	cpu := after.CPU - before.CPU
	b.results.Add(perCPU, sys.Key, float64(got.Answered)/cpu.Seconds())
	b.results.Add(wall, sys.Key, float64(got.Answered)/took.Seconds())
	b.say.printf("  whole server: %.0f queries per CPU-second, %.0f per second", float64(got.Answered)/cpu.Seconds(), float64(got.Answered)/took.Seconds())
	return nil
}

// change takes the time from a change in the API server until the server gives the new answer.
func (b *bench) change(ctx context.Context, sys system, api *apiServer, at string) error {
	if !sys.watches {
		return nil
	}
	var seconds []float64
	for i := range b.plan.changes {
		want := fmt.Sprintf("10.200.%d.%d", i>>8&255, i&255)
		begun := time.Now()
		api.endpoint(serviceName(0), want)
		if err := until(ctx, at, []string{serviceName(0) + sys.suffix}, &want); err != nil {
			return err
		}
		seconds = append(seconds, time.Since(begun).Seconds())
	}
	b.results.Add(changeP50, sys.Key, report.Percentile(seconds, 50))
	b.results.Add(changeP99, sys.Key, report.Percentile(seconds, 99))
	b.say.printf("  watch event to new answer: p50 %.2f ms, p99 %.2f ms", 1e3*report.Percentile(seconds, 50), 1e3*report.Percentile(seconds, 99))
	return nil
}

// until asks over and over until every name has an address, or the wanted one.
func until(ctx context.Context, at string, names []string, want *string) error {
	conn, err := dns.Dial("udp", at)
	if err != nil {
		return fmt.Errorf("ask %s: %w", at, err)
	}
	defer func() { _ = conn.Close() }() // nothing waits in it
	for _, name := range names {
		q := new(dns.Msg).SetQuestion(name, dns.TypeA)
		for {
			reply, err := exchange(conn, q)
			if err == nil && len(reply.Answer) == 1 {
				if a, ok := reply.Answer[0].(*dns.A); ok && (want == nil || a.A.String() == *want) {
					break
				}
			}
			if ctx.Err() != nil {
				return fmt.Errorf("%s is not answered as it should be: %w; the last reply: %v", name, errors.Join(context.Cause(ctx), err), reply)
			}
		}
	}
	return nil
}

func exchange(conn *dns.Conn, q *dns.Msg) (*dns.Msg, error) {
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return nil, err
	}
	if err := conn.WriteMsg(q); err != nil {
		return nil, err
	}
	return conn.ReadMsg()
}

// A progress tells a person what happens, with the time since the begin.
type progress struct {
	to    io.Writer
	begun time.Time
}

// printf writes one line. A terminal that is gone is no reason to stop measuring.
func (p *progress) printf(format string, args ...any) {
	fmt.Fprintf(p.to, "[%4.0fs] %s\n", time.Since(p.begun).Seconds(), fmt.Sprintf(format, args...))
}

// results writes the samples to a file.
func results(r report.Report, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	return errors.Join(r.Benchstat(file), file.Close())
}
