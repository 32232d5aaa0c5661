package child_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/entente-mesh/entente/internal/child"
	"github.com/entente-mesh/entente/internal/run"
)

// helperEnv makes the test binary play the program that its value names, instead of running tests.
const helperEnv = "ENTENTE_CHILD_HELPER"

// quickExit spares the helpers the second that a program built with -race otherwise waits at its end.
const quickExit = "GORACE=atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	if role := os.Getenv(helperEnv); role != "" {
		play(role, os.Args[1:])
		return
	}
	// A rotating writer leaves one goroutine behind for good, which its library offers no way to end.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"))
}

// play is the program that children run in these tests. What happens is told through files in the working folder, which
// the tests watch.
func play(role string, args []string) {
	switch role {
	case "serve": // until it is told to end
		note("up", os.Getpid())
		untilTerm()
	case "faithful": // has the kernel end it with its parent, as Envoy does
		if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGTERM), 0, 0, 0); err != nil {
			panic(err)
		}
		note("up", os.Getpid())
		untilTerm()
	case "stubborn": // does not end when it is told to; args: whether to say that it is up
		signal.Ignore(syscall.SIGTERM)
		note("up", os.Getpid())
		if len(args) > 0 {
			fmt.Println("up")
		}
		syscall.Pause()
	case "crash": // args: exit code
		fmt.Println("about to crash")
		fmt.Fprintln(os.Stderr, "for a reason")
		code, _ := strconv.Atoi(args[0])
		os.Exit(code)
	case "family": // has a child that ignores signals; args: whether to end before it
		sub := exec.Command(os.Args[0], "tell")
		sub.Env = []string{helperEnv + "=stubborn", quickExit}
		out, err := sub.StdoutPipe()
		if err != nil {
			panic(err)
		}
		if err := sub.Start(); err != nil {
			panic(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil { // it is up
			panic(err)
		}
		if len(args) == 0 {
			untilTerm()
		}
	case "env":
		note("environ", strings.Join(os.Environ(), "\n"))
		untilTerm()
	case "print": // args: how many lines
		n, _ := strconv.Atoi(args[0])
		w := bufio.NewWriter(os.Stdout)
		for i := range n {
			fmt.Fprintf(w, "line %0100d\n", i)
		}
		if err := w.Flush(); err != nil {
			panic(err)
		}
		note("up", os.Getpid())
		untilTerm()
	case "parent": // runs a child of its own; args: the folder and the mode
		mode := child.Bound
		role := "serve"
		if args[1] != "bound" {
			mode = child.Adopted
		}
		cfg := config(args[0], mode, role)
		if args[1] == "detached" {
			cfg = config(args[0], mode, "faithful")
			cfg.Detached = true
		}
		c, err := child.New(cfg)
		if err != nil {
			panic(err)
		}
		if err := c.Run(context.Background()); err != nil {
			panic(err)
		}
	}
}

func untilTerm() {
	terms := make(chan os.Signal, 1)
	signal.Notify(terms, syscall.SIGTERM)
	<-terms
}

