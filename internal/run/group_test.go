package run_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/entente-mesh/entente/internal/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errBroken = errors.New("broken")

// A part is a Task that takes a while to be ready, to fail and to stop, in fake time.
type part struct {
	name    string
	startup time.Duration // until it is ready; negative: never
	failure time.Duration // until it ends by itself with err; 0: never
	stop    time.Duration // from being asked until it returns
	err     error         // what Run returns when it fails
	stopErr error         // what Run returns when it was asked to stop

	ready chan struct{}
}

func newPart(p part) *part {
	p.ready = make(chan struct{})
	return &p
}

func (p *part) String() string         { return p.name }
func (p *part) Ready() <-chan struct{} { return p.ready }

func (p *part) Run(ctx context.Context) error {
	var ready, failed <-chan time.Time
	if p.startup >= 0 {
		ready = time.After(p.startup)
	}
	if p.failure > 0 {
		failed = time.After(p.failure)
	}
	for {
		select {
		case <-ready:
			close(p.ready)
		case <-failed:
			return p.err
		case <-ctx.Done():
			time.Sleep(p.stop)
			return p.stopErr
		}
	}
}

// story runs the group in fake time until it ends, or stops it after the given time, and tells what was observed.
func story(t *testing.T, stopAfter time.Duration, build func(*run.Group)) (lines []string, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		g := run.NewGroup("node", func(e run.Event) {
			line := time.Since(began).String() + " " + e.Task + " " + e.Phase.String() + " in " + e.Took.String()
			if e.Err != nil {
				line += ": " + e.Err.Error()
			}
			lines = append(lines, line)
		})
		build(g)
		ctx, cancel := context.WithTimeout(t.Context(), stopAfter)
		defer cancel()
		err = g.Run(ctx)
	})
	return lines, err
}

func TestGroup(t *testing.T) {
	const ms = time.Millisecond
	cases := []struct {
		name  string
		stop  time.Duration
		build func(*run.Group)
		want  []string
		err   string
	}{
		{
			name: "a task starts when what it needs is ready and stops before it",
			stop: 100 * ms,
			build: func(g *run.Group) {
				store := newPart(part{name: "store", startup: 5 * ms, stop: 1 * ms})
				api := newPart(part{name: "api", startup: 20 * ms, stop: 2 * ms})
				agent := newPart(part{name: "agent", startup: 1 * ms, stop: 3 * ms})
				g.Add(store)
				g.Add(api, store)
				g.Add(agent, api)
			},
			want: []string{
				"0s store started in 0s",
				"5ms store ready in 5ms",
				"5ms api started in 0s",
				"25ms api ready in 20ms",
				"25ms agent started in 0s",
				"26ms agent ready in 1ms",
				"103ms agent stopped in 3ms",
				"105ms api stopped in 2ms",
				"106ms store stopped in 1ms",
			},
		},
		{
			name: "what is needed by several stops after the slowest of them",
			stop: 100 * ms,
			build: func(g *run.Group) {
				api := newPart(part{name: "api", stop: 1 * ms})
				g.Add(api)
				g.Add(newPart(part{name: "dns", startup: 1 * ms, stop: 10 * ms}), api)
				g.Add(newPart(part{name: "xds", startup: 2 * ms, stop: 5 * ms}), api)
			},
			want: []string{
				"0s api started in 0s", "0s api ready in 0s",
				"0s dns started in 0s", "0s xds started in 0s", "1ms dns ready in 1ms", "2ms xds ready in 2ms",
				"105ms xds stopped in 5ms", "110ms dns stopped in 10ms", "111ms api stopped in 1ms",
			},
		},
		{
			name: "a failure stops the rest in order and is returned with the task's name",
			stop: time.Hour,
			build: func(g *run.Group) {
				api := newPart(part{name: "api", stop: 1 * ms})
				dns := newPart(part{name: "dns", startup: 1 * ms, failure: 50 * ms, err: errBroken})
				g.Add(api)
				g.Add(dns, api)
				g.Add(newPart(part{name: "agent", startup: 2 * ms, stop: 4 * ms}), dns)
			},
			want: []string{
				"0s api started in 0s", "0s api ready in 0s",
				"0s dns started in 0s", "1ms dns ready in 1ms",
				"1ms agent started in 0s", "3ms agent ready in 2ms",
				"50ms dns stopped in 50ms: broken",
				"54ms agent stopped in 4ms", "55ms api stopped in 1ms",
			},
			err: "dns: broken",
		},
		{
			name: "a task that returns without being asked has failed",
			stop: time.Hour,
			build: func(g *run.Group) {
				g.Add(newPart(part{name: "api", failure: 7 * ms}))
			},
			want: []string{
				"0s api started in 0s", "0s api ready in 0s",
				"7ms api stopped in 7ms: ended without being asked",
			},
			err: "api: ended without being asked",
		},
		{
			name: "a task that never becomes ready keeps those after it from starting",
			stop: 10 * ms,
			build: func(g *run.Group) {
				api := newPart(part{name: "api", startup: -1})
				g.Add(api)
				g.Add(newPart(part{name: "agent"}), api)
			},
			want: []string{"0s api started in 0s", "10ms api stopped in 0s"},
		},
		{
			name: "the context's own error is an orderly stop",
			stop: 10 * ms,
			build: func(g *run.Group) {
				g.Add(newPart(part{name: "api", stopErr: context.Canceled}))
			},
			want: []string{"0s api started in 0s", "0s api ready in 0s", "10ms api stopped in 0s"},
		},
		{
			name: "a task that fails while it stops is reported",
			stop: 10 * ms,
			build: func(g *run.Group) {
				g.Add(newPart(part{name: "api", stopErr: errBroken}))
			},
			want: []string{"0s api started in 0s", "0s api ready in 0s", "10ms api stopped in 0s: broken"},
			err:  "api: broken",
		},
		{
			name:  "a group without tasks runs until it is stopped",
			stop:  10 * ms,
			build: func(*run.Group) {},
		},
		{
			name: "a task cannot be added after one that is not there",
			stop: 10 * ms,
			build: func(g *run.Group) {
				g.Add(newPart(part{name: "agent"}), newPart(part{name: "api"}))
			},
			err: "node: agent was added after api, which was not there yet: add that first",
		},
		{
			name: "a task cannot be added twice",
			stop: 10 * ms,
			build: func(g *run.Group) {
				api := newPart(part{name: "api"})
				g.Add(api)
				g.Add(api)
			},
			err: "node: api was added twice",
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := story(t, c.stop, c.build)
			// Tasks that do something at the same moment do it in no fixed order.
			if diff := cmp.Diff(sameMoment(c.want), sameMoment(got)); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if text := errorText(err); text != c.err {
				t.Errorf("Run returned %q, want %q", text, c.err)
			}
		})
	}
}

