package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test program be etcd, as the benchmark program can.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == etcdArgument {
		exit(serveEtcd(os.Args[2]))
	}
	os.Exit(m.Run())
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, args, want string }{
		{"a format that nobody writes", "-format xml", "table or benchstat"},
		{"a budget that has ended before it began", "-budget -1s", "positive time"},
		{"a word too many", "-short now", `unexpected argument "now"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if _, err := parse(strings.Fields(tc.args)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("want an error with %q, got %v", tc.want, err)
			}
		})
	}
}

func TestEtcdServesAnEmptyFolderAndWhatItLeftThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		p, endpoint, err := startEtcd(ctx, dir)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(endpoint, "http://127.0.0.1:") {
			t.Errorf("want a loopback endpoint, got %q", endpoint)
		}
		if _, err := p.Stop(t.Context()); err != nil {
			t.Errorf("want a clean stop, got %v", err)
		}
		cancel()
	}
}

func TestScheduleRunsWhatIsEnoughThenWhatTheBudgetHolds(t *testing.T) {
	t.Parallel()
	p := plan{starts: 3, enoughStarts: 2, loads: 2, enoughLoads: 1, budget: 100 * time.Second}
	for _, tc := range []struct {
		name        string
		start, load time.Duration // how long a round takes
		want        string
		cut         bool
	}{
		{"all rounds fit", time.Second, 10 * time.Second, "start start load load start", false},
		{"a second load does not fit, a third start does", 10 * time.Second, 60 * time.Second, "start start load start", true},
		{"nothing more than enough fits", 20 * time.Second, 60 * time.Second, "start start load", true},
		{"enough is run even beyond the budget", 60 * time.Second, 90 * time.Second, "start start load", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := schedule{plan: p}
			var elapsed time.Duration
			var got []string
			for {
				next, cut := s.next(elapsed)
				if next == noRound {
					if cut != tc.cut {
						t.Errorf("cut by the budget: want %v, got %v", tc.cut, cut)
					}
					break
				}
				name, took := "start", tc.start
				if next == loadRound {
					name, took = "load", tc.load
				}
				got = append(got, name)
				elapsed += took
				s.did(next, took)
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("want %s, got %s", tc.want, got)
			}
		})
	}
}

func TestEveryFigureHasAKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, f := range figures() {
		if f.Key == "" || f.Title == "" || f.Unit == "" || seen[f.Key] {
			t.Errorf("figure %+v lacks something or comes twice", f)
		}
		seen[f.Key] = true
	}
}

func TestK3sGetsTwoPortsThatAreFree(t *testing.T) {
	t.Parallel()
	port, err := freePorts()
	if err != nil || port <= 0 || port >= 1<<16-1 {
		t.Errorf("got %d, %v", port, err)
	}
}
