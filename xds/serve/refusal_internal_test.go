package serve

import (
	"testing"
	"time"
)

func TestRefusalsAreLoggedOnceASecond(t *testing.T) {
	t.Parallel()
	var r refusals
	now := time.Unix(1_000_000, 0)
	for _, step := range []struct {
		after  time.Duration
		silent int
		ok     bool
	}{{0, 0, true}, {0, 0, false}, {999 * time.Millisecond, 0, false}, {time.Millisecond, 2, true}, {time.Hour, 0, true}} {
		now = now.Add(step.after)
		if silent, ok := r.worthALine(now); silent != step.silent || ok != step.ok {
			t.Errorf("at %v: worthALine returned %d, %v, want %d, %v", now.UTC(), silent, ok, step.silent, step.ok)
		}
	}
}
