package main

import (
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/entente-mesh/entente/benchmarks/proc"
	"github.com/entente-mesh/entente/benchmarks/report"
)

// reach is what a hop with all filters may cost at most, as a multiple of one without.
const reach = 1.20

func (b *bench) report() (report.Report, error) {
	m, err := proc.Describe(b.dir)
	if err != nil {
		return report.Report{}, err
	}
	r := report.Report{
		Package: "github.com/entente-mesh/entente/benchmarks/gateway",
		Machine: []report.Fact{{Key: "cpu", Value: m.CPU}, {Key: "cores", Value: strconv.Itoa(m.Cores)}, {Key: "kernel", Value: m.Kernel}},
		Run: []report.Fact{
			{Key: "took", Value: b.took.Round(time.Second).String()},
			{Key: "requests-per-turn", Value: strconv.Itoa(b.options.requests)},
			{Key: "other-load", Value: fmt.Sprintf("%.0f %%", 100*b.others)},
		},
		Results: &b.results,
		Notes: []string{
			"CPU time of all threads of the one Envoy, per request; one worker on one core, load and service on another",
			"all but the gateway itself are copies of its own configuration, as its Envoy tells it, with 1,000 partners' tokens and some parts left out",
			"router only: the gateway's listener and routes without filters and access log; one route: an Envoy that only forwards",
		},
	}
	for _, p := range protocols() {
		r.Figures = append(r.Figures,
			report.Figure{Key: "CPU" + p.key, Title: p.title + ": CPU per request", Unit: "sec", Shown: "µs", Scale: 1e6, Digits: 1},
			report.Figure{Key: "Ratio" + p.key, Title: p.title + ": over router only, same round", Unit: "ratio", Digits: 3, Reach: reach},
			report.Figure{Key: "Rate" + p.key, Title: p.title + ": requests", Unit: "requests/sec", Shown: "/s", Better: report.Higher},
			report.Figure{Key: "Busy" + p.key, Title: p.title + ": Envoy's core busy", Unit: "ratio", Shown: "%", Scale: 100, Better: report.Higher},
		)
	}
	r.Systems = []report.System{{Key: stepFilters, Title: "all filters"}} // ours first
	for _, s := range b.subjects {
		if s.key == stepFilters {
			continue
		}
		r.Systems = append(r.Systems, report.System{Key: s.key, Title: s.title})
	}
	return r, nil
}

// short is the report on the steps that matter.
func (b *bench) short(r report.Report) report.Report {
	r.Systems = []report.System{
		{Key: stepFilters, Title: "all filters"},
		{Key: stepRouter, Title: "router only"},
		{Key: stepPlain, Title: "one route"},
		{Key: stepLogged, Title: "with access log"},
		{Key: stepGateway, Title: "gateway itself"},
	}
	return r
}

// breakdown says what each step adds to the one before.
func (b *bench) breakdown(w io.Writer) error {
	fmt.Fprintln(w, "\nwhat each part adds to those above it, µs of CPU per request (median of all rounds; % of router only)")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "PART\t")
	for _, p := range protocols() {
		fmt.Fprintf(t, "%s\tadds\t%%\t", p.title)
	}
	fmt.Fprintln(t)
	for i, s := range b.subjects[1:] { // the first one is the gateway itself
		fmt.Fprintf(t, "%s\t", s.title)
		for _, p := range protocols() {
			median := func(key string) float64 { return 1e6 * report.Summarize(b.results.Samples("CPU"+p.key, key)).Median }
			now, without := median(s.key), median(stepRouter)
			if i == 0 {
				fmt.Fprintf(t, "%.1f\t\t\t", now)
				continue
			}
			adds := now - median(b.subjects[i].key)
			fmt.Fprintf(t, "%.1f\t%+.1f\t%+.0f\t", now, adds, 100*adds/without)
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}
