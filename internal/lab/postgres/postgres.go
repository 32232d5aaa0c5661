// Package postgres starts a real PostgreSQL for tests of what keeps its objects there.
package postgres

import (
	"context"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// User and Password are the server's administrator. The password has the characters that must be escaped in a URL.
const (
	User     = "kuscia"
	Password = "p@ss/word:#1"
)

// Start starts the machine's PostgreSQL in a folder of its own, until the test ends, and returns its loopback address. Without one on the
// machine the test is skipped.
func Start(t testing.TB) (address string) {
	t.Helper()
	bin := binaries()
	if bin == "" {
		t.Skip("PostgreSQL is not installed: no initdb on PATH or in /usr/lib/postgresql")
	}
	dir, err := os.MkdirTemp("", "pg")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // in the temporary folder of the system
	as := &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		if as.Credential = ordinaryUser(); as.Credential == nil {
			t.Skip("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
		}
		must(t, os.Chown(dir, int(as.Credential.Uid), int(as.Credential.Gid)))
	}
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir, cmd.SysProcAttr, cmd.Env = dir, as, []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
		return cmd
	}
	secret := filepath.Join(dir, "password")
	must(t, os.WriteFile(secret, []byte(Password), 0o644))
	if out, err := command("initdb", "-D", filepath.Join(dir, "data"), "-U", User, "-A", "scram-sha-256", "--pwfile", secret, "-N").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address = free.Addr().String()
	must(t, free.Close())
	_, port, err := net.SplitHostPort(address)
	must(t, err)
	server := command("postgres", "-D", filepath.Join(dir, "data"), "-h", "127.0.0.1", "-p", port, "-k", dir, "-F")
	var log strings.Builder
	server.Stderr = &log
	must(t, server.Start())
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGINT) // fast shutdown; it may be gone already
		<-ended
		if t.Failed() {
			t.Log(log.String())
		}
	})
	await(t, address, ended)
	return address
}

func await(t testing.TB, address string, ended chan error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !answers(ctx, address) {
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("PostgreSQL ended: %v", err)
		case <-ctx.Done():
			t.Fatal("PostgreSQL did not answer within 30 s")
		case <-tick.C:
		}
	}
}

// answers says whether the server takes connections.
func answers(ctx context.Context, address string) bool {
	c, err := pgx.Connect(ctx, URL(address, "postgres"))
	return err == nil && c.Close(ctx) == nil
}

// URL is how a client reaches a database of the server as its administrator.
func URL(address, database string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(User, Password), Host: address, Path: database, RawQuery: "sslmode=disable"}
	return u.String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// binaries is the folder of the newest PostgreSQL, empty if there is none.
func binaries() string {
	folders, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is right
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			folders = append(folders, path)
		}
	}
	folders = slices.DeleteFunc(folders, func(path string) bool {
		_, err := os.Stat(filepath.Join(filepath.Dir(path), "postgres"))
		return err != nil
	})
	if len(folders) == 0 {
		return ""
	}
	return filepath.Dir(slices.Max(folders))
}

func ordinaryUser() *syscall.Credential {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	return nil
}