func TestGroupKeepsTheFailureForErrorsIs(t *testing.T) {
	_, err := story(t, time.Hour, func(g *run.Group) {
		g.Add(newPart(part{name: "api", failure: time.Second, err: errBroken}))
	})
	if !errors.Is(err, errBroken) {
		t.Errorf("Run returned %v, want it to wrap %v", err, errBroken)
	}
}

func TestGroupIsReadyWithItsLastTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		inner := run.NewGroup("inner", nil)
		inner.Add(newPart(part{name: "api", startup: time.Second}))
		inner.Add(newPart(part{name: "dns", startup: time.Minute}))
		outer := run.NewGroup("outer", nil) // a group is a task, so groups nest
		outer.Add(inner)
		ended := make(chan error, 1)
		began := time.Now()
		go func() { ended <- outer.Run(ctx) }()

		<-outer.Ready()
		if took := time.Since(began); took != time.Minute {
			t.Errorf("ready after %v, want %v", took, time.Minute)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run returned %v after an orderly stop", err)
		}
	})
}

func TestGroupKeepsTheValuesOfItsContext(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "alice")
	g := run.NewGroup("node", nil)
	g.Add(taskFunc(func(ctx context.Context) error {
		if got := ctx.Value(key{}); got != "alice" {
			t.Errorf("value %v, want alice", got)
		}
		return errBroken
	}))
	if err := g.Run(ctx); !errors.Is(err, errBroken) {
		t.Errorf("Run returned %v, want %v", err, errBroken)
	}
}

// A taskFunc is a Task that is never ready. It is a pointer, since tasks are compared.
type funcTask struct{ run func(context.Context) error }

func taskFunc(f func(context.Context) error) *funcTask { return &funcTask{f} }

func (f *funcTask) Run(ctx context.Context) error { return f.run(ctx) }
func (f *funcTask) Ready() <-chan struct{}        { return nil }
func (f *funcTask) String() string                { return "func" }

// sameMoment sorts neighboring lines that begin with the same time.
func sameMoment(lines []string) []string {
	moment := func(line string) string { before, _, _ := strings.Cut(line, " "); return before }
	for from := 0; from < len(lines); {
		to := from + 1
		for to < len(lines) && moment(lines[to]) == moment(lines[from]) {
			to++
		}
		slices.Sort(lines[from:to])
		from = to
	}
	return lines
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
