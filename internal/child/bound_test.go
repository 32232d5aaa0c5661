package child_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/entente-mesh/entente/internal/child"
	"github.com/entente-mesh/entente/internal/run"
)

func TestChildIsReadyWhenItsProbeSays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := launch(t, config(dir, child.Bound, "serve"))
	within(t, r.Ready())
	if got, want := r.State().PID, noted(t, filepath.Join(dir, "up")); got != want {
		t.Errorf("State has pid %d, the process is %d", got, want)
	}
	started, ready := r.until(run.Started), r.until(run.Ready)
	if started.PID != ready.PID || started.Starts != 1 || started.TakenOver || started.Err != nil {
		t.Errorf("started with %+v, ready with %+v", started, ready)
	}
	if err := r.stop(); err != nil {
		t.Errorf("Run returned %v after an orderly stop", err)
	}
	gone(t, ready.PID)
	if s := r.State(); s.Phase != run.Stopped || s.PID != 0 || s.Err != nil {
		t.Errorf("after the stop the state is %+v", s)
	}
}

func TestChildIsRestarted(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir(), child.Bound, "serve")
	r := launch(t, cfg)
	for life := 1; life <= 5; life++ { // more often than Config.Tries, which is for the first start only
		s := r.until(run.Ready)
		if s.Starts != life {
			t.Errorf("life %d is start %d", life, s.Starts)
		}
		if err := syscall.Kill(s.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s = r.until(run.Waiting)
		if s.Err == nil || !strings.Contains(s.Err.Error(), "signal: killed") {
			t.Errorf("ended with %v, want it to say that it was killed", s.Err)
		}
		if want := cfg.Backoff.Pause(life); s.Retry != want {
			t.Errorf("pause %v after %d failures, want %v", s.Retry, life, want)
		}
	}
}

func TestChildThatFailsBeforeItIsReady(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		role  string
		args  []string
		tries int
		edit  func(*child.Config)
		want  []string
		lines []string
	}{
		{
			name:  "one that exits names program, exit code, log file and its last lines",
			role:  "crash",
			args:  []string{"7"},
			tries: 3,
			want:  []string{os.Args[0], "ended before it was ready: exit status 7", "try 3", "log/crash.log", "about to crash | for a reason"},
			lines: []string{"about to crash", "for a reason"},
		},
		{
			name:  "one that does not become ready in time names the last answer of the probe",
			role:  "stubborn",
			tries: 2,
			edit: func(c *child.Config) {
				c.Ready = func(context.Context) error { return errors.New("connection refused") }
				c.ReadyTimeout, c.StopGrace, c.Tries = 20*time.Millisecond, time.Millisecond, 2
			},
			want: []string{"not ready within 20ms: connection refused"},
		},
		{
			name:  "one that cannot be started is not tried again",
			role:  "serve",
			tries: 1,
			edit: func(c *child.Config) {
				c.Path = filepath.Join(c.Dir, "garbage")
				if err := os.WriteFile(c.Path, []byte{0}, 0o700); err != nil {
					panic(err)
				}
			},
			want: []string{"garbage: cannot be started", "exec format error"},
		},
	}
	for _, mode := range []child.Mode{child.Bound, child.Adopted} {
		for _, c := range cases {
			t.Run(fmt.Sprintf("mode %d: %s", mode, c.name), func(t *testing.T) {
				t.Parallel()
				cfg := config(t.TempDir(), mode, c.role, c.args...)
				if c.edit != nil {
					c.edit(&cfg)
				}
				r := launch(t, cfg)
				err := r.wait()
				var failure *child.StartError
				if !errors.As(err, &failure) {
					t.Fatalf("Run returned %v, want a StartError", err)
				}
				if failure.Tries != c.tries {
					t.Errorf("%d tries, want %d", failure.Tries, c.tries)
				}
				if diff := cmp.Diff(c.lines, failure.Lines); diff != "" {
					t.Errorf("last lines (-want +got):\n%s", diff)
				}
				for _, part := range c.want {
					if !strings.Contains(err.Error(), part) {
						t.Errorf("the error does not name %q: %v", part, err)
					}
				}
				if s := r.State(); s.Phase != run.Stopped || s.PID != 0 || !errors.Is(s.Err, err) {
					t.Errorf("state is %+v", s)
				}
				select {
				case <-r.Ready():
					t.Error("Ready was closed")
				default:
				}
			})
		}
	}
}

