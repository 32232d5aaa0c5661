package store

import (
	"context"
	"errors"
	"fmt"
	"net"
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

	"github.com/google/go-cmp/cmp"
)

const postgresPassword = "p@ss/word:#1"

func TestPostgreSQLHoldsTheObjects(t *testing.T) {
	t.Parallel()
	at := startPostgres(t)
	const encoded = "p%40ss%2Fword%3A%231"
	cfg := Config{RunDir: runDir(t), Datastore: "postgres://kuscia:" + encoded + "@" + at + "/alice?sslmode=disable"}
	first := start(t, cfg) // kine creates the database
	behaveLikeEtcd(t, first.client)
	want := fill(t, first.client, "pods", 20)
	must(t, first.stop())
	if diff := cmp.Diff(want, content(t, start(t, cfg).client)); diff != "" {
		t.Errorf("objects after a restart (-want +got):\n%s", diff)
	}

	_, err := New(t.Context(), Config{RunDir: runDir(t), Datastore: "postgres://kuscia:wrong-secret@" + at + "/alice?sslmode=disable"})
	if !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "password authentication failed") || strings.Contains(err.Error(), "wrong-secret") {
		t.Errorf("a wrong password: %v", err)
	}
	_, err = New(t.Context(), Config{RunDir: runDir(t), Datastore: "postgres://kuscia:" + encoded + "@" + at + "/alice?sslmode=require"})
	if !errors.Is(err, ErrUnreachable) {
		t.Errorf("TLS wanted from a server without it: %v", err)
	}
}

// startPostgres starts the machine's PostgreSQL in a folder of its own and returns its loopback address.
func startPostgres(t *testing.T) (address string) {
	t.Helper()
	bin := postgresBin()
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
	must(t, os.WriteFile(secret, []byte(postgresPassword), 0o644))
	if out, err := command("initdb", "-D", filepath.Join(dir, "data"), "-U", "kuscia", "-A", "scram-sha-256", "--pwfile", secret, "-N").CombinedOutput(); err != nil {
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
	awaitPostgres(t, address, ended)
	return address
}

func awaitPostgres(t *testing.T, address string, ended chan error) {
	t.Helper()
	ds, err := ParseDatastore(fmt.Sprintf("postgres://kuscia:p%%40ss%%2Fword%%3A%%231@%s/?sslmode=disable", address))
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for ds.reach(ctx, (&Store{}).tlsFiles()) != nil {
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

// postgresBin is the folder of the newest PostgreSQL, empty if there is none.
func postgresBin() string {
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
