package lab_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/entente-mesh/entente/internal/lab"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestAProcessHasExactlyTheEnvironmentAndFolderThatItWasGiven(t *testing.T) {
	t.Parallel()
	asEachUser(t, func(t *testing.T) {
		alice, _ := start(t)
		c := playing(t, alice, "environment")
		c.Env = append(c.Env, "COLOR=green")
		c.Dir = alice.Dir()
		var out bytes.Buffer
		c.Stdout, c.Stderr = &out, &out
		if err := c.Run(); err != nil {
			t.Fatalf("%v: %s", err, out.String())
		}
		want := roleVariable + "=environment\nCOLOR=green\n" + alice.Dir() + "\n"
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestANodeKnowsTheOthersByNameAndAsksItselfForTheRest(t *testing.T) {
	t.Parallel()
	asEachUser(t, func(t *testing.T) {
		_, bob := start(t)
		for _, path := range []string{"/etc/hosts", "/etc/resolv.conf"} {
			if _, err := os.Stat(path); err != nil {
				t.Skip(err)
			}
		}
		c := bob.Command(t.Context(), "cat", "/etc/hosts", "/etc/resolv.conf")
		var out strings.Builder
		c.Stdout = &out
		if err := c.Run(); err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{"10.1.0.1 alice\n", "10.2.0.1 bob\n", "nameserver 10.2.0.1\n", "127.0.0.1 localhost\n"} {
			if !strings.Contains(out.String(), line) {
				t.Errorf("want a line %q in\n%s", line, out.String())
			}
		}
	})
}

func TestAProcessTellsHowItEnded(t *testing.T) {
	t.Parallel()
	asEachUser(t, func(t *testing.T) {
		alice, _ := start(t)
		t.Run("an exit status", func(t *testing.T) {
			err := alice.Command(t.Context(), "sh", "-c", "exit 7").Run()
			if exit, ok := errors.AsType[*lab.ExitError](err); !ok || exit.Status.ExitStatus() != 7 {
				t.Errorf("want exit status 7, got %v", err)
			}
		})
		t.Run("a signal", func(t *testing.T) {
			c := waiting(t, alice)
			if err := c.Signal(syscall.SIGUSR1); err != nil {
				t.Fatal(err)
			}
			err := c.Wait()
			if exit, ok := errors.AsType[*lab.ExitError](err); !ok || exit.Status.Signal() != syscall.SIGUSR1 {
				t.Errorf("want %v, got %v", syscall.SIGUSR1, err)
			}
			if err := c.Signal(syscall.SIGUSR1); !errors.Is(err, os.ErrProcessDone) {
				t.Errorf("signal after the end: want %v, got %v", os.ErrProcessDone, err)
			}
		})
		t.Run("the end of its context", func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			c := alice.Command(ctx, "sleep", "3600")
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			cancel()
			err := c.Wait()
			if exit, ok := errors.AsType[*lab.ExitError](err); !ok || exit.Status.Signal() != syscall.SIGKILL {
				t.Errorf("want %v, got %v", syscall.SIGKILL, err)
			}
		})
		t.Run("no such program", func(t *testing.T) {
			err := alice.Command(t.Context(), "/no/such/program").Start()
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("want %v, got %v", fs.ErrNotExist, err)
			}
		})
	})
}

func TestAnOrphanIsReaped(t *testing.T) {
	t.Parallel()
	asEachUser(t, func(t *testing.T) {
		alice, _ := start(t)
		var orphan strings.Builder
		c := alice.Command(t.Context(), "sh", "-c", "sleep 3600 >/dev/null & echo $!")
		c.Stdout = &orphan
		if err := c.Run(); err != nil {
			t.Fatal(err)
		}
		// A process that has ended exists until someone has reaped it; only the holder is there to do it.
		if err := alice.Command(t.Context(), "sh", "-c", `kill -9 "$0"; while kill -0 "$0" 2>/dev/null; do :; done`, strings.TrimSpace(orphan.String())).Run(); err != nil {
			t.Error(err)
		}
	})
}

func TestAListenerOfTheCallerIsServedByAProcessInANode(t *testing.T) {
	t.Parallel()
	asEachUser(t, func(t *testing.T) {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		_, bob := start(t)
		c := playing(t, bob, "greeter")
		c.ExtraFiles = []*os.File{f}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		got, err := io.ReadAll(conn)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(got), "10.2.0.1/8") {
			t.Errorf("the server is not in bob: its addresses are %s", got)
		}
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	})
}

func TestAKilledCallerLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	asEachUser(t, func(t *testing.T) {
		start(t) // Skips where there are no labs.
		// The holder comes to this process when its parent is gone, so that the test can see it off.
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			t.Fatal(err)
		}
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		run := shortDir(t)
		c := exec.CommandContext(t.Context(), "/proc/self/exe")
		c.Env = append(os.Environ(), roleVariable+"=caller", "RUN_DIR="+run)
		c.Stderr = w
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		err = c.Start()
		w.Close()
		if err != nil {
			t.Fatal(err)
		}
		var all []watched
		var dir string
		for s := bufio.NewScanner(out); s.Scan() && s.Text() != "end"; {
			key, value, _ := strings.Cut(s.Text(), " ")
			if key == "dir" {
				dir = value
				continue
			}
			pid, err := strconv.Atoi(value)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, watch(t, pid))
		}
		if len(all) != 2 || dir == "" {
			_ = c.Process.Kill()
			_ = c.Wait()
			said, _ := io.ReadAll(r)
			t.Fatalf("the caller made %d processes and folder %q: %s", len(all), dir, said)
		}
		holder := watch(t, parentOf(t, all[0].pid))
		namespaces := namespacesOf(t, append([]watched{holder}, all...))
		before := holdersOf(t, namespaces)
		if len(before) == 0 {
			t.Error("the scan does not find the running lab")
		}
		if err := c.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // It says that it was killed.
		for _, p := range append(all, holder) {
			p.awaitEnd(t)
		}
		if _, err := unix.Wait4(holder.pid, nil, 0, nil); err != nil {
			t.Error(err)
		}
		// Only the processes of the lab, orphans among them, hold the other end of this pipe.
		if said, err := io.ReadAll(r); err != nil || strings.Contains(string(said), "lab holder") {
			t.Errorf("%v: %s", err, said)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the run folder is still there: %v", err)
		}
		// The kernel gives the names of namespaces that are gone to new ones, so only who held one before counts.
		for _, path := range holdersOf(t, namespaces) {
			if slices.Contains(before, path) {
				t.Errorf("a namespace is still in use: %s", path)
			}
		}
	})
}

func TestAKilledHolderEndsTheLabAndTheNextStartTidiesUp(t *testing.T) {
	t.Parallel()
	asEachUser(t, func(t *testing.T) {
		start(t) // Skips where there are no labs.
		run := shortDir(t)
		l, err := lab.Start(t.Context(), lab.Config{Nodes: []string{"alice"}, RunDir: run})
		if err != nil {
			t.Fatal(err)
		}
		c := waiting(t, l.Node("alice"))
		holder := watch(t, parentOf(t, c.Pid()))
		if err := unix.PidfdSendSignal(holder.fd, unix.SIGKILL, nil, 0); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); !errors.Is(err, lab.ErrEnded) {
			t.Errorf("wait for a process of a dead lab: want %v, got %v", lab.ErrEnded, err)
		}
		if _, err := l.Node("alice").Dial(t.Context(), "tcp4", "10.1.0.1:1080"); !errors.Is(err, lab.ErrEnded) {
			t.Errorf("dial in a dead lab: want %v, got %v", lab.ErrEnded, err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Errorf("second close: %v", err)
		}
		if left := folders(t, run); len(left) > 0 {
			t.Errorf("folders after close: %q", left)
		}
	})
}

func TestAStartRemovesWhatDeadLabsLeftAndSparesLivingOnes(t *testing.T) {
	t.Parallel()
	asEachUser(t, func(t *testing.T) {
		start(t) // Skips where there are no labs.
		run := shortDir(t)
		dead := filepath.Join(run, "entente-lab-dead")
		if err := os.MkdirAll(filepath.Join(dead, "alice", "data"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dead, ".lock"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		var want []string
		for range 2 {
			l, err := lab.Start(t.Context(), lab.Config{Nodes: []string{"alice"}, RunDir: run})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := l.Close(); err != nil {
					t.Error(err)
				}
			}()
			want = append(want, filepath.Base(l.Dir()))
		}
		if want[0] > want[1] {
			want[0], want[1] = want[1], want[0]
		}
		if diff := cmp.Diff(want, folders(t, run)); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

func TestStartNamesTheRuleThatRefusesUserNamespaces(t *testing.T) {
	t.Parallel()
	// In a user namespace of its own, an ordinary user who may change the namespace's limits, but not be root.
	c := exec.CommandContext(t.Context(), "/proc/self/exe")
	c.Env = append(os.Environ(), roleVariable+"=forbid user namespaces")
	c.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: os.Getegid(), Size: 1}},
		AmbientCaps: []uintptr{unix.CAP_SYS_RESOURCE},
	}
	out, err := c.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{"refused: start lab: make the namespaces", "user.max_user_namespaces is 0", "sysctl -w user.max_user_namespaces=", "or run as root"} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("want %q in %s", want, out)
		}
	}
}

