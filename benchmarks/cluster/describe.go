package main

import (
	"fmt"
	"strconv"

	"github.com/entente-mesh/entente/benchmarks/proc"
	"github.com/entente-mesh/entente/benchmarks/report"
)

// describe takes down where the figures come from.
func (b *bench) describe() error {
	m, err := proc.Describe(b.dir)
	if err != nil {
		return err
	}
	b.machine = []report.Fact{
		{Key: "cpu", Value: m.CPU},
		{Key: "cores", Value: strconv.Itoa(m.Cores)},
		{Key: "memory", Value: fmt.Sprintf("%.0f GiB", float64(m.Memory)/(1<<30))},
		{Key: "kernel", Value: m.Kernel},
		{Key: "filesystem", Value: m.Filesystem},
	}
	return nil
}

// report is what the run has found so far.
func (b *bench) report() report.Report {
	notes := append([]string(nil), b.notes...)
	for _, s := range b.systems {
		if n := b.ended[s.Title]; n > 0 {
			notes = append(notes, fmt.Sprintf("%s: the server ended %d watches that fell behind; the watcher went on from its last event", s.Title, n))
		}
	}
	r := report.Report{
		Package: "github.com/entente-mesh/entente/benchmarks/cluster",
		Machine: b.machine,
		Run:     b.ran,
		Figures: figures(),
		Results: &b.results,
		Notes:   append(notes, "with etcd: the same program on etcd 3.7.3 in a process of its own, every commit synced; memory, CPU and disk are the sums of both"),
	}
	for _, s := range b.systems {
		r.Systems = append(r.Systems, s.System)
	}
	return r
}
