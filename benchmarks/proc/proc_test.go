package proc

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	if os.Getenv("PROC_TEST_PARENT") != "" {
		parent()
		return
	}
	os.Exit(m.Run())
}

// parent is the program of TestKernelEndsChildrenOfAKilledProgram: it starts a child, says which, and waits to be killed.
func parent() {
	p, err := Start(context.Background(), Command{Name: "child", Path: "sleep", Args: []string{"600"}})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(p.PID())
	<-p.Done()
}

func shell(t *testing.T, ctx context.Context, script, ready string) *Process {
	t.Helper()
	p, err := Start(ctx, Command{Name: "script", Path: "/bin/sh", Args: []string{"-c", script}, Ready: ready})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

func TestAwaitReadyReturnsTheRestOfTheLine(t *testing.T) {
	t.Parallel()
	p := shell(t, t.Context(), "echo starting; printf 'serving '; echo http://here; exec sleep 600", "serving ")
	rest, err := p.AwaitReady(t.Context())
	if err != nil || rest != "http://here" {
		t.Errorf("want http://here, got %q, %v", rest, err)
	}
}

func TestAProcessThatEndsBeforeItIsReadyIsAnErrorWithItsWords(t *testing.T) {
	t.Parallel()
	p := shell(t, t.Context(), "echo no such luck >&2; exit 3", "ready")
	_, err := p.AwaitReady(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no such luck") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("want the exit status and the words, got %v", err)
	}
	if p.ExitCode() != 3 {
		t.Errorf("want exit code 3, got %d", p.ExitCode())
	}
}

func TestStopAsksAndWaits(t *testing.T) {
	t.Parallel()
	p := shell(t, t.Context(), "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done", "ready")
	if _, err := p.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	took, err := p.Stop(t.Context())
	if err != nil || took <= 0 {
		t.Errorf("want a clean stop, got %v, %v", took, err)
	}
}

func TestTheEndOfTheContextEndsTheProcess(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	p := shell(t, ctx, "exec sleep 600", "")
	cancel()
	<-p.Done()
	if p.ExitCode() != -1 {
		t.Errorf("want the end by a signal, got exit code %d", p.ExitCode())
	}
}

func TestKillEndsTheWholeGroup(t *testing.T) {
	t.Parallel()
	p := shell(t, t.Context(), "sleep 600 & echo ready; wait", "ready")
	if _, err := p.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := descendants([]int{p.PID()})
	if err != nil || len(all) != 2 {
		t.Fatalf("want the shell and its child, got %v, %v", all, err)
	}
	child, err := unix.PidfdOpen(all[1], 0)
	if err != nil {
		t.Skipf("this kernel cannot wait for a stranger: %v", err)
	}
	defer unix.Close(child)
	p.Kill()
	awaitEnd(t, child)
}

func TestStopReportsAProcessThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	p := shell(t, t.Context(), "trap '' TERM; echo ready; while :; do sleep 600; done", "ready")
	if _, err := p.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	patience := errors.New("out of patience")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(patience)
	if _, err := p.Stop(ctx); !errors.Is(err, patience) {
		t.Errorf("want %v, got %v", patience, err)
	}
}

func TestKernelEndsChildrenOfAKilledProgram(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PROC_TEST_PARENT=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	child, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Skipf("this kernel cannot wait for a stranger: %v", err)
	}
	defer unix.Close(child)

	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	awaitEnd(t, child)
}

// awaitEnd fails the test when a process, given by its pidfd, lives on.
func awaitEnd(t *testing.T, pidfd int) {
	t.Helper()
	ended := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(ended, 30_000)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n != 1 || err != nil {
			_ = unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0) // what should have happened
			t.Errorf("the child lives on: %d, %v", n, err)
		}
		return
	}
}

func TestUsedCountsDescendants(t *testing.T) {
	t.Parallel()
	p := shell(t, t.Context(), "sleep 600 & sleep 600 & echo ready; wait", "ready")
	if _, err := p.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := descendants([]int{p.PID()})
	if err != nil || len(all) != 3 {
		t.Errorf("want the shell and two children, got %v, %v", all, err)
	}
	u, err := Used(p.PID())
	if err != nil || u.Resident < u.Anonymous || u.Anonymous <= 0 || u.CPU <= 0 {
		t.Errorf("want memory and CPU time, got %+v, %v", u, err)
	}
}

