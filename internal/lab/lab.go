// Package lab gives several nodes on one machine: each has its own network namespace with the address 10.N.0.1, its own
// ports and its own 0.0.0.0; between nodes only TCP port 1080 passes, and whatever a lab made is gone when its process
// ends, however it ends.
//
// It serves the whole-product tests and the demonstration alike, as root and, through a user namespace, as an ordinary
// user, and needs no program but itself.
//
// # How it is built
//
// Namespaces belong to threads and Go moves goroutines between threads, so a lab lives in a second process, the holder:
// this executable once more, which [Init] turns into the holder before main does anything. The holder is process 1 of a
// pid namespace, so its end is the end of every process in every node, and it is the only process in the lab's outer network
// namespace, where the nodes' links meet in a bridge. The caller talks to it over a socket pair: one question, one socket,
// with open files passed along. When the caller ends, even by SIGKILL, that socket reads end-of-file and the holder kills
// what runs, removes the run folder and ends; the kernel takes the namespaces, links and mounts. (A parent-death signal
// would follow the one thread that started the holder, not the process, and would leave no time to tidy up.)
package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrEnded says that the lab no longer exists: it was closed, or its holder was killed.
var ErrEnded = errors.New("the lab has ended")

// ErrNoInit says that this executable does not call [Init], without which [Start] would run the executable's own main, or
// its tests, a second time.
var ErrNoInit = errors.New("this executable cannot hold a lab: call lab.Init() as the first statement of main, or of TestMain(m *testing.M) before m.Run()")

// holderName is the argument 0 that tells [Init] that this process is a holder.
const holderName = "entente-lab-holder"

// maxNodes is what the second byte of 10.N.0.1 leaves room for.
const maxNodes = 254

// closePatience is how long Close waits for the holder's own tidy end before it kills the holder, which ends everything at
// once and leaves only the run folder, which Close then removes itself.
const closePatience = 5 * time.Second

// nodeName accepts what is at once a DNS label, a folder name and a word in /etc/hosts.
var nodeName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// initialized remembers that Init ran. It is the one variable of this package: only main can make the call, only Start can
// tell the user that it is missing, and nothing but the process itself lies between the two.
var initialized atomic.Bool

// Init makes this executable able to hold labs. Call it first thing in main and in TestMain: in an ordinary process it
// returns at once; in a holder it does not return, but ends the process when the lab ends.
func Init() {
	initialized.Store(true)
	if os.Args[0] != holderName {
		return
	}
	if err := hold(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) // As process 1 of its namespace the holder is a command of its own: nobody is left to return to.
	}
	os.Exit(0)
}

// Config says what a lab is made of.
type Config struct {
	// Nodes are the names of the nodes, DNS labels, 1 to 254 of them. Node N, counted from 1, gets 10.N.0.1.
	Nodes []string
	// RunDir is where the lab makes its own short-named folder; empty for the system's folder for temporary files. The path
	// must be short, since the sockets in it may have 107 bytes. Folders that killed labs left there are removed.
	RunDir string
	// Seed makes the losses of links repeatable.
	Seed uint64
	// Log takes what a user of the lab may want to know; nil discards it.
	Log *slog.Logger
}

// Lab is a running set of nodes. Its methods may be called from any goroutine.
type Lab struct {
	// Set once in Start.
	log     *slog.Logger
	dir     string
	nodes   []*Node
	control *channel
	holder  *exec.Cmd
	stderr  *bytes.Buffer // Complete once done is closed.
	done    chan struct{} // Closed when the holder has ended.
	end     func() error
	// working counts the goroutines that wait for the holder and serve commands; they end with the holder at the latest.
	working sync.WaitGroup
}

// Start builds a lab and returns when every node's links carry traffic. When the kernel refuses, the error is a
// *[RefusedError] that names the remedy; any other error says nothing about what this machine can do. ctx bounds the start
// only: the lab lives until Close or until the process ends.
func Start(ctx context.Context, c Config) (*Lab, error) {
	if !initialized.Load() {
		return nil, fmt.Errorf("start lab: %w", ErrNoInit)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("start lab: %w", err)
	}
	run, err := newRunDir(c.RunDir, c.Nodes)
	if err != nil {
		return nil, fmt.Errorf("start lab: %w", err)
	}
	l := &Lab{log: c.Log, dir: run.path, done: make(chan struct{})}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	l.end = sync.OnceValue(func() error { return l.shut(run) })
	if err := l.launch(ctx, c, run); err != nil {
		return nil, fmt.Errorf("start lab: %w", errors.Join(err, run.remove()))
	}
	for i, name := range c.Nodes {
		l.nodes = append(l.nodes, &Node{lab: l, name: name, index: i, dir: run.node(name)})
	}
	l.log.Debug("lab started", "dir", l.dir, "nodes", c.Nodes, "holder", l.holder.Process.Pid)
	return l, nil
}

// check finds what is wrong with c before anything is made.
func (c Config) check() error {
	if len(c.Nodes) == 0 || len(c.Nodes) > maxNodes {
		return fmt.Errorf("%d nodes: a lab has 1 to %d", len(c.Nodes), maxNodes)
	}
	seen := map[string]bool{}
	for _, name := range c.Nodes {
		if !nodeName.MatchString(name) {
			return fmt.Errorf("node name %q: use a DNS label: lower-case letters, digits and inner hyphens, at most 63", name)
		}
		if seen[name] {
			return fmt.Errorf("node name %q occurs twice", name)
		}
		seen[name] = true
	}
	return nil
}

