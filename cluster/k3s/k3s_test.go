package k3s

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/entente-mesh/entente/cluster/embedded/pki"
	"github.com/entente-mesh/entente/cluster/kubeconfig"
	"github.com/entente-mesh/entente/internal/child"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "server" { // as K3s is called, and no test binary
		if err := fakeK3s(os.Args[2:]); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	// A rotating writer leaves one goroutine behind for good, which its library offers no way to end.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"))
}

// fakeK3s does what K3s does as far as its parent sees it: writes the administrator's credentials, and serves on TLS. The
// datastore endpoint fake:VERSION says which version it is, fake:crash makes it fail.
func fakeK3s(args []string) error {
	stop, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	flags := map[string]string{}
	for _, a := range args {
		name, value, _ := strings.Cut(strings.TrimPrefix(a, "--"), "=")
		flags[name] = value
	}
	version := strings.TrimPrefix(os.Getenv("K3S_DATASTORE_ENDPOINT"), "fake:")
	if version == "crash" {
		return errors.New("level=fatal msg=\"the datastore cannot be reached\"")
	}
	token, err := os.ReadFile(flags["token-file"])
	if err != nil {
		return err
	}
	dir := flags["data-dir"]
	p, err := pki.Open(filepath.Join(dir, "pki"), pki.Config{})
	if err != nil {
		return err
	}
	at := layout{dir}
	if err := os.MkdirAll(filepath.Dir(at.tls("x")), 0o700); err != nil {
		return err
	}
	admin := p.AdminTLS()
	seen, err := json.Marshal(map[string]string{"pid": fmt.Sprint(os.Getpid()), "token": string(token)})
	if err != nil {
		return err
	}
	for path, data := range map[string][]byte{
		at.tls("server-ca.crt"): admin.CA, at.tls("client-admin.crt"): admin.Cert, at.tls("client-admin.key"): admin.Key,
		filepath.Join(dir, "seen.json"): seen,
	} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
	}
	return serveFake(stop, p, net.JoinHostPort(flags["bind-address"], flags["https-listen-port"]), version)
}

