package child_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/entente-mesh/entente/internal/child"
	"github.com/entente-mesh/entente/internal/run"
)

// adopted starts a child from a process of its own, kills that, and returns the configuration and the pid of the orphan.
func adopted(t *testing.T) (child.Config, int) {
	t.Helper()
	dir := t.TempDir()
	parent, pid := middle(t, dir, "adopted")
	cfg := config(dir, child.Adopted, "serve")
	noticed(t, cfg.PIDFile)
	killed(t, parent)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) }) // most tests have ended it
	if !alive(pid) {
		t.Fatal("the child died with its parent")
	}
	return cfg, pid
}

func TestAdoptedChildIsTakenOver(t *testing.T) {
	t.Parallel()
	cfg, pid := adopted(t)
	if got, err := child.Alive(cfg.PIDFile); got != pid || err != nil {
		t.Errorf("Alive is %d, %v, want %d", got, err, pid)
	}
	for range 2 { // the second time after an orderly end, which leaves it running
		r := launch(t, cfg)
		if s := r.until(run.Ready); s.PID != pid || !s.TakenOver || s.Starts != 1 {
			t.Errorf("state %+v, want pid %d taken over", s, pid)
		}
		if err := r.stop(); err != nil {
			t.Errorf("Run returned %v", err)
		}
		if !alive(pid) {
			t.Fatal("the child was not left running")
		}
	}
	if err := child.Stop(cfg.PIDFile, cfg.StopGrace); err != nil {
		t.Error(err)
	}
	gone(t, pid)
	if got, err := child.Alive(cfg.PIDFile); got != 0 || err != nil {
		t.Errorf("after the stop Alive is %d, %v", got, err)
	}
}

// A program may have the kernel end it with the parent that started it. Detached, it has process 1 for its parent from its first instruction on.
func TestDetachedChildOutlivesItsParentEvenAgainstItsWill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	parent, pid := middle(t, dir, "detached")
	cfg := config(dir, child.Adopted, "faithful")
	cfg.Detached = true
	noticed(t, cfg.PIDFile)
	killed(t, parent)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) }) // the test has ended it
	if !alive(pid) {
		t.Fatal("the child died with its parent")
	}
	r := launch(t, cfg)
	if s := r.until(run.Ready); s.PID != pid || !s.TakenOver {
		t.Fatalf("state %+v, want pid %d taken over", s, pid)
	}
	if err := r.stop(); err != nil || !alive(pid) {
		t.Errorf("Run returned %v; the child lives: %v", err, alive(pid))
	}
	if err := child.Stop(cfg.PIDFile, cfg.StopGrace); err != nil {
		t.Error(err)
	}
	gone(t, pid)
}

// Nobody is its parent, but it is watched, restarted and ended like any other.
func TestDetachedChildIsKeptRunning(t *testing.T) {
	t.Parallel()
	cfg := config(t.TempDir(), child.Adopted, "serve")
	cfg.Detached, cfg.StopOnExit = true, true
	r := launch(t, cfg)
	first := r.until(run.Ready)
	if first.TakenOver {
		t.Errorf("state %+v of a child that was started", first)
	}
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.until(run.Waiting)
	second := r.until(run.Ready)
	if second.PID == first.PID || second.Starts != 2 {
		t.Errorf("state %+v after %+v, want another process", second, first)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	gone(t, second.PID)
}

func TestAdoptedChildIsStoppedOnExitIfWanted(t *testing.T) {
	t.Parallel()
	cfg, pid := adopted(t)
	cfg.StopOnExit = true
	r := launch(t, cfg)
	r.until(run.Ready)
	if err := r.stop(); err != nil {
		t.Errorf("Run returned %v", err)
	}
	gone(t, pid)
	if exists(cfg.PIDFile) {
		t.Error("the pid file is still there")
	}
}

func TestAdoptedChildThatWasTakenOverIsRestarted(t *testing.T) {
	t.Parallel()
	cfg, pid := adopted(t)
	r := launch(t, cfg)
	r.until(run.Ready)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if s := r.until(run.Waiting); s.Err == nil || !strings.Contains(s.Err.Error(), "exit status unknown") {
		t.Errorf("ended with %v", s.Err)
	}
	if s := r.until(run.Ready); s.PID == pid || s.TakenOver {
		t.Errorf("state %+v, want a new process", s)
	}
}

func TestAdoptedChildIsReplaced(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		edit func(*child.Config)
	}{
		{"when its arguments change", func(c *child.Config) { c.Args = []string{"new"} }},
		{"when its environment changes", func(c *child.Config) { c.Env = append(c.Env, "NEW=1") }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg, pid := adopted(t)
			c.edit(&cfg)
			r := launch(t, cfg)
			if s := r.until(run.Ready); s.PID == pid || s.TakenOver {
				t.Errorf("state %+v, want a new process", s)
			}
			if alive(pid) {
				t.Error("the old process is still there")
			}
		})
	}
}

