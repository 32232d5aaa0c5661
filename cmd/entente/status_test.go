//go:build lite

package main

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/entente-mesh/entente/internal/config"
	"github.com/entente-mesh/entente/internal/golden"
	"github.com/entente-mesh/entente/internal/run"
	"github.com/entente-mesh/entente/internal/version"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestTheStatusScreen(t *testing.T) {
	t.Parallel()
	base := Status{
		Version: version.Info{Version: "v0.1.0"}, Domain: "alice", Mode: "autonomy", Home: "/var/lib/entente/alice",
		PID: 4711, Started: noon.Add(-90 * time.Second),
	}
	ready, starting, broken := base, base, base
	ready.State, ready.Took = Ready, "1.9s"
	ready.Cluster = &ClusterStatus{
		Kind: "embedded", Server: "https://127.0.0.1:6443", Version: "v1.37.2+entente-v0.1.0", Datastore: "SQLite", StoreBytes: 6_400_000, Definitions: 18, Wanted: 18,
	}
	ready.Parts = []Part{{Name: "embedded cluster", State: Ready, Took: "1.2s"}, {Name: "scheduler", State: Ready, Took: "130ms"}}
	ready.Nodes = []NodeStatus{{Name: "alice-0", Ready: true, Created: noon.Add(-time.Hour)}, {Name: "alice-1", Created: noon.Add(-time.Minute)}}
	starting.State = Starting
	starting.Parts = []Part{{Name: "embedded cluster", State: Starting}}
	broken.State = Starting
	broken.Parts = []Part{{Name: "gateway", State: Waiting, Error: "exit status 1"}}
	broken.Problem = "ask for the nodes: connection refused"
	for name, s := range map[string]Status{"ready": ready, "starting": starting, "broken": broken} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			printStatus(&out, s, noon)
			golden.File(t, "testdata/status-"+name+".txt", out.Bytes())
		})
	}
}

func TestWhatANodeWaitsFor(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status Status
		err    error
		want   string
	}{
		"a node that has not been started":           {err: errNotRunning, want: "the node to start"},
		"the first part that is not ready":           {status: Status{Parts: []Part{{Name: "a", State: Ready}, {Name: "b", State: Starting}}}, want: "b"},
		"a part that fails again and again, and why": {status: Status{Parts: []Part{{Name: "a", State: Waiting, Error: "exit status 1"}}}, want: "a (restarts: exit status 1)"},
		"a node that is on its way out":              {status: Status{State: Stopping}, want: "the node, which is stopping"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := waitsFor(tt.status, tt.err); got != tt.want {
				t.Errorf("waitsFor = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPartsReportTheirLife(t *testing.T) {
	t.Parallel()
	var p progress
	p.observe(run.Event{Task: "gateway", Phase: run.Started})
	p.observe(run.Event{Task: "gateway", Phase: run.Waiting, Err: errors.New("exit status 1")})
	p.observe(run.Event{Task: "scheduler", Phase: run.Started})
	p.observe(run.Event{Task: "gateway", Phase: run.Started})
	p.observe(run.Event{Task: "gateway", Phase: run.Ready, Took: 1234567 * time.Microsecond})
	p.set(Ready, 2*time.Second)
	var got Status
	p.fill(&got)
	for i := range got.Parts {
		got.Parts[i].Since = time.Time{}
	}
	want := Status{State: Ready, Took: "2s", Parts: []Part{{Name: "gateway", State: Ready, Took: "1.23s"}, {Name: "scheduler", State: Starting}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
}

func TestAnErrorIsOneLineForEachMistake(t *testing.T) {
	t.Parallel()
	problem := config.Problem{File: "kuscia.yaml", Line: 3, Path: "mode", Reason: "missing", Remedy: "write it"}
	tests := map[string]struct {
		err  error
		want string
	}{
		"line breaks become semicolons":                  {errors.Join(errors.New("one"), errors.New("two")), "one; two"},
		"every mistake of a file has its line":           {config.Problems{problem, problem}, problem.Error() + "\nentente: " + problem.Error()},
		"a place in the file says more than the part":    {errors.Join(errors.New("cluster"), problem), problem.Error()},
		"what a library wraps over lines stays together": {errors.New("a\n\t  b"), "a; b"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := oneLine(tt.err); got != tt.want {
				t.Errorf("oneLine = %q, want %q", got, tt.want)
			}
		})
	}
}
