package run_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/entente-mesh/entente/internal/run"
)

func TestRestart(t *testing.T) {
	backoff := run.Backoff{First: time.Second, Most: 4 * time.Second, Forget: time.Minute}
	cases := []struct {
		name  string
		stop  time.Duration
		lives []part  // the last one is lived again and again
		build []error // what building the nth life returns
		want  []string
	}{
		{
			name:  "each failure in a row doubles the pause",
			stop:  8700 * time.Millisecond,
			lives: []part{{startup: -1, failure: 500 * time.Millisecond, err: errBroken}},
			want: []string{
				"0s started", "500ms waiting 1s: broken",
				"1.5s started", "2s waiting 2s: broken",
				"4s started", "4.5s waiting 4s: broken",
				"8.5s started", "8.7s stopped",
			},
		},
		{
			name: "a long life lets the failures be forgotten",
			stop: 3 * time.Minute,
			lives: []part{
				{failure: time.Second, err: errBroken},
				{failure: time.Second, err: errBroken},
				{failure: time.Minute, err: errBroken},
				{},
			},
			want: []string{
				"0s started", "0s ready", "1s waiting 1s: broken",
				"2s started", "2s ready", "3s waiting 2s: broken",
				"5s started", "5s ready", "1m5s waiting 1s: broken",
				"1m6s started", "1m6s ready", "3m0s stopped",
			},
		},
		{
			name:  "a life that cannot be built counts as a failure",
			stop:  3 * time.Second,
			lives: []part{{}},
			build: []error{errBroken},
			want:  []string{"0s started", "0s waiting 1s: broken", "1s started", "1s ready", "3s stopped"},
		},
		{
			name:  "returning without being asked counts as a failure",
			stop:  2 * time.Second,
			lives: []part{{failure: 1}, {}},
			want: []string{
				"0s started", "0s ready", "1ns waiting 1s: ended without being asked",
				"1.000000001s started", "1.000000001s ready", "2s stopped",
			},
		},
		{
			name:  "a stop during the pause is orderly",
			stop:  time.Second + 1,
			lives: []part{{failure: time.Second, err: errBroken}},
			want:  []string{"0s started", "0s ready", "1s waiting 1s: broken", "1.000000001s stopped"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				events := make(chan string, 100) // more than any case has
				n := -1
				build := func() (run.Task, error) {
					n++
					if n < len(c.build) && c.build[n] != nil {
						return nil, c.build[n]
					}
					return newPart(c.lives[min(n, len(c.lives)-1)]), nil
				}
				task := run.Restart("agent", backoff, build, func(e run.Event) {
					line := time.Since(began).String() + " " + e.Phase.String()
					if e.Phase == run.Waiting {
						line += " " + e.Retry.String() + ": " + e.Err.Error()
					}
					events <- line
				})
				ctx, cancel := context.WithTimeout(t.Context(), c.stop)
				defer cancel()
				if err := task.Run(ctx); err != nil {
					t.Errorf("Run returned %v after an orderly stop", err)
				}
				close(events)
				var got []string
				for e := range events {
					got = append(got, e)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestRestartIsReadyOnceAndForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lives := 0
		task := run.Restart("agent", run.Backoff{}, func() (run.Task, error) {
			lives++
			return newPart(part{startup: time.Second, failure: 2 * time.Second, err: errBroken}), nil
		}, nil)
		g := run.NewGroup("node", nil)
		g.Add(task)
		g.Add(newPart(part{name: "dns"}), task)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := g.Run(ctx); err != nil {
			t.Errorf("the failures of a restarted task ended the group: %v", err)
		}
		select {
		case <-task.Ready():
		default:
			t.Error("the task was ready, but Ready is open")
		}
		if lives < 2 {
			t.Errorf("%d lives, want more than one", lives)
		}
	})
}
