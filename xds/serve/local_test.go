package serve_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"

	"github.com/entente-mesh/entente/xds/serve"
)

// local starts a server for alice on a unix socket that every user may write to, so that only the server itself keeps others out.
func local(t *testing.T) (*server, *bytes.Buffer) {
	t.Helper()
	folder, err := os.MkdirTemp("", "xds") // t.TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) }) // what is left of a temporary folder harms nobody
	path := filepath.Join(folder, "xds.sock")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{folder: 0o755, path: 0o777} {
		if err := os.Chmod(name, mode); err != nil { //nolint:gosec // open to all on purpose
			t.Fatal(err)
		}
	}
	d := newDomains("alice", "bob")
	d.set(t, "alice", time.Second, "of-alice")
	var log bytes.Buffer // slog's handlers write one line at a time; it is read when the server has ended
	return start(t, d, func(c *serve.Config) {
		c.Listener = listener
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
		c.Authenticator = serve.Local{Domain: "alice"}
	}), &log
}

func TestOurOwnUserIsLetInOverAUnixSocket(t *testing.T) {
	t.Parallel()
	s, _ := local(t)
	c := s.connect(t)
	c.subscribe(nil)
	if diff := cmp.Diff([]string{"of-alice"}, names(c.receive())); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
}

func TestAnotherUserIsNotLetInOverAUnixSocket(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can connect as somebody else")
	}
	s, log := local(t)
	straight := s.dial
	s.dial = func(ctx context.Context) (conn net.Conn, err error) {
		asNobody(t, func() { conn, err = straight(ctx) })
		return conn, err
	}
	c := s.connect(t)
	if got := c.end(); got.Code() != codes.Unavailable {
		t.Errorf("the stream ended with %v, want %v", got, codes.Unavailable)
	}
	s.shutdown()
	if text := log.String(); !strings.Contains(text, "user 65534 connected") || !strings.Contains(text, "run Envoy as that user") {
		t.Errorf("the log does not say who was refused and what to do: %s", text)
	}
}

// asNobody runs f on a thread of its own that has another user; the thread ends with it.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	const nobody = 65534
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the runtime then throws the thread away
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			t.Errorf("become user %d: %v", nobody, errno)
			return
		}
		f()
	}()
	<-done
}

func TestALocalServerNeedsAUnixSocket(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	defer func() { _, _ = ours.Close(), theirs.Close() }() // a pipe's Close never fails
	_, _, err := serve.Local{Domain: "alice"}.Handshake(ours)
	if err == nil || !strings.Contains(err.Error(), "listen on a unix socket") {
		t.Errorf("Handshake returned %v, want an error that says what to do", err)
	}
}
