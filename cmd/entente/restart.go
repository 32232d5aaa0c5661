package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
)

func newRestart() *cobra.Command {
	var (
		node    nodeFlags
		timeout time.Duration
	)
	cmd := &cobra.Command{
		Use:   "restart",
		Short: "Restart the running node in place, without a pause for its traffic",
		Long: `Restart the running node in place: the process is replaced by the program that stands at its path now, which may be another version, and its
gateway goes on carrying traffic meanwhile. A stop and a start would end the gateway too.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := node.home()
			if err != nil {
				return err
			}
			after, err := restartInPlace(cmd.Context(), h, timeout, cmd.ErrOrStderr())
			if errors.Is(err, errNotRunning) {
				return fmt.Errorf("%w; start it with `entente start`", err)
			}
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "the node is ready after "+after.Took)
			return nil
		},
	}
	node.register(cmd)
	cmd.Flags().DurationVar(&timeout, "timeout", time.Minute, "how long to wait for the node to come back")
	return cmd
}

// restartInPlace has the running node begin again, and waits until it is ready.
func restartInPlace(ctx context.Context, h home, timeout time.Duration, say io.Writer) (Status, error) {
	before, err := currentStatus(ctx, h)
	if err != nil {
		return before, err
	}
	fmt.Fprintln(say, "restarting the node in place")
	if err := call(ctx, h, "POST", "/restart", nil); err != nil {
		return before, err
	}
	after, err := awaitAnother(ctx, h, before, timeout, say)
	if err != nil {
		return after, fmt.Errorf("the node did not come back: %w; see its own output, then start it with `entente start`", err)
	}
	return after, nil
}

// awaitAnother waits until a later life of the node is ready.
func awaitAnother(ctx context.Context, h home, before Status, timeout time.Duration, say io.Writer) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for tick := time.NewTicker(50 * time.Millisecond); ; {
		s, err := currentStatus(ctx, h)
		if err == nil && s.Started.After(before.Started) {
			tick.Stop()
			return awaitStatus(ctx, h, timeout, say)
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return s, fmt.Errorf("it was still the old one, or none, after %v", timeout)
		case <-tick.C:
		}
	}
}
