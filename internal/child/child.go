// Package child runs another program as one part of this process: started, watched, restarted, logged, and ended with
// everything that it has started.
//
// It needs Linux 5.10: processes are held by pidfd, so that a pid that has been given to somebody else is never signaled.
package child

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/entente-mesh/entente/internal/run"
)

// A Child keeps one program running. It is a run.Task.
type Child struct {
	cfg    Config
	output output
	ready  chan struct{}
	once   sync.Once // closes ready

	mu    sync.Mutex
	state State // guarded by mu
}

// State is what a child is doing, and why.
type State struct {
	Phase     run.Phase
	PID       int           // of the running process, also of one that was left running; 0: none
	Starts    int           // how many processes there have been, with one that was taken over
	TakenOver bool          // the running process was started by an earlier parent
	Retry     time.Duration // the pause before the next start, when Phase is run.Waiting
	Err       error         // why the process before this one ended, or how the stop went; nil: nothing to complain of
}

// A StartError tells that a child failed before it was ready for the first time, so that starting it again will not help.
type StartError struct {
	Path  string   // the program
	Tries int      // how often it was started
	Log   string   // the log file
	Lines []string // the last lines that the program wrote in its last try, at most ten
	Err   error    // what became of the last try
}

// Error says it all in one line.
func (e *StartError) Error() string {
	text := fmt.Sprintf("%s: %v (try %d, log file %s)", e.Path, e.Err, e.Tries, e.Log)
	if len(e.Lines) > 0 {
		text += ": " + strings.Join(e.Lines, " | ")
	}
	return text
}

// Unwrap returns what became of the last try.
func (e *StartError) Unwrap() error { return e.Err }

// errNoStart is the failure of a process that could not even be started, which trying again does not heal.
var errNoStart = errors.New("cannot be started")

// New returns a child that is not running yet, or says what is wrong with the configuration, the program or the folders.
func New(cfg Config) (*Child, error) {
	ready, err := cfg.prepared()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Name, err)
	}
	return &Child{cfg: ready, output: newOutput(ready), ready: make(chan struct{})}, nil
}

// String returns the child's name.
func (c *Child) String() string { return c.cfg.Name }

// Ready is closed when the child is ready for the first time.
func (c *Child) Ready() <-chan struct{} { return c.ready }

// State returns what the child is doing now.
func (c *Child) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Run keeps the program running until ctx ends, and then stops it, or leaves an Adopted one running unless
// Config.StopOnExit is set. It fails with a StartError only before the child is ready for the first time.
func (c *Child) Run(ctx context.Context) error {
	keeping, stopKeeping := context.WithCancel(context.WithoutCancel(ctx)) // there is output while it stops, too
	var keeper sync.WaitGroup
	keeper.Go(func() { c.output.keep(keeping) })
	defer keeper.Wait()
	defer stopKeeping()

	for tries, failures := 1, 0; ; tries++ {
		began := time.Now()
		logged := c.output.size()
		err := c.live(ctx)
		if ctx.Err() != nil {
			c.change(func(s *State) { s.Phase, s.Err = run.Stopped, err })
			return err
		}
		if !c.wasReady() && (tries >= c.cfg.Tries || errors.Is(err, errNoStart)) {
			err = &StartError{Path: c.cfg.Path, Tries: tries, Log: c.cfg.Log.File, Lines: tail(c.cfg.Log.File, logged), Err: err}
			c.change(func(s *State) { s.Phase, s.PID, s.Err = run.Stopped, 0, err })
			return err
		}
		failures = c.cfg.Backoff.Failures(failures, time.Since(began))
		pause := c.cfg.Backoff.Pause(failures)
		c.change(func(s *State) { s.Phase, s.PID, s.Err, s.Retry = run.Waiting, 0, err, pause })
		c.cfg.Logger.WarnContext(ctx, "child ended, will be restarted", "child", c.cfg.Name, "error", err, "pause", pause)
		if !sleep(ctx, pause) {
			c.change(func(s *State) { s.Phase, s.Retry, s.Err = run.Stopped, 0, nil })
			return nil
		}
	}
}

