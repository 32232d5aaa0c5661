package main

import (
	"context"
	"fmt"

	"github.com/entente-mesh/entente/benchmarks/report"
)

// A section is one table: what is measured of which systems.
type section struct {
	key     string // for -only, and in the package path for benchstat
	title   string
	systems []report.System // ours first
	figures []report.Figure
	notes   []string
	// round measures one system once.
	round func(ctx context.Context, b *bench, system string) error
}

// sections are the tables in the order in which they are measured.
func sections(p plan) []section {
	return []section{confirmSection(p), costSection(p), memorySection(p), fleetSection(p)}
}

func system(key string) report.System {
	return report.System{Key: key, Title: map[string]string{
		keyOurs: "Entente", keySnapshot: "gcp snapshot", keyLinear: "gcp linear", keyMux: "gcp mux", keyBare: "bare grpc-go", keyDefaults: "bare, defaults",
	}[key]}
}

func systems(keys ...string) []report.System {
	var all []report.System
	for _, k := range keys {
		all = append(all, system(k))
	}
	return all
}

const (
	noteGCP   = "gcp: go-control-plane v0.14.0, its server/v3 on grpc-go's own options over each of its caches; all clients of the snapshot cache share one snapshot"
	noteCores = "server and clients are two processes, each on a core of its own"
)

// few is n for people: 1,000.
func few(n int) string {
	if n >= 1_000 {
		return fmt.Sprintf("%d,%03d", n/1_000, n%1_000)
	}
	return fmt.Sprint(n)
}