func TestUsedOfAProcessThatIsGoneIsAnError(t *testing.T) {
	t.Parallel()
	p := shell(t, t.Context(), "exit 0", "")
	<-p.Done()
	if u, err := Used(p.PID()); err == nil {
		t.Errorf("want an error, got %+v", u)
	}
}

func TestFamily(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, stat  string
		pid, parent int
		bad         bool
	}{
		{"a plain name", "7 (sh) S 1 7 7 0", 7, 1, false},
		{"a name with spaces and parentheses", "12 (a) b (c) R 34 12", 12, 34, false},
		{"no name", "7 sh S 1", 0, 0, true},
		{"cut off", "7 (sh) S", 0, 0, true},
		{"nothing", "", 0, 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			pid, parent, err := family(tc.stat)
			if (err != nil) != tc.bad || pid != tc.pid || parent != tc.parent {
				t.Errorf("want %d child of %d, got %d child of %d, %v", tc.pid, tc.parent, pid, parent, err)
			}
		})
	}
}

func TestRollup(t *testing.T) {
	t.Parallel()
	const text = "55d0c0000000-7ffd0000 ---p 00000000 00:00 0    [rollup]\nRss:              313940 kB\nAnonymous:        197120 kB\n"
	for field, want := range map[string]int64{"Rss": 313940 * 1024, "Anonymous": 197120 * 1024} {
		if got, err := rollup(text, field); err != nil || got != want {
			t.Errorf("%s: want %d, got %d, %v", field, want, got, err)
		}
	}
	if got, err := rollup(text, "Swap"); err == nil {
		t.Errorf("a field that is missing: want an error, got %d", got)
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	got, err := times("cpu  100 10 50 800 40 5 5 30 7 0\ncpu0 1 2 3\n")
	if diff := cmp.Diff(Times{Busy: 2 * time.Second, All: 10400 * time.Millisecond}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if _, err := times("intr 1 2 3"); err == nil {
		t.Error("another line: want an error")
	}
}

func TestOthersIsTheShareThatThisProgramDidNotUse(t *testing.T) {
	t.Parallel()
	before := Times{Busy: time.Second, All: 10 * time.Second, Own: time.Second}
	after := Times{Busy: 7 * time.Second, All: 20 * time.Second, Own: 3 * time.Second}
	if got := Others(before, after); got != 0.4 {
		t.Errorf("want 0.4, got %v", got)
	}
	if got := Others(before, before); got != 0 {
		t.Errorf("no time passed: want 0, got %v", got)
	}
}

func TestOnDiskCountsWhatIsAllocated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty, err := OnDisk(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "full"), make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	hole, err := os.Create(filepath.Join(dir, "hole"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(hole.Truncate(64<<20), hole.Sync(), hole.Close()); err != nil {
		t.Fatal(err)
	}
	got, err := OnDisk(dir)
	if err != nil || got-empty < 1<<20 || got-empty > 2<<20 {
		t.Errorf("want about one MiB, got %d, %v", got-empty, err)
	}
}

func TestOutputCutsEndlessLines(t *testing.T) {
	t.Parallel()
	o := newOutput("")
	for range 100 {
		if _, err := o.Write([]byte(strings.Repeat("x", 10_000))); err != nil {
			t.Fatal(err)
		}
	}
	if kept := len(o.tail()); kept > 1_000_100 || len(o.partial) > lineBytes {
		t.Errorf("kept %d bytes, %d of them unfinished", kept, len(o.partial))
	}
}

func TestDescribeKnowsThisMachine(t *testing.T) {
	t.Parallel()
	m, err := Describe(t.TempDir())
	if err != nil || m.CPU == "" || m.Cores < 1 || m.Memory < 1<<20 || m.Kernel == "" || m.Filesystem == "" {
		t.Errorf("want every field, got %+v, %v", m, err)
	}
}
