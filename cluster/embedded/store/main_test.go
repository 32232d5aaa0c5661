package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"
	"go.uber.org/zap"
)

// helperEnv makes this test binary serve a store until it is killed; its value is "DIR RUNDIR".
const helperEnv = "ENTENTE_TEST_STORE"

func TestMain(m *testing.M) {
	if where, ok := os.LookupEnv(helperEnv); ok {
		if err := serveForParent(where); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// Kine's reader of expired keys never ends if its watch begins while the database is being closed.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/k3s-io/kine/pkg/logstructured.(*LogStructured).Watch.func1"))
}

// serveForParent is what the helper process does.
func serveForParent(where string) error {
	dir, runDir, _ := strings.Cut(where, " ")
	s, err := New(context.Background(), Config{Dir: dir, RunDir: runDir})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		<-s.Ready()
		fmt.Println("ready")
	}()
	return s.Run(ctx)
}

// helper is a process of its own that serves a store.
type helper struct {
	cmd    *exec.Cmd
	client *clientv3.Client
}

// startHelper returns when the helper serves. The helper is killed at the end of the test at the latest.
func startHelper(t testing.TB, dir, runDir string) *helper {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), helperEnv+"="+dir+" "+runDir)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h := &helper{cmd: cmd}
	t.Cleanup(func() { h.kill() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("helper said %q: %v", line, err)
	}
	h.client = dial(t, Endpoint{Servers: []string{"unix://" + filepath.Join(runDir, socketFile)}})
	return h
}

// kill is kill -9; it returns when the process is gone.
func (h *helper) kill() {
	_ = h.cmd.Process.Kill() // it may be gone already
	_ = h.cmd.Wait()         // "signal: killed" is what was wanted
}

// running is a store that runs in this process.
type running struct {
	*Store
	client *clientv3.Client
	stop   func() error // waits for Run and returns its error
}

// start returns when the store serves; it is stopped at the end of the test at the latest.
func start(t testing.TB, cfg Config) *running {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	select {
	case <-s.Ready():
	case err := <-ended:
		cancel()
		t.Fatalf("%s ended before it was ready: %v", s, err)
	}
	srv := &running{Store: s, client: dial(t, s.Endpoint())}
	stopped := false
	srv.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		err := srv.client.Close()
		cancel()
		return errors.Join(err, <-ended)
	}
	t.Cleanup(func() {
		if err := srv.stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return srv
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func dial(t testing.TB, at Endpoint) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: at.Servers, Logger: zap.NewNop(), DialTimeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // a test may have closed it
	return c
}

// runDir is a folder with a short path, as sockets need it.
func runDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "st")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // in the temporary folder of the system
	return dir
}

// create writes key only if it does not exist, as the API server does.
func create(ctx context.Context, c *clientv3.Client, key, value string, opts ...clientv3.OpOption) (rev int64, created bool, err error) {
	r, err := c.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", 0)).Then(clientv3.OpPut(key, value, opts...)).Commit()
	if err != nil {
		return 0, false, err
	}
	return r.Header.Revision, r.Succeeded, nil
}

// update writes key only if it is still at revision rev, as the API server does.
func update(ctx context.Context, c *clientv3.Client, key, value string, rev int64) (*clientv3.TxnResponse, error) {
	return c.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", rev)).
		Then(clientv3.OpPut(key, value)).Else(clientv3.OpGet(key)).Commit()
}

// content is every key under /registry/ except kine's own.
func content(t testing.TB, c *clientv3.Client) map[string]string {
	t.Helper()
	r, err := c.Get(t.Context(), "/registry/", clientv3.WithPrefix())
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, kv := range r.Kvs {
		if string(kv.Key) != "/registry/health" {
			got[string(kv.Key)] = string(kv.Value)
		}
	}
	return got
}

// fill creates n keys under /registry/ with the given prefix.
func fill(t testing.TB, c *clientv3.Client, prefix string, n int) map[string]string {
	t.Helper()
	wrote := make(map[string]string)
	for i := range n {
		key, value := fmt.Sprintf("/registry/%s/%04d", prefix, i), fmt.Sprintf("%s value %d", prefix, i)
		if _, created, err := create(t.Context(), c, key, value); err != nil || !created {
			t.Fatalf("create %s: created %v, %v", key, created, err)
		}
		wrote[key] = value
	}
	return wrote
}
