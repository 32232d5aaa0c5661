package child

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errEnded ends the wait for a process that is no more.
var errEnded = errors.New("the process ended")

// Bounds of the pause between two questions.
const (
	shortestPause = 2 * time.Millisecond
	longestPause  = 250 * time.Millisecond
)

// await asks probe until it returns nil, at first every few milliseconds, then ever more rarely: another program gives no
// sign when it begins to serve, so it has to be asked, and most need either very little time or much. What takes its time is
// noticed a tenth of that time too late at most. A timeout of 0 is none. The error is the cause of ctx's end, or names the
// probe's last answer.
func await(ctx context.Context, probe func(context.Context) error, timeout time.Duration) error {
	begun := time.Now()
	asking := ctx
	if timeout > 0 {
		var cancel context.CancelFunc
		asking, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	var answer error
	for {
		err := probe(asking)
		if err == nil {
			return nil
		}
		if asking.Err() == nil || answer == nil { // an answer that the timeout cut short says less than the one before
			answer = err
		}
		if sleep(asking, min(max(time.Since(begun)/10, shortestPause), longestPause)) {
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