func TestStartSaysWhenInitIsMissing(t *testing.T) {
	t.Parallel()
	c := exec.CommandContext(t.Context(), "/proc/self/exe")
	c.Env = append(os.Environ(), roleVariable+"=no init")
	out, err := c.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("call lab.Init() as the first statement")) || !bytes.Contains(out, []byte("true")) {
		t.Errorf("%v: %s", err, out)
	}
}

func TestStartRefusesAWrongConfiguration(t *testing.T) {
	t.Parallel()
	many := make([]string, 255)
	for i := range many {
		many[i] = fmt.Sprintf("node-%d", i)
	}
	for _, c := range []struct {
		name   string
		config lab.Config
		want   string
	}{
		{"no node", lab.Config{}, "1 to 254"},
		{"too many nodes", lab.Config{Nodes: many}, "1 to 254"},
		{"a name with capitals", lab.Config{Nodes: []string{"Alice"}}, "DNS label"},
		{"a name that leaves the folder", lab.Config{Nodes: []string{".."}}, "DNS label"},
		{"the same name twice", lab.Config{Nodes: []string{"alice", "alice"}}, "twice"},
		{"a run folder that is not there", lab.Config{Nodes: []string{"alice"}, RunDir: "/no/such/folder"}, "no such file"},
		{"a run folder that is too long for sockets", lab.Config{Nodes: []string{strings.Repeat("a", 63)}, RunDir: t.TempDir()}, "shorter run folder"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := lab.Start(t.Context(), c.config)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("want an error with %q, got %v", c.want, err)
			}
		})
	}
}

func TestAStartThatIsCalledOffLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	asEachUser(t, func(t *testing.T) {
		start(t) // Skips where there are no labs.
		run := shortDir(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := lab.Start(ctx, lab.Config{Nodes: []string{"alice"}, RunDir: run}); !errors.Is(err, context.Canceled) {
			t.Errorf("want %v, got %v", context.Canceled, err)
		}
		if left := folders(t, run); len(left) > 0 {
			t.Errorf("folders: %q", left)
		}
	})
}

func TestProbeAgreesWithStart(t *testing.T) {
	t.Parallel()
	asEachUser(t, func(t *testing.T) {
		l, err := lab.Start(t.Context(), lab.Config{Nodes: []string{"alice"}})
		if err == nil {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
		s := lab.Probe(t.Context(), lab.Config{})
		if want := map[bool]lab.Verdict{true: lab.Yes, false: lab.No}[err == nil]; s.Labs != want {
			t.Errorf("start says %v, the probe says %v: %v", err, s.Labs, s.LabsReason)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if s := lab.Probe(ctx, lab.Config{}); s.Labs == lab.Yes {
			t.Errorf("a probe that was called off says %v", s.Labs)
		}
	})
}

// waiting starts a process that runs until it is killed, and returns when it does.
func waiting(t *testing.T, n *lab.Node) *lab.Cmd {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c := n.Command(t.Context(), "sh", "-c", "echo ready; exec sleep 3600")
	c.Stdout = w
	err = c.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, len("ready\n"))); err != nil {
		t.Fatal(err)
	}
	return c
}

// shortDir is a folder for the test whose path is shorter than that of t.TempDir.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "l")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// folders are the names of what is in a folder.
func folders(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// namespacesOf are the names of the processes' namespaces, without those that the test is in itself.
func namespacesOf(t *testing.T, processes []watched) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, kind := range []string{"user", "net", "mnt", "pid"} {
		own, err := os.Readlink("/proc/self/ns/" + kind)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range processes {
			name, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", p.pid, kind))
			if err != nil {
				t.Fatal(err)
			}
			if name != own {
				found[name] = true
			}
		}
	}
	return found
}

// holdersOf finds who keeps one of the namespaces alive: a process or thread in it, an open file, a mount.
func holdersOf(t *testing.T, namespaces map[string]bool) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"/proc/[0-9]*/ns/*", "/proc/[0-9]*/task/[0-9]*/ns/*", "/proc/[0-9]*/fd/[0-9]*"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if name, err := os.Readlink(path); err == nil && namespaces[name] { // Others' processes cannot be read, and end.
				found = append(found, path)
			}
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for name := range namespaces {
		if strings.Contains(string(mounts), name) {
			found = append(found, "mount of "+name)
		}
	}
	return found
}
