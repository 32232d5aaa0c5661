package store

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	kinetls "github.com/k3s-io/kine/pkg/tls"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/entente-mesh/entente/internal/version"
)

func TestAStoreSpeaksEtcdAsTheAPIServerUsesIt(t *testing.T) {
	t.Parallel()
	s := start(t, Config{Dir: filepath.Join(t.TempDir(), "store"), RunDir: runDir(t)})
	behaveLikeEtcd(t, s.client)
}

// behaveLikeEtcd checks what the API server relies on.
func behaveLikeEtcd(t *testing.T, c *clientv3.Client) {
	ctx := t.Context()
	const key = "/registry/configmaps/default/a"
	events := c.Watch(ctx, "/registry/configmaps/", clientv3.WithPrefix(), clientv3.WithPrevKV(), clientv3.WithCreatedNotify())
	if first := <-events; !first.Created {
		t.Fatalf("the watch did not begin: %+v", first)
	}
	rev, created, err := create(ctx, c, key, "one")
	if err != nil || !created {
		t.Fatalf("create: created %v, %v", created, err)
	}
	if _, created, err := create(ctx, c, key, "other"); err != nil || created {
		t.Fatalf("a second create of the same key: created %v, %v", created, err)
	}
	updated, err := update(ctx, c, key, "two", rev)
	if err != nil || !updated.Succeeded || updated.Header.Revision <= rev {
		t.Fatalf("update at the current revision: %+v, %v", updated, err)
	}
	stale, err := update(ctx, c, key, "three", rev)
	if err != nil || stale.Succeeded {
		t.Fatalf("update at a stale revision: %+v, %v", stale, err)
	}
	if kvs := stale.Responses[0].GetResponseRange().Kvs; len(kvs) != 1 || string(kvs[0].Value) != "two" || kvs[0].ModRevision != updated.Header.Revision {
		t.Errorf("a refused update does not return the current object: %v", kvs)
	}
	if old, err := c.Get(ctx, key, clientv3.WithRev(rev)); err != nil || len(old.Kvs) != 1 || string(old.Kvs[0].Value) != "one" {
		t.Errorf("read at an old revision: %+v, %v", old, err)
	}
	gone, err := c.Txn(ctx).If(clientv3.Compare(clientv3.ModRevision(key), "=", updated.Header.Revision)).
		Then(clientv3.OpDelete(key)).Else(clientv3.OpGet(key)).Commit()
	if err != nil || !gone.Succeeded {
		t.Fatalf("delete at the current revision: %+v, %v", gone, err)
	}
	want := []string{`PUT  -> "one"`, `PUT "one" -> "two"`, `DELETE "two" -> ""`}
	var got []string
	for len(got) < len(want) {
		for _, e := range (<-events).Events {
			before := ""
			if e.PrevKv != nil {
				before = `"` + string(e.PrevKv.Value) + `"`
			}
			got = append(got, e.Type.String()+" "+before+` -> "`+string(e.Kv.Value)+`"`)
		}
	}
	// A deletion carries the last value or none, depending on the version; the API server reads PrevKv.
	got[2], _, _ = strings.Cut(got[2], " -> ")
	want[2], _, _ = strings.Cut(want[2], " -> ")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("watch (-want +got):\n%s", diff)
	}
	lease, err := c.Grant(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	const event = "/registry/configmaps/default/short-lived"
	if _, created, err := create(ctx, c, event, "x", clientv3.WithLease(lease.ID)); err != nil || !created {
		t.Fatalf("create with a lease: created %v, %v", created, err)
	}
	for expired := false; !expired; {
		select {
		case r := <-events:
			for _, e := range r.Events {
				expired = expired || e.Type == clientv3.EventTypeDelete && string(e.Kv.Key) == event
			}
		case <-time.After(15 * time.Second):
			t.Fatal("a key outlived its lease of one second by fifteen")
		}
	}
}

