package lab

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// Cmd is a process in a node. Set the fields before Start; a Cmd is used once.
type Cmd struct {
	// Path is the executable's absolute path, as the nodes see it; /proc/self/exe is the caller's own executable.
	Path string
	// Args are the arguments from 0 on.
	Args []string
	// Env is exactly the process's environment: nothing is inherited.
	Env []string
	// Dir is the working folder; empty for the caller's.
	Dir string
	// Stdin is the process's standard input; nil for none.
	Stdin *os.File
	// Stdout and Stderr take the output; nil discards it. A *os.File is handed over as it is; into any other writer the
	// output is copied. If both are the same writer, it is not written to concurrently.
	Stdout, Stderr io.Writer
	// ExtraFiles become the process's files from 3 on. They may be listeners that the caller opened in its own network
	// namespace, in which the process then serves.
	ExtraFiles []*os.File

	ctx     context.Context
	node    *Node
	lookErr error
	// Set once in Start.
	channel *channel
	pid     int
	copying errgroup.Group
	ended   chan struct{}
	// Set before ended is closed.
	status  syscall.WaitStatus
	waitErr error
}

// ExitError says that a process in a node ended without success.
type ExitError struct{ Status syscall.WaitStatus }

func (e *ExitError) Error() string {
	if e.Status.Signaled() {
		return "signal: " + e.Status.Signal().String()
	}
	return "exit status " + strconv.Itoa(e.Status.ExitStatus())
}

// Command prepares a process in the node. A path without a slash is looked up in the caller's PATH. When ctx ends, the
// process is killed.
func (n *Node) Command(ctx context.Context, path string, args ...string) *Cmd {
	c := &Cmd{Path: path, Args: append([]string{path}, args...), ctx: ctx, node: n}
	if filepath.Base(path) == path {
		c.Path, c.lookErr = exec.LookPath(path)
	}
	return c
}

// Start starts the process and returns when it runs its executable.
func (c *Cmd) Start() error {
	if err := c.start(); err != nil {
		return fmt.Errorf("start %s in node %s: %w", c.Path, c.node.name, err)
	}
	return nil
}

func (c *Cmd) start() error {
	if c.lookErr != nil {
		return c.lookErr
	}
	if c.channel != nil {
		return fmt.Errorf("it was started before")
	}
	dir := c.Dir
	if dir == "" {
		var err error
		if dir, err = os.Getwd(); err != nil {
			return err
		}
	}
	s, err := newStreams(c)
	if err != nil {
		return err
	}
	defer s.closeHanded()
	q := question{Start: &startQuestion{Node: c.node.index, Path: c.Path, Args: c.Args, Env: c.Env, Dir: dir}}
	fds, err := s.descriptors()
	if err != nil {
		s.abandon()
		return err
	}
	ch, _, files, err := c.node.lab.ask(c.ctx, q, fds...)
	runtime.KeepAlive(s)
	if err != nil {
		s.abandon()
		return err
	}
	if len(files) == 1 {
		c.pid = pidOf(files[0])
	}
	closeAll(files)
	c.channel, c.ended = ch, make(chan struct{})
	s.copyTo(&c.copying)
	c.node.lab.working.Go(c.follow)
	return nil
}

// follow waits for the process's end.
func (c *Cmd) follow() {
	defer func() { _ = c.copying.Wait() }() // Wait returns this error; here only the end of the copying matters.
	defer close(c.ended)
	defer c.channel.close()
	stop := context.AfterFunc(c.ctx, func() {
		_ = c.Kill() // It may have ended at this very moment, which is as good.
	})
	defer stop()
	var a answer
	files, err := c.channel.receive(&a)
	closeAll(files)
	switch {
	case err != nil:
		c.waitErr = c.node.lab.broken(err)
	case a.Exit == nil:
		c.waitErr = fmt.Errorf("the holder sent no exit status: %+v", a)
	default:
		c.status = *a.Exit
	}
}

// Wait waits until the process has ended and its output is copied. It returns nil for exit status 0, an *[ExitError] for
// any other end, and [ErrEnded] when the lab ended and the process with it. It may be called any number of times.
func (c *Cmd) Wait() error {
	if c.ended == nil {
		return fmt.Errorf("wait for %s in node %s: it was not started", c.Path, c.node.name)
	}
	<-c.ended
	copyErr := c.copying.Wait()
	err := c.waitErr
	if err == nil && c.status != 0 {
		err = &ExitError{Status: c.status}
	}
	if err == nil {
		err = copyErr
	}
	if err != nil {
		return fmt.Errorf("%s in node %s: %w", c.Path, c.node.name, err)
	}
	return nil
}

// Run is Start and Wait.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Done is closed when the process has ended. It is nil before Start.
func (c *Cmd) Done() <-chan struct{} { return c.ended }

// Pid is the process's number as the caller sees it, or 0 if the kernel does not tell.
func (c *Cmd) Pid() int { return c.pid }

// Signal sends a signal to the process. [os.ErrProcessDone] says that it has ended.
func (c *Cmd) Signal(s syscall.Signal) error {
	if c.ended == nil {
		return fmt.Errorf("signal %s in node %s: it was not started", c.Path, c.node.name)
	}
	select {
	case <-c.ended:
		return os.ErrProcessDone
	default:
	}
	if err := c.channel.send(signalMessage{Signal: s}); err != nil {
		if isHangup(err) {
			return os.ErrProcessDone
		}
		return fmt.Errorf("signal %s in node %s: %w", c.Path, c.node.name, err)
	}
	return nil
}

// Kill sends SIGKILL.
func (c *Cmd) Kill() error { return c.Signal(syscall.SIGKILL) }

// pidOf reads from a pidfd which process it stands for, in this process's numbers.
func pidOf(f *os.File) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", f.Fd()))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "Pid:"); ok {
			pid, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil || pid < 0 {
				return 0
			}
			return pid
		}
	}
	return 0
}