// note writes a file, whole or not at all.
func note(name string, content any) {
	if err := os.WriteFile(name+".new", fmt.Append(nil, content), 0o600); err != nil {
		panic(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		panic(err)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// config is a child in the folder that plays a role. It is ready when it has noted "up".
func config(dir string, mode child.Mode, role string, args ...string) child.Config {
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cfg := child.Config{
		Name: role,
		Path: exe,
		Args: args,
		Env:  []string{helperEnv + "=" + role, quickExit},
		Dir:  dir,
		Mode: mode,
		Log:  child.Log{File: filepath.Join(dir, "log", role+".log")},
		Ready: func(context.Context) error {
			if !exists(filepath.Join(dir, "up")) {
				return fmt.Errorf("not up yet")
			}
			return nil
		},
		StopGrace: 20 * time.Second,
		Backoff:   run.Backoff{First: time.Millisecond, Most: 2 * time.Millisecond},
	}
	if mode == child.Adopted {
		cfg.PIDFile = filepath.Join(dir, role+".pid")
	}
	return cfg
}

// A running is a child that a test runs.
type running struct {
	*child.Child
	t      *testing.T
	states chan child.State
	cancel context.CancelFunc
	ended  chan error
}

// launch runs a child. Unless the test stops it before, it is stopped with the test.
func launch(t *testing.T, cfg child.Config) *running {
	t.Helper()
	r := &running{t: t, states: make(chan child.State, 1000), ended: make(chan error, 1)}
	cfg.Observe = func(s child.State) { r.states <- s }
	c, err := child.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.Child = c
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(t.Context())
	go func() { r.ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		r.stop()
		if cfg.PIDFile != "" {
			if err := child.Stop(cfg.PIDFile, 0); err != nil {
				t.Error(err)
			}
		}
	})
	return r
}

// stop ends Run and returns its error.
func (r *running) stop() error {
	r.t.Helper()
	r.cancel()
	return r.wait()
}

// wait waits for the end of Run.
func (r *running) wait() error {
	r.t.Helper()
	err := within(r.t, r.ended)
	r.ended <- err // for whoever waits next
	return err
}

// until waits for a state of the given phase, with all states before it skipped.
func (r *running) until(phase run.Phase) child.State {
	r.t.Helper()
	for {
		switch s := within(r.t, r.states); s.Phase {
		case phase:
			return s
		case run.Stopped:
			r.t.Fatalf("the child stopped before it was %s: %v", phase, s.Err)
		}
	}
}

// within receives, or fails the test when that takes far too long.
func within[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(time.Minute):
		t.Fatal("waited for a minute")
		panic("unreachable")
	}
}

// await waits for something that shows in a folder, which must exist.
func await(t *testing.T, dir string, done func() bool) {
	t.Helper()
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Close()
	if err := watcher.Add(dir); err != nil {
		t.Fatal(err)
	}
	for !done() { // looked at after the watch has begun, so nothing is missed
		within(t, watcher.Events)
	}
}

// noted waits for a pid that a helper notes.
func noted(t *testing.T, path string) int {
	t.Helper()
	pid, err := strconv.Atoi(noticed(t, path))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// noticed waits for a file that a helper notes, and returns its content.
func noticed(t *testing.T, path string) string {
	t.Helper()
	await(t, filepath.Dir(path), func() bool { return exists(path) })
	return read(t, path)
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// gone waits until a process has ended: it is no more, or a zombie that waits for whoever inherited it.
func gone(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for deadline := time.Now().Add(time.Minute); ; {
		left := time.Until(deadline)
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			t.Fatal(err)
		case n == 1:
			return
		default:
			t.Fatalf("process %d has not ended within a minute", pid)
		}
	}
}

func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := bytes.Cut(text, []byte(") "))
	return rest[0] != 'Z' && rest[0] != 'X'
}

// middle starts a process that runs a child of its own, and returns it with the child's pid.
func middle(t *testing.T, dir, mode string) (*exec.Cmd, int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], dir, mode)
	cmd.Env = []string{helperEnv + "=parent", quickExit}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	return cmd, noted(t, filepath.Join(dir, "up"))
}

// killed kills a process the hard way and waits until it has ended.
func killed(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // says that it was killed
}

// edit changes one entry of a pid file.
func edit(t *testing.T, path, key string, value any) {
	t.Helper()
	var record map[string]any
	d := json.NewDecoder(strings.NewReader(read(t, path)))
	d.UseNumber()
	if err := d.Decode(&record); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	if _, ok := record[key]; !ok {
		t.Fatalf("%s has no %q", path, key)
	}
	record[key] = value
	text, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// lines returns the lines of the files in their order.
func lines(t *testing.T, files ...string) []string {
	t.Helper()
	var text strings.Builder
	for _, f := range files {
		text.WriteString(read(t, f))
	}
	return slices.DeleteFunc(strings.Split(text.String(), "\n"), func(l string) bool { return l == "" })
}

// collapses says whether the file system can cut off the head of a file.
func collapses(t *testing.T, dir string) bool {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "probe"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(1 << 20); err != nil {
		t.Fatal(err)
	}
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_COLLAPSE_RANGE, 0, 1<<16) == nil
}