func TestARestartKeepsEverythingAndLeavesNoLogBehind(t *testing.T) {
	t.Parallel()
	cfg := Config{Dir: filepath.Join(t.TempDir(), "store"), RunDir: runDir(t), Synchronous: "NORMAL"}
	first := start(t, cfg)
	want := fill(t, first.client, "pods", 20)
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{filepath.Join(cfg.Dir, databaseFile+"-wal"), filepath.Join(cfg.RunDir, socketFile)} {
		if _, err := os.Stat(gone); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s after a clean stop: %v, want it gone", gone, err)
		}
	}
	second := start(t, cfg)
	if diff := cmp.Diff(want, content(t, second.client)); diff != "" {
		t.Errorf("objects after a restart (-want +got):\n%s", diff)
	}
}

func TestFilesAndFoldersAreClosedToOthers(t *testing.T) {
	t.Parallel()
	cfg := Config{Dir: filepath.Join(t.TempDir(), "a", "store"), RunDir: filepath.Join(runDir(t), "run")}
	s := start(t, cfg)
	fill(t, s.client, "pods", 1)
	want := map[string]os.FileMode{
		cfg.Dir: 0o700, cfg.RunDir: 0o700,
		filepath.Join(cfg.Dir, databaseFile): 0o600, filepath.Join(cfg.Dir, databaseFile+"-wal"): 0o600,
		filepath.Join(cfg.Dir, markerFile): 0o600, filepath.Join(cfg.Dir, lockFile): 0o600, filepath.Join(cfg.RunDir, socketFile): 0o600,
	}
	got := make(map[string]os.FileMode)
	for path := range want {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		got[path] = info.Mode().Perm()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
}

func TestTheMarkerSaysWhoOpenedTheStore(t *testing.T) {
	t.Parallel()
	cfg := Config{Dir: t.TempDir(), RunDir: runDir(t)}
	old := Marker{Format: 1, Product: "v0.0.1", Kine: "v0.1.0", Created: time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)}
	if err := start(t, cfg).stop(); err != nil {
		t.Fatal(err)
	}
	if err := writeMarker(cfg.Dir, old); err != nil {
		t.Fatal(err)
	}
	start(t, cfg)
	want := &Marker{Format: Format, Product: version.String(), Kine: kineVersion, Created: old.Created}
	got, err := readMarker(cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("marker (-want +got):\n%s", diff)
	}
	module, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if line := "github.com/k3s-io/kine " + kineVersion + "\n"; !strings.Contains(string(module), line) {
		t.Errorf("go.mod does not require %q", line)
	}
}

func TestAStaleSocketIsReplacedAndALiveOneIsNot(t *testing.T) {
	t.Parallel()
	dir := runDir(t)
	socket := filepath.Join(dir, socketFile)
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), Config{Dir: t.TempDir(), RunDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); !errors.Is(err, ErrInUse) {
		t.Errorf("beside a live socket: %v, want ErrInUse", err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false) // as a killed process leaves it
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	fill(t, start(t, Config{Dir: t.TempDir(), RunDir: dir}).client, "pods", 1)
}

func TestOneStoreServesOneProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, Config{Dir: dir, RunDir: runDir(t)})
	_, err := New(t.Context(), Config{Dir: dir, RunDir: runDir(t)})
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "pid ") {
		t.Errorf("a second store in the same folder: %v, want ErrInUse with the process's number", err)
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(runDir(t), strings.Repeat("x", 100))
	tests := []struct {
		name string
		cfg  Config
		want string
	}{
		{"a socket path over 107 bytes", Config{Dir: t.TempDir(), RunDir: long}, "choose a run folder with a shorter path"},
		{"a data folder under a file", Config{Dir: filepath.Join(file, "store"), RunDir: runDir(t)}, "not a directory"},
		{"a data folder whose name SQLite would misread", Config{Dir: filepath.Join(t.TempDir(), "50%"), RunDir: runDir(t)}, "choose another folder"},
		{"an unknown durability", Config{Dir: t.TempDir(), RunDir: runDir(t), Synchronous: "OFF"}, "use FULL or NORMAL"},
		{"a scheme that nobody serves", Config{Dir: t.TempDir(), RunDir: runDir(t), Datastore: "redis://db"}, "datastoreEndpoint"},
		{
			"TLS files that do not exist",
			Config{RunDir: runDir(t), Datastore: "https://127.0.0.1:1", CAFile: "/nowhere/ca.crt"},
			"/nowhere/ca.crt",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			_, err := New(t.Context(), tt.cfg)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("the refusal took %v", took)
			}
		})
	}
}

