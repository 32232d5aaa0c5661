package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/entente-mesh/entente/benchmarks/proc"
	"github.com/entente-mesh/entente/benchmarks/report"
)

// A bench is one run. One goroutine owns it.
type bench struct {
	plan           plan
	server, client *identity
	profiles       string // folder for CPU profiles; empty: none
	say            *progress
	results        report.Results
}

// measure runs the rounds of a section. Within a round the systems take turns, so that whatever else the machine does hits them alike.
func (b *bench) measure(ctx context.Context, s section, limit time.Duration) (report.Report, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the section %s has taken longer than %v and was given up", s.key, limit))
	defer cancel()
	b.results = report.Results{}
	before, err := proc.Now()
	if err != nil {
		return report.Report{}, err
	}
	begun := time.Now()
	for round := range b.plan.rounds {
		for i := range s.systems {
			sys := s.systems[(i+round)%len(s.systems)]
			b.say.printf("%s, round %d of %d: %s", s.key, round+1, b.plan.rounds, sys.Title)
			if err := s.round(ctx, b, sys.Key); err != nil {
				return report.Report{}, fmt.Errorf("%s, %s: %w", s.key, sys.Title, err)
			}
		}
	}
	after, err := proc.Now()
	if err != nil {
		return report.Report{}, err
	}
	machine, err := machine()
	results := b.results
	return report.Report{
		Package: "github.com/entente-mesh/entente/benchmarks/xds/" + s.key,
		Machine: machine,
		Run: []report.Fact{
			{Key: "section", Value: s.title},
			{Key: "other-load", Value: fmt.Sprintf("%.0f %% of the machine's CPU time went to something else than this run", 100*proc.Others(before, after))},
			{Key: "took", Value: time.Since(begun).Round(time.Second).String()},
		},
		Figures: s.figures, Systems: s.systems, Results: &results, Notes: s.notes,
	}, err
}

// profileOf is the file for the CPU profile of a system; the newest round's stays.
func (b *bench) profileOf(section, system string, n int) string {
	if b.profiles == "" {
		return ""
	}
	return filepath.Join(b.profiles, fmt.Sprintf("%s-%s-%d.pprof", section, system, n))
}

// machine is where the figures come from.
func machine() ([]report.Fact, error) {
	m, err := proc.Describe(os.TempDir())
	if err != nil {
		return nil, err
	}
	cores, err := proc.Cores()
	if err != nil {
		return nil, err
	}
	pinned := "server and clients on a core each"
	if len(cores) < 2 {
		pinned = "server and clients share one core: latencies are too high"
	}
	return []report.Fact{
		{Key: "cpu", Value: m.CPU},
		{Key: "cores", Value: strconv.Itoa(len(cores))},
		{Key: "memory", Value: fmt.Sprintf("%.0f GiB", float64(m.Memory)/(1<<30))},
		{Key: "kernel", Value: m.Kernel},
		{Key: "pinned", Value: pinned},
	}, nil
}

// chosen are the sections that -only names, or all, with the systems that -systems names, or all.
func chosen(all []section, o options) ([]section, error) {
	for _, key := range o.systems {
		if _, known := subjects()[key]; !known {
			return nil, fmt.Errorf("-systems %s: there is no such system: write some of %v", key, slices.Sorted(maps.Keys(subjects())))
		}
	}
	for i := range all {
		all[i].systems = slices.DeleteFunc(all[i].systems, func(s report.System) bool { return len(o.systems) > 0 && !slices.Contains(o.systems, s.Key) })
	}
	if len(o.only) == 0 {
		return all, nil
	}
	var some []section
	for _, key := range o.only {
		i := slices.IndexFunc(all, func(s section) bool { return s.key == key })
		if i < 0 && key != bugsKey {
			return nil, fmt.Errorf("-only %s: there is no such section; see -help", key)
		}
		if i >= 0 {
			some = append(some, all[i])
		}
	}
	return some, nil
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