func TestChildGetsItsOwnEnvironmentAlone(t *testing.T) {
	t.Setenv("SECRET_OF_THE_PARENT", "hush")
	for _, mode := range []child.Mode{child.Bound, child.Adopted} {
		dir := t.TempDir()
		cfg := config(dir, mode, "env")
		cfg.Env = append(cfg.Env, "GREETING=hello there")
		launch(t, cfg)
		if diff := cmp.Diff(helperEnv+"=env\n"+quickExit+"\nGREETING=hello there", noticed(t, filepath.Join(dir, "environ"))); diff != "" {
			t.Errorf("environment (-want +got):\n%s", diff)
		}
	}
}

func TestChildWithoutEnvironmentGetsNone(t *testing.T) {
	t.Setenv("SECRET_OF_THE_PARENT", "hush")
	for _, mode := range []child.Mode{child.Bound, child.Adopted} {
		cfg := config(t.TempDir(), mode, "env")
		cfg.Path, cfg.Env = "/usr/bin/env", nil // prints its environment and exits
		var failure *child.StartError
		if err := launch(t, cfg).wait(); !errors.As(err, &failure) || failure.Lines != nil {
			t.Errorf("Run returned %v, want a program that printed nothing", err)
		}
	}
}

func TestStopEndsTheWholeGroup(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		role string
		args []string
	}{
		{"a grandchild that ignores SIGTERM is killed after its parent has ended", "family", nil},
		{"a process that ignores SIGTERM is killed after the grace time", "stubborn", nil},
	}
	for _, mode := range []child.Mode{child.Bound, child.Adopted} {
		for _, c := range cases {
			t.Run(fmt.Sprintf("mode %d: %s", mode, c.name), func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				cfg := config(dir, mode, c.role, c.args...)
				cfg.StopOnExit = true
				if c.role == "stubborn" {
					cfg.StopGrace = time.Millisecond
				}
				r := launch(t, cfg)
				r.until(run.Ready)
				first, last := r.State().PID, noted(t, filepath.Join(dir, "up"))
				if err := r.stop(); err != nil {
					t.Errorf("Run returned %v", err)
				}
				for _, pid := range []int{first, last} {
					if alive(pid) {
						t.Errorf("process %d is still there after Run has returned", pid)
					}
				}
			})
		}
	}
}

func TestWhatACrashedChildLeavesIsKilledBeforeTheNextStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := config(dir, child.Bound, "family", "end first")
	cfg.Ready = nil
	cfg.Backoff = run.Backoff{First: time.Hour, Most: time.Hour}
	r := launch(t, cfg)
	r.until(run.Waiting)
	if orphan := noted(t, filepath.Join(dir, "up")); alive(orphan) {
		t.Errorf("orphan %d is still there", orphan)
	}
}

func TestBoundChildDiesWithItsParent(t *testing.T) {
	t.Parallel()
	parent, pid := middle(t, t.TempDir(), "bound")
	killed(t, parent)
	gone(t, pid)
}

// The kernel's bond is with the thread that started the child, and threads come and go.
func TestBoundChildOutlivesTheThreadsOfItsParent(t *testing.T) {
	t.Parallel()
	r := launch(t, config(t.TempDir(), child.Bound, "serve"))
	r.until(run.Ready)
	for range 100 {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		}()
		<-ended
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	if s := r.State(); s.Starts != 1 || s.Err != nil {
		t.Errorf("state %+v, want a single start", s)
	}
}

func TestOutputOfBoundChildIsRotated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := config(dir, child.Bound, "print", "50000") // 106 bytes each: 5.3 MB
	cfg.Log.MaxSizeMB, cfg.Log.MaxFiles = 1, 2
	r := launch(t, cfg)
	r.until(run.Ready)
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	logs := filepath.Join(dir, "log", "print*.log")
	// Old files are deleted in the background.
	await(t, filepath.Dir(logs), func() bool { return len(glob(t, logs)) <= 3 })
	for _, file := range glob(t, logs) {
		if info, err := os.Stat(file); err != nil || info.Size() > 1<<20 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
	got := lines(t, filepath.Join(dir, "log", "print.log"))
	if last, want := got[len(got)-1], fmt.Sprintf("line %0100d", 49999); last != want {
		t.Errorf("last line %q, want %q", last, want)
	}
}

func TestAFullDiskDoesNotKillTheChild(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := config(dir, child.Bound, "print", "20000")
	c := launch(t, cfg)
	c.until(run.Ready)
	if err := c.stop(); err != nil {
		t.Fatal(err)
	}

	// /dev/full takes no byte, as a full disk does.
	if err := os.Remove(filepath.Join(dir, "up")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(cfg.Log.File); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", cfg.Log.File); err != nil {
		t.Fatal(err)
	}
	c = launch(t, cfg)
	c.until(run.Ready)
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return files
}
