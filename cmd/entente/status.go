package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func newStatus() *cobra.Command {
	var (
		node    nodeFlags
		output  string
		wait    bool
		timeout time.Duration
	)
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the running node on one screen",
		Long: `Show the running node on one screen: its parts, its cluster, its nodes.

The exit code is 0 when the node is ready, else 1. With --wait the command waits until it is, and says what it waits for.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := node.home()
			if err != nil {
				return err
			}
			status, err := currentStatus(cmd.Context(), h)
			if wait && (err != nil || status.State != Ready) {
				status, err = awaitStatus(cmd.Context(), h, timeout, cmd.ErrOrStderr())
			}
			if err != nil {
				if errors.Is(err, errNotRunning) {
					return fmt.Errorf("%w; start it with `entente start`", err)
				}
				return err
			}
			if err := printed(cmd.OutOrStdout(), output, status, func(w io.Writer) { printStatus(w, status, time.Now()) }); err != nil {
				return err
			}
			if status.State != Ready {
				return errSaid
			}
			return nil
		},
	}
	node.register(cmd)
	outputFlag(cmd, &output)
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until the node is ready")
	cmd.Flags().DurationVar(&timeout, "timeout", time.Minute, "how long --wait waits")
	return cmd
}

func currentStatus(ctx context.Context, h home) (Status, error) {
	var s Status
	err := call(ctx, h, "GET", "/status", &s)
	return s, err
}

// awaitStatus waits for a ready node and tells what it waits for whenever that changes. The node may not be there yet, so there is
// nobody to be told by: it asks again and again, seldom enough to cost nothing.
func awaitStatus(ctx context.Context, h home, timeout time.Duration, progress io.Writer) (Status, error) {
	const pause = 50 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	said := ""
	for tick := time.NewTicker(pause); ; {
		s, err := currentStatus(ctx, h)
		if err == nil && s.State == Ready {
			return s, nil
		}
		if err != nil && !errors.Is(err, errNotRunning) && ctx.Err() == nil {
			return s, err
		}
		if reason := waitsFor(s, err); ctx.Err() == nil && reason != said {
			fmt.Fprintln(progress, "waiting for "+reason)
			said = reason
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return s, fmt.Errorf("not ready after %v, still waiting for %s", timeout, said)
		case <-tick.C:
		}
	}
}

// waitsFor names what stands between a node and its readiness.
func waitsFor(s Status, err error) string {
	if err != nil {
		return "the node to start"
	}
	for _, part := range s.Parts {
		switch {
		case part.State == Waiting:
			return part.Name + " (restarts: " + part.Error + ")"
		case part.State != Ready:
			return part.Name
		}
	}
	return "the node, which is " + string(s.State)
}

// printStatus draws the screen.
func printStatus(w io.Writer, s Status, now time.Time) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { fmt.Fprintf(table, format+"\n", args...) }

	line("NODE\t%s (%s)\t%s", s.Domain, s.Mode, stateText(s))
	line("\tentente %s, process %d, up %s", s.Version.Version, s.PID, age(s.Started, now))
	line("\t%s", s.Home)
	if c := s.Cluster; c != nil {
		line("CLUSTER\t%s\t%s\tKubernetes %s", c.Kind, c.Server, c.Version)
		if c.Datastore != "" {
			line("\tdata in %s%s", c.Datastore, size(c.StoreBytes))
		}
		line("\t%d of %d resource kinds served", c.Definitions, c.Wanted)
	}
	for i, part := range s.Parts {
		line("%s\t%s\t%s%s", title(i, "PARTS"), part.Name, part.State, detail(part))
	}
	if s.Gateway != nil {
		s.Gateway.lines(line)
	}
	for i, n := range s.Nodes {
		line("%s\t%s\t%s\t%s", title(i, "NODES"), n.Name, readiness(n.Ready), age(n.Created, now))
	}
	if s.Cluster != nil && len(s.Nodes) == 0 && s.Problem == "" {
		line("NODES\tnone yet")
	}
	if s.Problem != "" {
		line("PROBLEM\t%s", s.Problem)
	}
	_ = table.Flush() // the writer under it remembers a failure
}

func title(i int, name string) string {
	if i == 0 {
		return name
	}
	return ""
}

func stateText(s Status) string {
	if s.State == Ready && s.Took != "" {
		return "ready, after " + s.Took
	}
	return string(s.State)
}

func detail(p Part) string {
	switch {
	case p.Error != "":
		return ": " + p.Error
	case p.State == Ready && p.Took != "":
		return " after " + p.Took
	}
	return ""
}

func readiness(ok bool) string {
	if ok {
		return "ready"
	}
	return "not ready"
}

func size(bytes int64) string {
	if bytes <= 0 {
		return ""
	}
	return fmt.Sprintf(", %.1f MB", float64(bytes)/1e6)
}

func age(since, now time.Time) string {
	d := now.Sub(since)
	if d < time.Minute {
		return d.Round(time.Second).String()
	}
	return d.Truncate(time.Minute).String()
}