// live is one process from its start, or from being taken over, to its end. It returns nil only after ctx has ended.
func (c *Child) live(ctx context.Context) error {
	p, err := c.obtain(ctx)
	if p == nil {
		return err
	}
	defer p.release()
	c.change(func(s *State) {
		*s = State{Phase: run.Started, PID: p.pid, Starts: s.Starts + 1, TakenOver: p.taken, Err: s.Err}
	})
	c.cfg.Logger.InfoContext(ctx, "child started", "child", c.cfg.Name, "pid", p.pid, "taken over", p.taken)

	if err := c.awaitReady(ctx, p); err != nil {
		return c.end(ctx, p, err)
	}
	c.once.Do(func() { close(c.ready) })
	c.change(func(s *State) { s.Phase = run.Ready })
	select {
	case <-ctx.Done():
	case <-p.ended:
	}
	return c.end(ctx, p, nil)
}

// obtain takes over the process of an earlier parent, or starts a new one. It returns nil when ctx has ended before.
func (c *Child) obtain(ctx context.Context) (*process, error) {
	if c.cfg.Mode == Adopted {
		p, err := c.takeOver()
		if p != nil || err != nil {
			return p, err
		}
	}
	if ctx.Err() != nil {
		return nil, nil
	}
	cmd := c.cfg.cmd()
	detach, err := c.output.attach(cmd)
	if err != nil {
		return nil, err
	}
	defer detach()
	p, err := c.begin(cmd)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoStart, err)
	}
	if c.cfg.Mode == Adopted {
		if err := c.cfg.writeRecord(p.pid); err != nil {
			return nil, errors.Join(fmt.Errorf("%w: %w", errNoStart, err), p.stop(c.cfg.StopSignal, c.cfg.StopGrace))
		}
	}
	return p, nil
}

// begin starts the command as a child of ours or, if that is wanted and possible, of nobody.
func (c *Child) begin(cmd *exec.Cmd) (*process, error) {
	if !c.cfg.Detached {
		return start(cmd)
	}
	d, err := newDetacher()
	if err != nil {
		c.cfg.Logger.Warn("child will end with this program: it cannot be detached", "child", c.cfg.Name, "error", err)
		return start(cmd)
	}
	return d.start(cmd)
}

// awaitReady returns nil when the process is ready, errEnded when it ended before.
func (c *Child) awaitReady(ctx context.Context, p *process) error {
	if c.cfg.Ready == nil {
		return nil
	}
	living, cancel := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-p.ended:
			cancel(errEnded)
		case <-living.Done():
		}
	})
	defer watch.Wait()
	defer cancel(nil)
	timeout := c.cfg.ReadyTimeout
	if p.taken {
		timeout = 0
	}
	return await(living, c.cfg.Ready, timeout)
}

// end is the end of a process: it ended by itself, was not ready in time, or ctx wants it to end or to be left alone.
func (c *Child) end(ctx context.Context, p *process, reason error) error {
	if ctx.Err() != nil && !p.hasEnded() && c.cfg.Mode == Adopted && !c.cfg.StopOnExit {
		p.abandon()
		return nil
	}
	ended := p.hasEnded()
	problem := p.stop(c.cfg.StopSignal, c.cfg.StopGrace)
	if problem == nil && c.cfg.Mode == Adopted {
		problem = os.Remove(c.cfg.PIDFile)
	}
	c.change(func(s *State) { s.PID = 0 })
	switch {
	case ctx.Err() != nil:
		return problem
	case ended && !c.wasReady():
		reason = fmt.Errorf("ended before it was ready: %s", p.exit())
	case ended:
		reason = fmt.Errorf("ended: %s", p.exit())
	}
	return errors.Join(slices.DeleteFunc([]error{reason, problem}, func(err error) bool { return err == nil })...)
}

func (c *Child) wasReady() bool {
	select {
	case <-c.ready:
		return true
	default:
		return false
	}
}

func (c *Child) change(f func(*State)) {
	c.mu.Lock()
	f(&c.state)
	now := c.state
	c.mu.Unlock()
	c.cfg.Observe(now)
}
