package child

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// killWait bounds the wait for those who were sent SIGKILL: only one that hangs in the kernel needs longer.
const killWait = 5 * time.Second

// A process is the first one of a process group of its own, whose number is its pid.
//
// While it is our child it is reaped only by stop, after the group has been killed: until then nobody else can get its
// number, so that the group that is signaled is always the right one. A process that was taken over is reaped by somebody
// else; then its number is safe while anybody is left in the group, and else for a moment, since numbers go round.
type process struct {
	pid    int
	cmd    *exec.Cmd     // nil: it is not our child
	taken  bool          // an earlier parent started it
	ended  chan struct{} // closed when it has ended
	pidfd  *os.File
	watch  sync.WaitGroup
	unlock func() // lets the thread go that a bound child hangs on
}

// cmd returns the command, without its output.
func (c Config) cmd() *exec.Cmd {
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Dir = c.Dir
	cmd.Env = append([]string{}, c.Env...) // never nil, which would mean the parent's environment
	cmd.WaitDelay = time.Second            // somebody who left the group may keep the output open for ever
	if c.Mode == Adopted {
		// A session of its own has no terminal that could send it signals; its leader leads a process group too.
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	} else {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	}
	return cmd
}

// start starts the command and watches over its process. The caller releases it.
func start(cmd *exec.Cmd) (*process, error) {
	unlock, err := startLocked(cmd)
	if err != nil {
		return nil, err
	}
	p, err := watch(cmd.Process.Pid)
	if err != nil {
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL) // it is still ours; the error below is what matters
		_ = cmd.Wait()
		unlock()
		return nil, err
	}
	p.cmd, p.unlock = cmd, unlock
	return p, nil
}

// startLocked starts the command from a thread that lives until unlock is called. The kernel sends Pdeathsig when the
// *thread* that started the child ends, not the process, and Go ends idle threads when it likes.
func startLocked(cmd *exec.Cmd) (unlock func(), err error) {
	started, done := make(chan error, 1), make(chan struct{})
	var thread sync.WaitGroup
	thread.Go(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			<-done
		}
	})
	if err := <-started; err != nil {
		thread.Wait()
		return nil, err
	}
	return sync.OnceFunc(func() {
		close(done)
		thread.Wait()
	}), nil
}

// watch waits for the end of a process, which need not be our child, without a thread. It fails with ESRCH when there is
// no such process. The caller makes sure that the number still means the process that it has in mind.
func watch(pid int) (*process, error) {
	fd, err := unix.PidfdOpen(pid, unix.O_NONBLOCK) // non-blocking: so the runtime's poller takes it
	if err != nil {
		return nil, fmt.Errorf("pidfd of process %d (needs Linux 5.10): %w", pid, err)
	}
	p := &process{pid: pid, ended: make(chan struct{}), pidfd: os.NewFile(uintptr(fd), "pidfd"), unlock: func() {}}
	conn, err := p.pidfd.SyscallConn()
	if err == nil {
		err = p.pidfd.SetReadDeadline(time.Time{}) // fails when the poller has not taken it
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("poll pidfd of process %d: %w", pid, err), p.pidfd.Close())
	}
	p.watch.Go(func() {
		if err := conn.Read(readable); err == nil {
			close(p.ended) // the only error is the deadline that release sets
		}
	})
	return p, nil
}

// readable says whether the process of the pidfd has ended.
func readable(pidfd uintptr) bool {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return n == 1 && err == nil
}

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// stop asks the group to end, kills those who have not done so after the grace time, or who are left when the first
// process has ended, and returns when nobody is left. After it, exit tells how the first process ended.
func (p *process) stop(sig syscall.Signal, grace time.Duration) error {
	if !p.hasEnded() {
		if err := unix.Kill(-p.pid, sig); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("signal process group %d: %w", p.pid, err)
		}
		waitFor(p.ended, grace)
	}
	if err := unix.Kill(-p.pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill process group %d: %w", p.pid, err)
	}
	if !waitFor(p.ended, killWait) {
		return fmt.Errorf("process %d is still there %s after SIGKILL", p.pid, killWait)
	}
	if p.cmd != nil {
		_ = p.cmd.Wait() // how it ended is in ProcessState; that its output had to be cut off is no failure
	}
	p.release()
	return groupGone(p.pid)
}

// release stops watching. It leaves the process alone, but lets a bound one go only when it has ended.
func (p *process) release() {
	_ = p.pidfd.SetReadDeadline(time.Unix(1, 0)) // fails only when it has been released before
	p.watch.Wait()
	_ = p.pidfd.Close() // as above
	p.unlock()
}

// abandon leaves the process to the next parent.
func (p *process) abandon() {
	p.release()
	if p.cmd != nil {
		_ = p.cmd.Process.Release() // only frees memory and a file
	}
}

// exit tells how the process ended.
func (p *process) exit() string {
	if p.cmd == nil || p.cmd.ProcessState == nil {
		return "exit status unknown, since it was not our child"
	}
	return p.cmd.ProcessState.String()
}

// groupGone waits until nobody lives in a process group that was killed.
func groupGone(group int) error {
	deadline := time.Now().Add(killWait)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		// Orphans come to us when we are process 1, or a subreaper.
		for {
			if reaped, err := unix.Wait4(-group, nil, unix.WNOHANG, nil); reaped <= 0 || err != nil {
				break
			}
		}
		if err := unix.Kill(-group, 0); errors.Is(err, unix.ESRCH) {
			return nil
		}
		// Whoever inherits the others may be slow to reap them, or never do it: the dead do not count.
		if living, err := groupLives(group); err != nil || !living {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("process group %d still has members %s after SIGKILL", group, killWait)
		}
		time.Sleep(pause)
	}
}

// waitFor says whether the channel was closed in time.
func waitFor(closed <-chan struct{}, within time.Duration) bool {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-closed:
		return true
	case <-timer.C:
		return false
	}
}
