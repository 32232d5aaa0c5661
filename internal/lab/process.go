package lab

import (
	"errors"
	"io/fs"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// process is a running child of the holder.
type process struct {
	pid   int // In the lab's pid namespace.
	pidfd int // -1 if the kernel has none.
	exit  <-chan syscall.WaitStatus
}

// table knows the running processes that were asked for. As process 1 of its namespace, the holder also inherits and reaps
// every orphan, which is why it does not use package os/exec: there each process waits for itself.
type table struct {
	// mu is held while a process is started, so that its end is not reaped before it is in the table.
	mu     sync.Mutex
	ended  bool
	exits  map[int]chan<- syscall.WaitStatus
	childs chan os.Signal
}

func newTable() *table {
	t := &table{exits: map[int]chan<- syscall.WaitStatus{}, childs: make(chan os.Signal, 1)}
	signal.Notify(t.childs, syscall.SIGCHLD)
	go func() {
		for range t.childs { // To the end of the process. The channel may merge signals: reap takes all there are.
			t.reap()
		}
	}()
	return t
}

// start starts a process on the current thread, and so in its namespaces.
func (t *table) start(q *startQuestion, files []*os.File) (process, error) {
	p := process{pidfd: -1}
	attr := &syscall.ProcAttr{Dir: q.Dir, Env: q.Env, Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &p.pidfd}}
	for _, f := range files {
		attr.Files = append(attr.Files, rawFd(f))
	}
	if attr.Env == nil {
		attr.Env = []string{} // Nil would mean the holder's own.
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return p, ErrEnded
	}
	pid, err := syscall.ForkExec(q.Path, q.Args, attr)
	if err != nil {
		return p, &fs.PathError{Op: "fork/exec", Path: q.Path, Err: err}
	}
	exit := make(chan syscall.WaitStatus, 1)
	t.exits[pid] = exit
	p.pid, p.exit = pid, exit
	return p, nil
}

// signal sends a signal to a process of the table; one that has ended is left alone, as its number may be another's now.
func (t *table) signal(pid int, s syscall.Signal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, running := t.exits[pid]; running {
		_ = unix.Kill(pid, s) // It has not been reaped, so the number is right; an unknown signal changes nothing.
	}
}

// reap takes every child that has ended.
func (t *table) reap() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			return
		}
		if exit, ok := t.exits[pid]; ok {
			delete(t.exits, pid)
			exit <- status // Has room.
		}
	}
}

// killAll ends every process but this one, in this pid namespace and so in the whole lab, and waits for the last of them,
// so that none holds a file or writes one afterwards.
func (t *table) killAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	_ = unix.Kill(-1, syscall.SIGKILL) // It fails only when there is none.
	for {
		_, err := syscall.Wait4(-1, nil, 0, nil)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return // ECHILD: none is left.
		}
	}
}

// rawFd is f's number, without making f blocking.
func rawFd(f *os.File) uintptr {
	raw, err := f.SyscallConn()
	if err != nil {
		return ^uintptr(0)
	}
	number := ^uintptr(0)
	_ = raw.Control(func(fd uintptr) { number = fd }) // It fails on a closed file, whose number stays invalid.
	return number
}