// serveFake answers as a ready API server until stop ends.
func serveFake(stop context.Context, p *pki.PKI, address, version string) error {
	cert, err := tls.LoadX509KeyPair(p.Files.ServingCert, p.Files.ServingKey)
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(p.Files.ClientCA)
	if err != nil {
		return err
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(ca)
	l, err := tls.Listen("tcp", address, &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients})
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	mux.HandleFunc("/version", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"gitVersion":%q}`, version) })
	server := &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0)}
	context.AfterFunc(stop, func() { server.Close() })
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// fake is the configuration of a fake K3s on a free port.
func fake(t *testing.T, version string) Config {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	listen, err := choose(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	return Config{Binary: self, Dir: filepath.Join(t.TempDir(), "k3s"), Listen: listen, Datastore: "fake:" + version}
}

func seen(t *testing.T, dir string) map[string]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "seen.json"))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	if err := json.Unmarshal(data, &values); err != nil {
		t.Fatal(err)
	}
	return values
}

func TestAChildServesUntilItsContextEnds(t *testing.T) {
	t.Parallel()
	c := fake(t, "v1.36.3+k3s1")
	s, err := start(c, []netip.AddrPort{c.Listen})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	select {
	case <-s.Ready():
	case err := <-done:
		t.Fatal(err)
	}
	if diff := cmp.Diff(kubeconfig.Version{Major: 1, Minor: 36, Full: "v1.36.3+k3s1"}, s.ServerVersion()); diff != "" {
		t.Errorf("version (-want +got):\n%s", diff)
	}
	if _, err := kubeconfig.Of("admin", s.REST(), nil).Probe(t.Context()); err != nil {
		t.Errorf("the administrator's credentials: %v", err)
	}
	if want := "K3s " + c.Listen.String(); s.String() != want {
		t.Errorf("its name is %s, want %s", s, want)
	}
	token := strings.TrimSpace(seen(t, c.Dir)["token"])
	if len(token) != 64 {
		t.Errorf("the random token has %d characters", len(token))
	}
	for _, path := range []string{c.Dir, layout{c.Dir}.token()} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %04o", path, info.Mode().Perm())
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run returned %v", err)
	}
	if err := free(c.Listen); err != nil {
		t.Errorf("the child is still there: %v", err)
	}
}

func TestAChildThatCannotServeIsExplained(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, version string
		want          []string
	}{
		{"one that ends at once, with its last words", "crash", []string{"the datastore cannot be reached", "k3s.log"}},
		{"one that is too old", "v1.33.1+k3s1", []string{"Kubernetes v1.33.1+k3s1, which is older than v1.34", "upgrade"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conf := fake(t, c.version)
			s, err := start(conf, []netip.AddrPort{conf.Listen})
			if err != nil {
				t.Fatal(err)
			}
			err = s.Run(t.Context())
			if err == nil {
				t.Fatal("Run returned nil")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error %q lacks %q", err, part)
				}
			}
			var startError *child.StartError
			if errors.As(err, &startError) != (c.version == "crash") {
				t.Errorf("the error is a %T", err)
			}
		})
	}
}

func TestNewRefusesWithTheRemedy(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { busy.Close() })
	taken := busy.Addr().(*net.TCPAddr).AddrPort()
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name   string
		change func(*Config)
		want   []string
	}{
		{"a program that is not there", func(c *Config) { c.Binary = "/nowhere/k3s" }, []string{"/nowhere/k3s", "no such file", "correct the path"}},
		{"a program that cannot be run", func(c *Config) { c.Binary = plain }, []string{plain, "permission denied"}},
		{"a folder that cannot be made", func(c *Config) { c.Dir = filepath.Join(plain, "k3s") }, []string{plain, "give a folder"}},
		{"a weak token", func(c *Config) { c.Token = "secret" }, []string{"token is unusable", "16 to 1024"}},
		{"a port that is taken", func(c *Config) { c.Listen = taken }, []string{taken.String(), "in use", "choose another port"}},
		{"the last port", func(c *Config) { c.Listen = netip.AddrPortFrom(taken.Addr(), 65535) }, []string{"65535", "lower port"}},
		{"an installed K3s that is not there", func(c *Config) { c.Installed, c.Kubeconfig = true, "/nowhere/k3s.yaml" }, []string{"installed K3s", "/nowhere/k3s.yaml does not exist"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conf := fake(t, "v1.36.3")
			c.change(&conf)
			_, err := New(conf)
			if err == nil {
				t.Fatal("New succeeds")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error %q lacks %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the error tells the token: %q", err)
			}
		})
	}
}

// TestTheProgramIsLookedFor changes the environment, so it runs alone.
func TestTheProgramIsLookedFor(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"k3s", "named", "configured"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cases := []struct {
		name, configured, env, path, want string
	}{
		{"the configured one goes first", filepath.Join(dir, "configured"), filepath.Join(dir, "named"), dir, "configured"},
		{"then K3S_BIN", "", filepath.Join(dir, "named"), dir, "named"},
		{"then k3s on the PATH", "", "", dir, "k3s"},
		{"and else there is none", "", "", "/nowhere", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("K3S_BIN", c.env)
			t.Setenv("PATH", c.path)
			got, err := find(c.configured)
			if c.want == "" {
				if err == nil || !strings.Contains(err.Error(), "install K3s") {
					t.Errorf("found %s, error %v", got, err)
				}
				return
			}
			if want := filepath.Join(dir, c.want); err != nil || got != want {
				t.Errorf("found %s, error %v, want %s", got, err, want)
			}
		})
	}
}

func TestTokenFile(t *testing.T) {
	t.Parallel()
	long, other := strings.Repeat("ab", 16), strings.Repeat("cd", 16)
	cases := []struct {
		name, there, k3s, configured string
		want                         string // "random" for any, "none" for no file
		err                          string
	}{
		{name: "a new cluster gets a random one", want: "random"},
		{name: "a configured one is written", configured: long, want: long},
		{name: "a changed one is replaced", there: other + "\n", configured: long, want: long},
		{name: "the one that is there stays", there: other + "\n", want: other},
		{name: "K3s keeps the one that it made itself", k3s: "K10x::server:y", want: "none"},
		{name: "a configured one goes before that", k3s: "K10x::server:y", configured: long, want: long},
		{name: "an empty file is an error", there: "\n", err: "restore the file"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			at := layout{t.TempDir()}
			for path, text := range map[string]string{at.token(): c.there, at.ownToken(): c.k3s} {
				if text == "" {
					continue
				}
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o644)); err != nil {
					t.Fatal(err)
				}
			}
			path, err := tokenFile(at, c.configured)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want one with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.want == "none" {
				if path != "" {
					t.Errorf("the file is %s, want none", path)
				}
				return
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.TrimSpace(string(data))
			if c.want == "random" && len(got) != 64 || c.want != "random" && got != c.want {
				t.Errorf("the token is %q, want %s", got, c.want)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
		})
	}
}

func TestARealK3s(t *testing.T) {
	t.Parallel()
	if os.Getenv("K3S_BIN") == "" {
		t.Skip("K3S_BIN names no k3s program")
	}
	if out, err := exec.Command(os.Getenv("K3S_BIN"), "--version").CombinedOutput(); err != nil {
		t.Fatalf("K3S_BIN --version: %v: %s", err, out)
	}
	listen, err := choose(netip.MustParseAddr("127.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{Dir: filepath.Join(t.TempDir(), "k3s"), Listen: listen})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	select {
	case <-s.Ready():
	case err := <-done:
		t.Fatal(err)
	}
	if s.ServerVersion().Before(kubeconfig.Oldest()) {
		t.Errorf("version %s", s.ServerVersion())
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run returned %v", err)
	}
}
