package fleet

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/entente-mesh/entente/auth/issue"
	"github.com/entente-mesh/entente/auth/keys"
	"github.com/entente-mesh/entente/internal/lab/entente"
	"github.com/entente-mesh/entente/internal/lab/envoy"
)

// serverName is the DNS name of every server here.
const serverName = "fleet.test"

// A fleet is one `entente gateway` with its folders. It can be stopped or killed and started again at the same address.
type fleet struct {
	dir     string // short, for unix sockets
	binary  string
	address string // of the running process, and of the next

	cmd   *exec.Cmd
	ended chan struct{} // closed when the process has ended, after err was set
	err   error
	said  *words
}

// A words is what a process says, and may be read while it speaks.
type words struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(p)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// newFleet prepares a fleet without domains. It is not started.
func newFleet(t *testing.T) *fleet {
	t.Helper()
	binary, err := entente.LiteBinary()
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{dir: envoy.Dir(t), binary: binary, address: "127.0.0.1:0", said: &words{}}
	if err := os.Mkdir(f.domains(), 0o700); err != nil {
		t.Fatal(err)
	}
	f.certify(t)
	return f
}

// certify gives the server a new certificate, of a new authority.
func (f *fleet) certify(t *testing.T) *x509.Certificate {
	t.Helper()
	key, err := keys.GeneratePrivate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	terms := issue.Terms{Now: time.Now(), Lifetime: time.Hour, Rand: rand.Reader}
	authority, err := issue.NewAuthority(key, "fleet", terms)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := authority.Issue(&key.PublicKey, issue.Server("fleet", []string{serverName}, nil), terms)
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.at("ca.crt"), issue.EncodeCertificate(authority.Certificate()))
	write(t, f.at("tls.crt"), issue.EncodeCertificate(certificate))
	write(t, f.at("tls.key"), pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	return certificate
}

func (f *fleet) at(name string) string { return filepath.Join(f.dir, name) }
func (f *fleet) domains() string       { return f.at("domains") }
func (f *fleet) home() string          { return f.at("home") }

func write(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// start starts the process and waits until it is ready. It is killed when the test ends.
func (f *fleet) start(t *testing.T) {
	t.Helper()
	f.cmd = exec.Command(f.binary, "gateway", "--listen", f.address, "--kubeconfig", node.Kubeconfig(), "--domains", f.domains(),
		"--certificate", f.at("tls.crt"), "--key", f.at("tls.key"), "--home", f.home(), "--metrics", "127.0.0.1:0")
	f.cmd.Stderr = f.said
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	f.ended = make(chan struct{})
	started := make(chan error, 1)
	go func() { // ends with the process; the cleanup waits for that
		runtime.LockOSThread() // the kernel ends the process with the thread that started it
		err := f.cmd.Start()
		started <- err
		if err == nil {
			f.err = f.cmd.Wait()
			close(f.ended)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.kill()
		if strings.Contains(f.said.String(), "DATA RACE") {
			t.Error("the race detector has found something in the fleet")
		}
		if t.Failed() {
			t.Logf("the fleet's own words:\n%s", f.said)
		}
	})
	await(t, func(ctx context.Context) error {
		s, err := f.status(ctx)
		if err == nil && s.State != "ready" {
			err = fmt.Errorf("the fleet is %s: %+v", s.State, s)
		}
		select {
		case <-f.ended:
			t.Fatalf("the fleet ended: %v", f.err)
		default:
		}
		f.address = s.Listen
		return err
	})
}

// kill ends the process as a power cut would.
func (f *fleet) kill() {
	_ = f.cmd.Process.Kill() // it may have ended
	<-f.ended
}

// stop ends the process as a service manager does.
func (f *fleet) stop(t *testing.T) {
	t.Helper()
	if err := f.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-f.ended
	if f.err != nil {
		t.Fatalf("the fleet did not stop in order: %v", f.err)
	}
}

// A picture is what these tests read of `entente gateway status -o json`.
type picture struct {
	Listen, State string
	Streams       int
	Pending       int
	Parts         []struct{ Name string }
	Types         []struct {
		Type          string
		Pushes, Bytes uint64
		Rejections    uint64
	}
	Domains []struct {
		Name, State, Error string
		Gateways           []struct{ Name, Doors, Reason string }
	}
}

// bytes are all that were sent of a type.
func (s *picture) bytes() (sum uint64) {
	for _, t := range s.Types {
		sum += t.Bytes
	}
	return sum
}

// doors are what is known of a gateway's doors.
func (s *picture) doors(domain, gateway string) (doors, reason string) {
	for _, d := range s.Domains {
		for _, g := range d.Gateways {
			if d.Name == domain && g.Name == gateway {
				return g.Doors, g.Reason
			}
		}
	}
	return "", ""
}

// status asks the process over the socket that the command uses.
func (f *fleet) status(ctx context.Context) (s picture, err error) {
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(f.home(), "var", "run", "control.sock"))
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://entente/status", nil)
	if err != nil {
		return s, err
	}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return s, err
	}
	defer answer.Body.Close()
	return s, json.NewDecoder(answer.Body).Decode(&s)
}

// run runs a command of the binary and returns what it prints.
func (f *fleet) run(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, complaint bytes.Buffer
	cmd := exec.CommandContext(t.Context(), f.binary, args...)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), complaint.String(), cmd.ProcessState.ExitCode()
}
