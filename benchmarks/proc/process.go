// Package proc starts the programs that are measured, asks the kernel what they cost, and leaves none of them behind.
package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// A Command says what to start.
type Command struct {
	Name  string   // for people
	Path  string   // of the program
	Args  []string // without the program's own name
	Env   []string // beside this process's own
	Ready string   // how the line begins with which the program says that it is ready; "" when it says nothing
}

// A Process is a program that was started. It is killed when its context ends, and by the kernel when this program ends in any way.
type Process struct {
	name    string
	cmd     *exec.Cmd
	started time.Time
	output  *output
	done    chan struct{}
	err     error // of Wait; written before done is closed
}

// Start starts the command in a process group of its own, so that a Ctrl-C at the terminal reaches it only through this program.
func Start(ctx context.Context, c Command) (*Process, error) {
	p := &Process{name: c.Name, cmd: exec.Command(c.Path, c.Args...), output: newOutput(c.Ready), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), c.Env...)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p.cmd.WaitDelay = 2 * time.Second // for a grandchild that keeps the pipe open

	started := make(chan error, 1)
	go p.live(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Name, err)
	}
	go func() { // ends with the process
		select {
		case <-ctx.Done():
			p.Kill()
		case <-p.done:
		}
	}()
	return p, nil
}

// live starts the program and waits for its end on one thread that does nothing else: the kernel sends Pdeathsig when the thread
// that started the program ends, not the process (prctl(2)), and Go ends threads as it likes.
func (p *Process) live(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p.started = time.Now()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Started returns the moment just before the program was started.
func (p *Process) Started() time.Time { return p.started }

// Done is closed when the process has ended and everything that it said was read.
func (p *Process) Done() <-chan struct{} { return p.done }

// AwaitReady waits for the line of Command.Ready and returns the rest of it. The error of a process that ends before carries its last words.
func (p *Process) AwaitReady(ctx context.Context) (string, error) {
	select {
	case <-p.output.ready:
		return p.output.rest, nil
	case <-p.done:
		return "", fmt.Errorf("%s ended before it was ready: %w", p.name, p.complaint())
	case <-ctx.Done():
		return "", fmt.Errorf("%s is not ready: %w; its last words:\n%s", p.name, context.Cause(ctx), p.output.tail())
	}
}

// Stop sends SIGTERM and returns how long the process took to end. It must end by itself, with exit code 0, before ctx does.
func (p *Process) Stop(ctx context.Context) (time.Duration, error) {
	asked := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return 0, fmt.Errorf("stop %s: %w", p.name, err)
	}
	err := p.Wait(ctx)
	return time.Since(asked), err
}

// Wait waits for the end of the process. A process that does not end with exit code 0 is an error that carries its last words.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.done:
	case <-ctx.Done():
		return fmt.Errorf("%s does not end: %w; its last words:\n%s", p.name, context.Cause(ctx), p.output.tail())
	}
	if p.err != nil {
		return fmt.Errorf("%s ended badly: %w", p.name, p.complaint())
	}
	return nil
}

// Kill ends the process and its group at once and waits until it is gone. It does nothing to a process that has ended.
func (p *Process) Kill() {
	select {
	case <-p.done:
	default:
		_ = syscall.Kill(-p.PID(), syscall.SIGKILL) // it may end just now
		<-p.done
	}
}

// ExitCode returns the exit code of a process that has ended, -1 for one that a signal ended.
func (p *Process) ExitCode() int { return p.cmd.ProcessState.ExitCode() }

// CPU returns the CPU time of a process that has ended and of all its descendants that it has waited for.
func (p *Process) CPU() time.Duration {
	return p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()
}

// Words returns the last lines that the process has written.
func (p *Process) Words() string { return p.output.tail() }

func (p *Process) complaint() error {
	words := strings.TrimSpace(p.output.tail())
	if p.err == nil {
		return fmt.Errorf("exit code 0; its last words:\n%s", words)
	}
	return fmt.Errorf("%w; its last words:\n%s", p.err, words)
}
