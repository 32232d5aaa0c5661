// Package envoy starts a real Envoy for tests of what is told to one, and says what it made of that.
package envoy

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Env is the environment variable that names the Envoy to use. `make test` sets it.
const Env = "ENVOY"

// startTimeout bounds the time from the start of Envoy until it is live. It needs 50 ms on a machine that does nothing else.
const startTimeout = 60 * time.Second

// Options say how Envoy is started.
type Options struct {
	// Bootstrap is the configuration, JSON or YAML. Its admin address, if it has one, is replaced.
	Bootstrap []byte
	// Binary is the Envoy; empty means the one that Env names.
	Binary string
	// Dir is where its files go; empty means a folder from Dir.
	Dir string
	// Args are further arguments.
	Args []string
	// NotLive lets Start return as soon as the admin interface answers, for an Envoy that is not told enough to become live.
	NotLive bool
}

// An Envoy runs until the test ends.
type Envoy struct {
	// Dir holds its files. Sockets of listeners and of a control plane may be put there: the path is short.
	Dir string
	// Admin is the unix socket of its admin interface.
	Admin string

	t       testing.TB
	process *os.Process
	ended   chan struct{} // closed when it has ended, after err was set
	err     error
	stopped atomic.Bool // the test wanted it to end
}

// Binary is the Envoy that Env names. Without one the test is skipped.
func Binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv(Env)
	if path == "" {
		t.Skip(Env + " is not set: run `make test`, or set it to what `deploy/envoy/find` prints")
	}
	return path
}

// Dir makes a folder that goes with the test. Its path is short enough for unix sockets, which that of testing.T.TempDir may not be.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "envoy")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // in the temporary folder of the system
	return dir
}

// Start starts an Envoy and returns when it is live. It is killed when the test ends; that it ends before is an error, unless the test
// has called Stop or Kill.
func Start(t testing.TB, o Options) *Envoy {
	t.Helper()
	o.Binary = cmp.Or(o.Binary, os.Getenv(Env))
	if o.Binary == "" {
		Binary(t) // skips
	}
	if o.Dir == "" {
		o.Dir = Dir(t)
	}
	e := &Envoy{Dir: o.Dir, Admin: filepath.Join(o.Dir, "lab-admin.sock"), t: t, ended: make(chan struct{})}
	if err := e.start(o); err != nil {
		t.Fatalf("start %s: %v", o.Binary, err)
	}
	t.Cleanup(e.cleanup)
	e.awaitReady(o.NotLive)
	return e
}

// arguments are those of production, except that nothing is shared with other Envoys and that drains are short.
func (e *Envoy) arguments(o Options) ([]string, error) {
	admin, err := json.Marshal(map[string]any{"admin": map[string]any{"address": map[string]any{"pipe": map[string]any{"path": e.Admin}}}})
	if err != nil {
		return nil, err
	}
	return append([]string{
		"-c", filepath.Join(e.Dir, "bootstrap.yaml"), // any JSON is YAML
		"--config-yaml", string(admin), // merged over the file
		"--concurrency", "1", "--disable-hot-restart", "--reject-unknown-dynamic-fields",
		"--component-log-level", "misc:error", "--skip-deprecated-logs",
		"--file-flush-interval-msec", "50", "--drain-time-s", "1",
	}, o.Args...), nil
}

func (e *Envoy) start(o Options) error {
	args, err := e.arguments(o)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(e.Dir, "bootstrap.yaml"), o.Bootstrap, 0o600); err != nil {
		return err
	}
	log, err := os.Create(e.log())
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // Envoy has its own
	cmd := exec.Command(o.Binary, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = e.Dir, []string{}, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() { // ends with the process; the cleanup waits for that
		runtime.LockOSThread() // the kernel sends Pdeathsig when the thread ends that started the process
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			e.err = cmd.Wait()
			close(e.ended)
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	e.process = cmd.Process
	return nil
}

// awaitReady asks until Envoy says what is waited for: it gives no other sign.
func (e *Envoy) awaitReady(notLive bool) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), startTimeout)
	defer cancel()
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		state, err := e.get(ctx, "/ready")
		if err == nil && (notLive || strings.TrimSpace(state) == "LIVE") {
			return
		}
		timer := time.NewTimer(pause)
		select {
		case <-e.ended:
			e.t.Fatalf("Envoy ended at its start: %v", e.err)
		case <-ctx.Done():
			e.t.Fatalf("Envoy is not live after %s: %q, %v", startTimeout, state, err)
		case <-timer.C:
		}
	}
}

// PID is Envoy's process.
func (e *Envoy) PID() int { return e.process.Pid }

// Log is what Envoy has written so far.
func (e *Envoy) Log() string {
	e.t.Helper()
	text, err := os.ReadFile(e.log())
	if err != nil {
		e.t.Fatal(err)
	}
	return string(text)
}

// Stop ends Envoy as an operator would, and returns when it has ended.
func (e *Envoy) Stop() { e.end(syscall.SIGTERM) }

// Kill ends Envoy as a crash would, and returns when it has ended.
func (e *Envoy) Kill() { e.end(syscall.SIGKILL) }

func (e *Envoy) end(signal syscall.Signal) {
	e.t.Helper()
	e.stopped.Store(true)
	if err := e.process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		e.t.Errorf("end Envoy: %v", err)
	}
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	select {
	case <-e.ended:
	case <-timer.C:
		e.t.Errorf("Envoy did not end within 10 s of %s", signal)
	}
}

func (e *Envoy) cleanup() {
	select {
	case <-e.ended:
		if !e.stopped.Load() {
			e.t.Errorf("Envoy ended by itself: %v", e.err)
		}
	default:
		e.Kill()
	}
	if e.t.Failed() {
		e.t.Logf("the end of %s:\n%s", e.log(), tail(e.Log(), 60))
	}
}

func (e *Envoy) log() string { return filepath.Join(e.Dir, "envoy.log") }

func tail(text string, lines int) string {
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// describe shortens an answer for an error.
func describe(body []byte) string {
	const most = 300
	body = bytes.ToValidUTF8(body, []byte("?"))
	if len(body) > most {
		return fmt.Sprintf("%s… (%d bytes)", body[:most], len(body))
	}
	return string(body)
}
