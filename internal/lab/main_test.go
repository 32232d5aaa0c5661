package lab_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/entente-mesh/entente/internal/lab"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// roleVariable makes this test binary play another program.
const roleVariable = "LAB_TEST_ROLE"

// nobody is the ordinary user of tests that root runs.
const nobody = 65534

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role != "no init" {
		lab.Init()
	}
	if role != "" {
		if err := play(role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// With the race detector, every process would sleep for a second at its end.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// play is what the test binary does in a role.
func play(role string) error {
	switch role {
	case "no init":
		_, err := lab.Start(context.Background(), lab.Config{Nodes: []string{"alice"}})
		fmt.Println(err, errors.Is(err, lab.ErrNoInit))
		return nil
	case "start":
		l, err := lab.Start(context.Background(), lab.Config{Nodes: []string{"alice"}})
		if _, refused := errors.AsType[*lab.RefusedError](err); refused {
			fmt.Println("refused:", err)
			return nil
		}
		if err != nil {
			return err
		}
		return l.Close()
	case "forbid user namespaces":
		return forbid()
	case "caller":
		return beCaller()
	case "wait":
		fmt.Println("waiting")
		select {} // Until it is killed.
	case "orphan":
		return leaveOrphan()
	case "environment":
		fmt.Println(strings.Join(os.Environ(), "\n"))
		dir, err := os.Getwd()
		fmt.Println(dir)
		return err
	case "greeter":
		l, err := net.FileListener(os.NewFile(3, "listener"))
		if err != nil {
			return err
		}
		c, err := l.Accept()
		if err != nil {
			return err
		}
		addrs, err := net.InterfaceAddrs()
		if err != nil {
			return err
		}
		fmt.Fprint(c, addrs)
		return c.Close()
	}
	return fmt.Errorf("unknown role %q", role)
}

// forbid switches user namespaces off in the user namespace that it was started in, and then acts as one who wants a lab.
func forbid() error {
	if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0); err != nil {
		return err
	}
	return play("start")
}

// leaveOrphan leaves a child behind and ends.
func leaveOrphan() error {
	child := exec.Command("/proc/self/exe")
	child.Env = []string{roleVariable + "=wait"}
	child.Stdout = os.Stdout
	return child.Start()
}

// beCaller starts a lab with a process in it, says what there is, and waits to be killed.
func beCaller() error {
	l, err := lab.Start(context.Background(), lab.Config{Nodes: []string{"alice", "bob"}, RunDir: os.Getenv("RUN_DIR")})
	if err != nil {
		return err
	}
	for _, n := range l.Nodes() {
		c := n.Command(context.Background(), "/proc/self/exe")
		c.Env = []string{roleVariable + "=orphan"}
		c.Stdout = os.Stderr // A pipe of the test: it reads end-of-file when the last process is gone.
		if err := c.Run(); err != nil {
			return err
		}
		wait := n.Command(context.Background(), "/proc/self/exe")
		wait.Env = []string{roleVariable + "=wait"}
		wait.Stdout = os.Stderr
		if err := wait.Start(); err != nil {
			return err
		}
		fmt.Println("process", wait.Pid())
	}
	fmt.Println("dir", l.Dir())
	fmt.Println("end")
	select {} // Until it is killed.
}

// asEachUser runs body as root and as an ordinary user, as far as this process can be both.
func asEachUser(t *testing.T, body func(t *testing.T)) {
	t.Helper()
	root := os.Geteuid() == 0
	t.Run("as root", func(t *testing.T) {
		t.Parallel()
		if !root {
			t.Skip("this process is not root")
		}
		body(t)
	})
	t.Run("as ordinary user", func(t *testing.T) {
		t.Parallel()
		if !root {
			body(t)
			return
		}
		name := strings.Split(t.Name(), "/")
		for i := range name {
			name[i] = "^" + name[i] + "$"
		}
		c := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.v", "-test.run="+strings.Join(name, "/"))
		c.Dir = "/"
		c.Env = append(os.Environ(), "TMPDIR=/tmp", "HOME=/")
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		out, err := c.CombinedOutput()
		switch {
		case err != nil:
			t.Fatalf("%v\n%s", err, out)
		case bytes.Contains(out, []byte("--- SKIP: "+t.Name())):
			t.Skipf("%s", out)
		case !bytes.Contains(out, []byte("--- PASS: "+t.Name())):
			t.Fatalf("the case did not run:\n%s", out)
		}
	})
}

// start starts a lab of alice and bob that ends with the test, or skips the test where the machine refuses.
func start(t *testing.T) (alice, bob *lab.Node) {
	t.Helper()
	l, err := lab.Start(t.Context(), lab.Config{Nodes: []string{"alice", "bob"}, Seed: 1, Log: slog.New(slog.NewTextHandler(warnings{t}, nil))})
	if _, refused := errors.AsType[*lab.RefusedError](err); refused {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l.Node("alice"), l.Node("bob")
}

// warnings fails the test when the holder ended badly, as it does after a data race.
type warnings struct{ t *testing.T }

func (w warnings) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte("ended badly")) {
		w.t.Errorf("%s", line)
	}
	return len(line), nil
}

// playing prepares this test binary in a role in a node.
func playing(t *testing.T, n *lab.Node, role string) *lab.Cmd {
	t.Helper()
	c := n.Command(t.Context(), "/proc/self/exe")
	c.Env = []string{roleVariable + "=" + role}
	return c
}

// watched is a process whose end can be awaited by others than its parent.
type watched struct{ pid, fd int }

// watch opens the process; its number cannot be another's from here on.
func watch(t *testing.T, pid int) watched {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatalf("watch process %d: %v", pid, err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return watched{pid: pid, fd: fd}
}

// awaitEnd returns when the process has ended; the test's own time limit bounds it.
func (w watched) awaitEnd(t *testing.T) {
	t.Helper()
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLIN}}, -1)
		if err == nil {
			return
		}
		if !errors.Is(err, unix.EINTR) {
			t.Fatal(err)
		}
	}
}

// parentOf reads a process's parent.
func parentOf(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	s := bufio.NewScanner(bytes.NewReader(text))
	for s.Scan() {
		if value, ok := strings.CutPrefix(s.Text(), "PPid:"); ok {
			parent, err := strconv.Atoi(strings.TrimSpace(value))
			if err != nil {
				t.Fatal(err)
			}
			return parent
		}
	}
	t.Fatalf("process %d has no parent", pid)
	return 0
}