func TestAFolderOfAnotherUserIsRefusedWithARemedy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o555)); err != nil {
		t.Fatal(err)
	}
	refused := make(chan error)
	go func() {
		if os.Getuid() != 0 {
			refused <- makeWritable(dir)
			return
		}
		runtime.LockOSThread() // root may write everywhere: give this one thread nobody's rights for a moment
		defer runtime.UnlockOSThread()
		err := becomeOnDisk(65534)
		if err == nil {
			err = makeWritable(dir)
		}
		refused <- errors.Join(err, becomeOnDisk(0))
	}()
	if err := <-refused; err == nil || !strings.Contains(err.Error(), "not writable") || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v, want one that names %s as not writable", err, dir)
	}
}

// becomeOnDisk changes the user as which the calling thread touches files.
func becomeOnDisk(uid uintptr) error {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETFSUID, uid, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

func TestAnUnreachableDatastoreIsNamedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0") // a port that was free a moment ago
	if err != nil {
		t.Fatal(err)
	}
	at := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	for name, endpoint := range map[string]string{
		"MySQL":      "mysql://kuscia:hunter2secret@tcp(" + at + ")/kuscia",
		"PostgreSQL": "postgres://kuscia:hunter2secret@" + at + "/kuscia",
		"etcd":       "http://" + at,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			_, err := New(t.Context(), Config{RunDir: runDir(t), Datastore: endpoint})
			if !errors.Is(err, ErrUnreachable) {
				t.Fatalf("error %v, want ErrUnreachable", err)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("a refused connection took %v", took)
			}
			if text := err.Error(); !strings.Contains(text, name) || !strings.Contains(text, at) ||
				!strings.Contains(text, "refused") || strings.Contains(text, "hunter2secret") || strings.Contains(text, "\n") {
				t.Errorf("error %q, want the kind, the address, the reason and no password in one line", text)
			}
		})
	}
}

func TestAnEtcdIsCheckedAndPassedThrough(t *testing.T) {
	t.Parallel()
	cfg := Config{Dir: t.TempDir()}
	s := &Store{cfg: Config{Dir: cfg.Dir, Synchronous: "NORMAL"}}
	endpoint, err := s.prepare()
	if err != nil {
		t.Fatal(err)
	}
	k, err := openKine(t.Context(), endpoint, kinetls.Config{}, slog.New(slog.DiscardHandler)) // kine on TCP is an etcd to its clients
	if err != nil {
		t.Fatal(err)
	}
	defer k.close()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := k.grpcServer()
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(ln) }()
	defer func() { srv.Stop(); <-ended }()

	dead := "http://127.0.0.1:1"
	etcd, err := New(t.Context(), Config{Datastore: dead + ",http://" + ln.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	want := Endpoint{Servers: []string{dead, "http://" + ln.Addr().String()}}
	if diff := cmp.Diff(want, etcd.Endpoint()); diff != "" {
		t.Errorf("endpoint (-want +got):\n%s", diff)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error)
	go func() { ran <- etcd.Run(ctx) }()
	<-etcd.Ready()
	fill(t, dial(t, Endpoint{Servers: want.Servers[1:]}), "pods", 1)
	cancel()
	if err := <-ran; err != nil {
		t.Errorf("run: %v", err)
	}
}