func TestPIDThatWasReusedIsNotTakenForTheChild(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		key  string
		new  any
	}{
		{"when the process started at another time", "start", 12345},
		{"when the machine was restarted in between", "boot", "00000000-0000-0000-0000-000000000000"},
		{"when it runs another program", "command", []string{"/bin/other"}},
		{"when there is no such process", "pid", 1<<22 + 1},
		{"when the process does not lead a group", "pid", os.Getppid()},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg, pid := adopted(t)
			edit(t, cfg.PIDFile, c.key, c.new)
			if got, err := child.Alive(cfg.PIDFile); got != 0 || err != nil {
				t.Errorf("Alive is %d, %v, want none", got, err)
			}
			if err := child.Stop(cfg.PIDFile, 0); err != nil {
				t.Error(err)
			}
			if !alive(pid) {
				t.Error("Stop has ended a process that the file does not describe")
			}
		})
	}
}

func TestPIDFileThatDescribesNothing(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"an empty file": "", "an empty object": "{}", "everybody": `{"pid":-1,"command":["x"]}`, "init": `{"pid":1,"command":["x"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t.TempDir(), child.Adopted, "serve")
			if err := os.WriteFile(cfg.PIDFile, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := child.Alive(cfg.PIDFile); err == nil || !strings.Contains(err.Error(), cfg.PIDFile) {
				t.Errorf("Alive returned %v, want an error that names the file", err)
			}
			if s := launch(t, cfg).until(run.Ready); s.TakenOver {
				t.Errorf("state %+v, want a new process", s)
			}
		})
	}
}

// A parent may be killed after it has started a process and before it has written the pid file.
func TestAdoptedChildWithoutPIDFileIsFound(t *testing.T) {
	t.Parallel()
	t.Run("and taken over", func(t *testing.T) {
		t.Parallel()
		cfg, pid := adopted(t)
		if err := os.Remove(cfg.PIDFile); err != nil {
			t.Fatal(err)
		}
		if s := launch(t, cfg).until(run.Ready); s.PID != pid || !s.TakenOver {
			t.Errorf("state %+v, want pid %d taken over", s, pid)
		}
		if got, err := child.Alive(cfg.PIDFile); got != pid || err != nil {
			t.Errorf("Alive is %d, %v, want %d", got, err, pid)
		}
	})
	t.Run("and replaced when its environment changes", func(t *testing.T) {
		t.Parallel()
		cfg, pid := adopted(t)
		if err := os.Remove(cfg.PIDFile); err != nil {
			t.Fatal(err)
		}
		cfg.Env = append(cfg.Env, "NEW=1")
		if s := launch(t, cfg).until(run.Ready); s.PID == pid || alive(pid) {
			t.Errorf("state %+v, want a new process only", s)
		}
	})
}

func TestOutputOfAdoptedChildIsRotated(t *testing.T) {
	t.Parallel()
	const n = 50000 // 106 bytes each: 5.3 MB
	dir := t.TempDir()
	cfg := config(dir, child.Adopted, "print", fmt.Sprint(n))
	cfg.Log.MaxSizeMB, cfg.Log.MaxFiles = 1, 10
	launch(t, cfg).until(run.Ready)
	second := launch(t, cfg) // looks at the file as soon as it runs
	second.until(run.Ready)
	logs := filepath.Join(dir, "log")
	await(t, logs, func() bool {
		info, err := os.Stat(cfg.Log.File)
		return err == nil && info.Size() < 1<<20
	})
	if err := second.stop(); err != nil {
		t.Error(err)
	}

	olds := glob(t, filepath.Join(logs, "print.old-*.log"))
	slices.Sort(olds)
	got := lines(t, append(olds, filepath.Join(logs, "print.old.log"), cfg.Log.File)...)
	for i, line := range got {
		if want := fmt.Sprintf("line %0100d", i); line != want {
			t.Fatalf("line %d is %q, want %q", i, line, want)
		}
	}
	if len(got) != n {
		t.Errorf("%d lines of %d", len(got), n)
	}
	if collapses(t, dir) { // the process still writes to the same file, whose head is gone
		if info, err := os.Stat(cfg.Log.File); err != nil || info.Size() == 0 || info.Size() > 1<<16 {
			t.Errorf("the file was emptied instead of cut: %v, %v", info, err)
		}
	}
}