// launch starts the holder and waits until it has built the lab.
func (l *Lab) launch(ctx context.Context, c Config, run *runDir) error {
	mine, theirs, err := newChannel()
	if err != nil {
		return fmt.Errorf("connect to the holder: %w", err)
	}
	userNS := needsUserNamespace(os.Geteuid(), readCapabilities())
	l.control, l.stderr = mine, &bytes.Buffer{}
	l.holder = &exec.Cmd{
		Path:        "/proc/self/exe",
		Args:        []string{holderName},
		Stderr:      l.stderr,
		ExtraFiles:  []*os.File{theirs, run.lock},
		SysProcAttr: holderAttributes(userNS, os.Geteuid(), os.Getegid()),
	}
	err = l.holder.Start()
	theirs.Close()
	if err != nil {
		mine.close()
		return explain(userNS, &failure{Step: stepClone, Text: err.Error(), Errno: errnoOf(err)})
	}
	l.working.Go(func() {
		defer close(l.done)
		if err := l.holder.Wait(); err != nil {
			l.log.Warn("lab holder ended badly", "error", err, "stderr", l.stderr.String())
		}
	})
	if err := l.greet(ctx, c, userNS); err != nil {
		mine.close()
		_ = l.holder.Process.Kill() // It may have ended by itself already, which is as good.
		<-l.done
		if errors.Is(err, ErrEnded) && l.stderr.Len() > 0 {
			err = fmt.Errorf("the holder ended: %s", bytes.TrimSpace(l.stderr.Bytes()))
		}
		return err
	}
	return nil
}

// holderAttributes are the namespaces of a holder. It has a session of its own, so that an interrupt typed at the terminal
// reaches the caller alone, who then stops the nodes in his own order.
func holderAttributes(userNS bool, uid, gid int) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
	}
	if userNS {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}}
	}
	return attr
}

// greet tells the new holder what to build and waits for its word.
func (l *Lab) greet(ctx context.Context, c Config, userNS bool) error {
	q := question{Build: &buildQuestion{Nodes: c.Nodes, Dir: l.dir, Seed: c.Seed}}
	if err := l.control.send(q); err != nil {
		return l.broken(err)
	}
	a, files, err := l.await(ctx, l.control)
	closeAll(files)
	if err != nil {
		return err
	}
	if a.Failure != nil {
		return explain(userNS, a.Failure)
	}
	for _, note := range a.Notes {
		l.log.Warn("lab is not complete", "reason", note)
	}
	return nil
}

// Dir is the lab's own folder: short, private to the user, visible to the caller and to every node, and removed at the end.
func (l *Lab) Dir() string { return l.dir }

// Nodes are all nodes in the order of the configuration.
func (l *Lab) Nodes() []*Node { return l.nodes }

// Node is the node of that name, or nil.
func (l *Lab) Node(name string) *Node {
	for _, n := range l.nodes {
		if n.name == name {
			return n
		}
	}
	return nil
}

// Close ends every process in every node by SIGKILL and takes the lab away; when it returns, nothing of it is left. To
// stop processes in an orderly way, signal and await them first. Further calls return the first one's result.
func (l *Lab) Close() error { return l.end() }

func (l *Lab) shut(run *runDir) error {
	l.control.close()
	patience := time.NewTimer(closePatience)
	defer patience.Stop()
	select {
	case <-l.done:
	case <-patience.C:
		_ = l.holder.Process.Kill() // It may end at this very moment, which is as good.
		<-l.done
	}
	l.working.Wait()
	if err := run.remove(); err != nil {
		return fmt.Errorf("close lab: %w", err)
	}
	return nil
}

// ask puts one question to the holder over a socket of its own, and returns the answer, the files that came with it, and
// the socket, which belongs to the caller when err is nil. When ctx ends first, closing the socket takes the question back.
func (l *Lab) ask(ctx context.Context, q question, files ...int) (*channel, answer, []*os.File, error) {
	mine, theirs, err := newChannel()
	if err != nil {
		return nil, answer{}, nil, err
	}
	defer theirs.Close()
	if err := l.control.send(q, append([]int{int(theirs.Fd())}, files...)...); err != nil {
		mine.close()
		return nil, answer{}, nil, l.broken(err)
	}
	theirs.Close() // So that the holder's end reads as the end of the conversation.
	a, got, err := l.await(ctx, mine)
	if err == nil && a.Failure != nil {
		err = a.Failure
	}
	if err != nil {
		closeAll(got)
		mine.close()
		return nil, answer{}, nil, err
	}
	return mine, a, got, nil
}

// await reads one answer unless ctx ends first.
func (l *Lab) await(ctx context.Context, c *channel) (answer, []*os.File, error) {
	stop := context.AfterFunc(ctx, c.interrupt)
	var a answer
	files, err := c.receive(&a)
	if !stop() && err != nil {
		return a, nil, ctx.Err()
	}
	if err != nil {
		return a, nil, l.broken(err)
	}
	return a, files, nil
}

// broken turns the ways in which a socket to a dead holder fails into ErrEnded.
func (l *Lab) broken(err error) error {
	if isHangup(err) {
		return ErrEnded
	}
	return fmt.Errorf("talk to the lab's holder: %w", err)
}
