package run_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/entente-mesh/entente/internal/run"
)

func TestBackoffPause(t *testing.T) {
	cases := []struct {
		name     string
		backoff  run.Backoff
		failures []int
		want     []time.Duration
	}{
		{
			"without failures there is no pause",
			run.Backoff{},
			[]int{-1, 0},
			[]time.Duration{0, 0},
		},
		{
			"the pause doubles up to the most",
			run.Backoff{First: time.Second, Most: 10 * time.Second},
			[]int{1, 2, 3, 4, 5, 6},
			[]time.Duration{1e9, 2e9, 4e9, 8e9, 10e9, 10e9},
		},
		{
			"the zero value goes from 50 ms to 5 s",
			run.Backoff{},
			[]int{1, 2, 7, 8},
			[]time.Duration{50e6, 100e6, 3200e6, 5e9},
		},
		{
			"a first pause above the most is cut",
			run.Backoff{First: time.Minute, Most: time.Second},
			[]int{1, 2},
			[]time.Duration{1e9, 1e9},
		},
		{
			"very many failures do not overflow",
			run.Backoff{First: 1, Most: 1<<63 - 1},
			[]int{62, 63, 64, 1 << 40},
			[]time.Duration{1 << 61, 1 << 62, 1<<63 - 1, 1<<63 - 1},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []time.Duration
			for _, f := range c.failures {
				got = append(got, c.backoff.Pause(f))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("pauses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBackoffFailures(t *testing.T) {
	b := run.Backoff{Forget: time.Minute}
	cases := []struct {
		name   string
		before int
		lived  time.Duration
		want   int
	}{
		{"the first failure is one", 0, 0, 1},
		{"a short life adds to those before it", 4, time.Minute - 1, 5},
		{"a long life lets those before it be forgotten", 4, time.Minute, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := b.Failures(c.before, c.lived); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}
