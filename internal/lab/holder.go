package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/entente-mesh/entente/internal/lab/fabric"
	"golang.org/x/sys/unix"
)

// The files that a holder starts with, after the standard three.
const (
	controlFile = 3
	lockFile    = 4
)

// holder is the process that a lab lives in.
type holder struct {
	dir   string
	table *table
	built chan struct{} // Closed when the fields below are set for good.

	spaces []space
	fabric *fabric.Fabric
}

// hold is the holder's main: build, answer until the caller is gone, tidy up.
func hold() error {
	// Goroutines that enter a node's namespaces stain their thread. The first thread speaks for the whole process in /proc,
	// so keep it here, if this goroutine still runs on it.
	runtime.LockOSThread()
	if pid := os.Getpid(); pid != 1 {
		return fmt.Errorf("lab holder: process %d is not the first of its pid namespace: only lab.Start starts holders", pid)
	}
	unix.CloseOnExec(controlFile)
	unix.CloseOnExec(lockFile)
	control, err := openChannel(controlFile)
	if err != nil {
		return fmt.Errorf("lab holder: %w", err)
	}
	gone := make(chan os.Signal, 1)
	signal.Notify(gone, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	var q question
	files, err := control.receive(&q)
	closeAll(files)
	if err != nil || q.Build == nil {
		return nil // The caller went away, and nothing is built yet.
	}
	h := &holder{dir: q.Build.Dir, table: newTable(), built: make(chan struct{})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.serve(control)
	}()
	building := make(chan answer, 1)
	go func() { building <- h.build(q.Build) }()
	select {
	case a := <-building:
		close(h.built)
		if err := control.send(a); err != nil || a.Failure != nil {
			break // The caller removes the folder or has gone; then this process does.
		}
		select {
		case <-gone:
		case <-done:
		}
	case <-gone:
	case <-done:
	}
	h.table.killAll()
	return os.RemoveAll(h.dir)
}

// build makes everything and says how it went. Nothing is undone on a failure: the holder ends, and its namespaces with it.
func (h *holder) build(q *buildQuestion) answer {
	if err := privateMounts(); err != nil {
		return answer{Failure: newFailure(stepMounts, err)}
	}
	if err := mountProc(); err != nil {
		return answer{Failure: newFailure(stepProc, err)}
	}
	var notes []string
	var namespaces []int
	for i, name := range q.Nodes {
		s, note, err := newSpace(q.Dir, q.Nodes, i)
		if err != nil {
			return answer{Failure: newFailure(stepNode, fmt.Errorf("%s: %w", name, err))}
		}
		h.spaces, namespaces = append(h.spaces, s), append(namespaces, s.net)
		if note != "" {
			notes = append(notes, note)
		}
	}
	var err error
	if h.fabric, err = fabric.New(namespaces, q.Seed); err != nil {
		return answer{Failure: newFailure("", err)}
	}
	return answer{Notes: notes}
}

// serve answers questions until the caller hangs up. Each is answered by a goroutine of its own; none is awaited, since the
// process ends next.
func (h *holder) serve(control *channel) {
	for {
		var q question
		files, err := control.receive(&q)
		if err != nil && isHangup(err) {
			return
		}
		if err != nil || len(files) == 0 {
			// A message that lost its files has no socket to answer to; the asker sees that nobody holds the other end.
			fmt.Fprintln(os.Stderr, "lab holder: question without a socket:", err)
			closeAll(files)
			continue
		}
		<-h.built
		go h.answer(q, files)
	}
}

// answer answers one question on the socket that came with it.
func (h *holder) answer(q question, files []*os.File) {
	defer closeAll(files)
	fd, err := unix.FcntlInt(files[0].Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return
	}
	c, err := openChannel(fd)
	if err != nil {
		return
	}
	defer c.close()
	files[0].Close()
	var failed *failure
	switch {
	case q.Start != nil:
		failed = h.start(c, q.Start, files[1:])
	case q.Socket != nil:
		failed = h.socket(c, q.Socket)
	case q.Link != nil:
		if err := h.fabric.Set(q.Link.A, q.Link.B, q.Link.Condition); err != nil {
			failed = newFailure("", err)
		} else {
			_ = c.send(answer{}) // The asker may have gone, which is its right.
		}
	default:
		failed = &failure{Text: "unknown question"}
	}
	if failed != nil {
		_ = c.send(answer{Failure: failed}) // The asker may have gone, which is its right.
	}
}

// start starts a process, and stays with it to its end.
func (h *holder) start(c *channel, q *startQuestion, files []*os.File) *failure {
	s, err := h.space(q.Node)
	if err != nil {
		return newFailure("", err)
	}
	var p process
	err = s.do(func() error {
		p, err = h.table.start(q, files)
		return err
	})
	if err != nil {
		return newFailure("", err)
	}
	closeAll(files) // Else a pipe that the process closed would stay open here.
	var pidfd []int
	if p.pidfd >= 0 {
		pidfd = []int{p.pidfd}
	}
	err = c.send(answer{}, pidfd...)
	if p.pidfd >= 0 {
		unix.Close(p.pidfd)
	}
	if err != nil {
		h.table.signal(p.pid, syscall.SIGKILL)
		return nil
	}
	go h.relaySignals(c, p)
	status := <-p.exit
	_ = c.send(answer{Exit: &status}) // The asker may have gone, which is its right.
	return nil
}

// relaySignals passes on the asker's signals. When nobody can wait for the process any more, it is killed.
func (h *holder) relaySignals(c *channel, p process) {
	for {
		var m signalMessage
		files, err := c.receive(&m)
		closeAll(files)
		if err != nil {
			h.table.signal(p.pid, syscall.SIGKILL)
			return
		}
		h.table.signal(p.pid, m.Signal)
	}
}

// socket opens a socket in a node and hands it over.
func (h *holder) socket(c *channel, q *socketQuestion) *failure {
	s, err := h.space(q.Node)
	if err != nil {
		return newFailure("", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		defer cancel() // The asker took the question back, or this function has answered.
		var nothing signalMessage
		files, err := c.receive(&nothing)
		_ = err // Whatever arrives or fails to: nothing is expected but the end.
		closeAll(files)
	}()
	var opened syscall.Conn
	err = s.do(func() error {
		opened, err = open(ctx, q)
		return err
	})
	if err != nil {
		return newFailure("", err)
	}
	raw, err := opened.SyscallConn()
	if err == nil {
		var sent error
		err = raw.Control(func(fd uintptr) { sent = c.send(answer{}, int(fd)) })
		if err == nil {
			err = sent
		}
	}
	if l, ok := opened.(*net.UnixListener); ok {
		l.SetUnlinkOnClose(false) // The asker's duplicate still serves there.
	}
	if closer, ok := opened.(interface{ Close() error }); ok {
		_ = closer.Close() // The duplicate lives on with the asker.
	}
	if err != nil {
		return newFailure("", err)
	}
	return nil
}

// open makes the socket on the current thread, which is in the node.
func open(ctx context.Context, q *socketQuestion) (syscall.Conn, error) {
	var opened any
	var err error
	switch q.Kind {
	case dialSocket:
		opened, err = (&net.Dialer{Resolver: literalOnly()}).DialContext(ctx, q.Network, q.Address)
	case listenSocket:
		opened, err = (&net.ListenConfig{}).Listen(ctx, q.Network, q.Address)
	case packetSocket:
		opened, err = (&net.ListenConfig{}).ListenPacket(ctx, q.Network, q.Address)
	default:
		err = fmt.Errorf("unknown kind of socket %q", q.Kind)
	}
	if err != nil {
		return nil, err
	}
	conn, ok := opened.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("a %T has no file to hand over", opened)
	}
	return conn, nil
}

// literalOnly refuses to look names up: the resolver works on other threads, outside of the node.
func literalOnly() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, fmt.Errorf("names are not looked up here: use an address")
	}}
}

func (h *holder) space(node int) (space, error) {
	if node < 0 || node >= len(h.spaces) {
		return space{}, fmt.Errorf("no node %d", node)
	}
	return h.spaces[node], nil
}
