package child

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/entente-mesh/entente/internal/run"
)

// errEnded ends the wait for a process that is no more.
var errEnded = errors.New("the process ended")

// await asks probe until it returns nil, at first every few milliseconds, then ever more rarely: another program gives no
// sign when it begins to serve, so it has to be asked, and most need either very little time or much. A timeout of 0 is
// none. The error is the cause of ctx's end, or names the probe's last answer.
func await(ctx context.Context, probe func(context.Context) error, timeout time.Duration) error {
	pauses := run.Backoff{First: 2 * time.Millisecond, Most: 250 * time.Millisecond}
	asking := ctx
	if timeout > 0 {
		var cancel context.CancelFunc
		asking, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	var answer error
	for asked := 1; ; asked++ {
		err := probe(asking)
		if err == nil {
			return nil
		}
		if asking.Err() == nil || answer == nil { // an answer that the timeout cut short says less than the one before
			answer = err
		}
		if sleep(asking, pauses.Pause(asked)) {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("not ready within %s: %w", timeout, answer)
	}
}

// sleep waits for d, and says whether it could do so to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
