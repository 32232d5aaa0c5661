package pki

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"k8s.io/client-go/util/keyutil"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func at(t time.Time) func() time.Time { return func() time.Time { return t } }

func open(t testing.TB, dir string, c Config) *PKI {
	t.Helper()
	p, err := Open(dir, c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// content reads every file of the folder.
func content(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	return files
}

// changed lists the files that differ between two contents.
func changed(before, after map[string]string) []string {
	var names []string
	for name, data := range after {
		if before[name] != data {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

var everyLeaf = []string{"admin.pem", "apiserver.pem", "controller-manager.pem", "front-proxy-client.pem", "kubelet-client.pem", "scheduler.pem"}

func TestAFreshFolderHoldsEverythingPrivately(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "pki")
	p := open(t, dir, Config{})
	want := append(slices.Clone(everyLeaf), "client-ca.crt", "client-ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "server-ca.crt", "server-ca.key", "service-account.key")
	slices.Sort(want)
	if diff := cmp.Diff(want, changed(nil, content(t, dir))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for _, name := range append(want, ".") {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %04o", name, info.Mode().Perm())
		}
	}
	if problems := p.Problems(); len(problems) != 0 {
		t.Errorf("a fresh folder has problems: %q", problems)
	}
}

func TestASecondOpenWritesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir, Config{SANs: []string{"alice.example"}})
	before := content(t, dir)
	open(t, dir, Config{SANs: []string{"alice.example"}})
	if names := changed(before, content(t, dir)); names != nil {
		t.Errorf("changed: %q", names)
	}
}

// TestKubernetesReadsTheServiceAccountKey uses the two readers behind the flags: signing takes the private half, checking the
// public one.
func TestKubernetesReadsTheServiceAccountKey(t *testing.T) {
	t.Parallel()
	file := open(t, filepath.Join(t.TempDir(), "pki"), Config{}).Files.ServiceAccountKey
	private, err := keyutil.PrivateKeyFromFile(file)
	if err != nil {
		t.Fatal(err)
	}
	public, err := keyutil.PublicKeysFromFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(public) != 1 || !private.(*ecdsa.PrivateKey).PublicKey.Equal(public[0]) {
		t.Errorf("the public keys %v are not the private key's own", public)
	}
}

func TestTheCertificatesWorkOverTLS(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir(), Config{SANs: []string{"alice.example"}, IPs: []netip.Addr{netip.MustParseAddr("10.96.0.1")}})
	cases := []struct {
		name, server, cert, user string
		groups                   []string
		fails                    bool
	}{
		{name: "the administrator is in system:masters", server: "localhost", cert: p.Files.AdminCert, user: "kubernetes-admin", groups: []string{"system:masters"}},
		{name: "the controller-manager has its own user and no group", server: "10.96.0.1", cert: p.Files.ControllerManagerCert, user: "system:kube-controller-manager"},
		{name: "the scheduler has its own user and no group", server: "alice.example", cert: p.Files.SchedulerCert, user: "system:kube-scheduler"},
		{name: "the API server calls nodes without a group", server: "kubernetes.default.svc", cert: p.Files.KubeletClientCert, user: "kube-apiserver-kubelet-client"},
		{name: "a name that was not asked for is refused", server: "mallory.example", cert: p.Files.AdminCert, fails: true},
		{name: "the serving certificate is no client", server: "localhost", cert: p.Files.ServingCert, fails: true},
		{name: "the front proxy is no client of the API server", server: "localhost", cert: p.Files.FrontProxyCert, fails: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			peer, err := handshake(t, p, c.server, c.cert)
			if c.fails {
				if err == nil {
					t.Error("the handshake succeeds")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(append([]string{c.user}, c.groups...), append([]string{peer.Subject.CommonName}, peer.Subject.Organization...)); diff != "" {
				t.Errorf("user and groups (-want +got):\n%s", diff)
			}
		})
	}
}

// handshake connects with a client certificate and returns what the server saw.
func handshake(t *testing.T, p *PKI, server, clientFile string) (*x509.Certificate, error) {
	t.Helper()
	pool := func(file string) *x509.CertPool {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(data)
		return pool
	}
	load := func(cert, key string) []tls.Certificate {
		c, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		return []tls.Certificate{c}
	}
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	s := tls.Server(a, &tls.Config{Certificates: load(p.Files.ServingCert, p.Files.ServingKey), ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool(p.Files.ClientCA)})
	c := tls.Client(b, &tls.Config{Certificates: load(clientFile, clientFile), RootCAs: pool(p.Files.ServerCA), ServerName: server})
	done := make(chan error, 1)
	go func() {
		err := c.Handshake()
		if err == nil {
			_, err = c.Read(make([]byte, 1)) // TLS 1.3 reports a refused client certificate here
		}
		b.Close() //nolint:errcheck // ends the server's side
		done <- err
	}()
	err := s.Handshake()
	state := s.ConnectionState()
	a.Close() //nolint:errcheck // ends the client's read
	clientErr := <-done
	if err != nil {
		return nil, err
	}
	if len(state.PeerCertificates) == 0 {
		return nil, clientErr
	}
	return state.PeerCertificates[0], nil
}

func TestOpenRenews(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(t *testing.T, dir string) Config
		want   []string
	}{
		{"everything when a third of the life is left", func(*testing.T, string) Config { return Config{Now: at(born.Add(250 * day))} }, everyLeaf},
		{"everything after it ended", func(*testing.T, string) Config { return Config{Now: at(born.Add(3 * 365 * day))} }, everyLeaf},
		{"nothing after half of the life", func(*testing.T, string) Config { return Config{Now: at(born.Add(180 * day))} }, nil},
		{"the serving certificate when a name is added", func(*testing.T, string) Config {
			return Config{Now: at(born), SANs: []string{"bob.example"}}
		}, []string{"apiserver.pem"}},
		{"a removed certificate", func(t *testing.T, dir string) Config {
			remove(t, dir, "scheduler.pem")
			return Config{Now: at(born)}
		}, []string{"scheduler.pem"}},
		{"what a removed authority had signed", func(t *testing.T, dir string) Config {
			remove(t, dir, "client-ca.crt", "client-ca.key")
			return Config{Now: at(born)}
		}, []string{"admin.pem", "client-ca.crt", "client-ca.key", "controller-manager.pem", "kubelet-client.pem", "scheduler.pem"}},
		{"only the authority's certificate when its key is still there", func(t *testing.T, dir string) Config {
			remove(t, dir, "client-ca.crt")
			return Config{Now: at(born)}
		}, []string{"client-ca.crt"}},
		{"a lost service-account key", func(t *testing.T, dir string) Config {
			remove(t, dir, "service-account.key")
			return Config{Now: at(born)}
		}, []string{"service-account.key"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			open(t, dir, Config{Now: at(born)})
			before := content(t, dir)
			open(t, dir, c.change(t, dir))
			if diff := cmp.Diff(c.want, changed(before, content(t, dir))); diff != "" {
				t.Errorf("renewed files (-want +got):\n%s", diff)
			}
		})
	}
}

func remove(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, n := range names {
		if err := os.Remove(filepath.Join(dir, n)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenRefusesWithTheRemedy(t *testing.T) {
	t.Parallel()
	write := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	other := t.TempDir()
	open(t, other, Config{Now: at(born)})
	foreign := content(t, other)
	certOf := func(s string) string { c, _, _ := strings.Cut(s, "-----BEGIN PRIVATE"); return c }
	keyOf := func(s string) string { _, k, _ := strings.Cut(s, "-----END CERTIFICATE-----\n"); return k }
	cases := []struct {
		name  string
		spoil func(t *testing.T, dir string)
		now   time.Time
		want  []string
	}{
		{"a corrupt authority certificate", write("server-ca.crt", "rubbish"), born, []string{"server-ca.crt", "no PEM certificate", "restore"}},
		{"a corrupt authority key", write("server-ca.key", "rubbish"), born, []string{"server-ca.key", "no PEM private key", "restore"}},
		{"an authority certificate of another key", write("client-ca.crt", foreign["client-ca.crt"]), born, []string{"client-ca.crt does not belong to the key", "restore both"}},
		{"an authority whose key is missing", func(t *testing.T, dir string) { remove(t, dir, "client-ca.key") }, born, []string{"client-ca.key is missing", "restore"}},
		{"a truncated certificate", write("admin.pem", foreign["admin.pem"][:300]), born, []string{"admin.pem", "remove the file"}},
		{"a certificate beside another one's key", write("admin.pem", certOf(foreign["admin.pem"])+keyOf(foreign["scheduler.pem"])), born, []string{"admin.pem", "does not match", "remove the file"}},
		{"a leaf in the place of an authority", func(t *testing.T, dir string) {
			write("server-ca.crt", certOf(foreign["admin.pem"]))(t, dir)
			write("server-ca.key", keyOf(foreign["admin.pem"]))(t, dir)
		}, born, []string{"server-ca", "not an authority's"}},
		{"an oversized file", write("service-account.key", strings.Repeat("x", maxFile+1)), born, []string{"service-account.key", "larger than"}},
		{"a link in the place of a file", func(t *testing.T, dir string) {
			remove(t, dir, "admin.pem")
			if err := os.Symlink(filepath.Join(other, "admin.pem"), filepath.Join(dir, "admin.pem")); err != nil {
				t.Fatal(err)
			}
		}, born, []string{"admin.pem is not a plain file"}},
		{"an ended authority", func(*testing.T, string) {}, born.Add(11 * 365 * day), []string{"server-ca", "ended on 2035-12-30", "remove server-ca.crt and server-ca.key"}},
		{"a clock before the authority's start", func(*testing.T, string) {}, born.Add(-day), []string{"set the clock"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			open(t, dir, Config{Now: at(born)})
			c.spoil(t, dir)
			_, err := Open(dir, Config{Now: at(c.now)})
			if err == nil {
				t.Fatal("Open succeeds")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error %q lacks %q", err, part)
				}
			}
		})
	}
}

func TestWideModesAreRepairedAndSaid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open(t, dir, Config{})
	key := filepath.Join(dir, "server-ca.key")
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	open(t, dir, Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	for path, want := range map[string]os.FileMode{key: 0o600, dir: 0o700} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %04o, want %04o", path, got, want)
		}
		if !strings.Contains(log.String(), "file="+path+" was=0") {
			t.Errorf("the log does not name %s:\n%s", path, log.String())
		}
	}
}

func TestWhatACrashLeftIsSwept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	left := filepath.Join(dir, temporary+"123")
	if err := os.WriteFile(left, []byte("half a ke"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, dir, Config{})
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", left, err)
	}
}

func TestRunRenewsWhileTheProcessLives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := open(t, dir, Config{})
		before, admin := content(t, dir), p.AdminTLS()
		if want := time.Now().Add(-skew).Add((leafLife + skew) * 2 / 3); p.NextRenewal().Sub(want).Abs() > time.Minute {
			t.Errorf("next renewal at %s, want %s", p.NextRenewal(), want)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		<-p.Ready()
		time.Sleep(time.Until(p.NextRenewal()) - lookAgain)
		synctest.Wait()
		if names := changed(before, content(t, dir)); names != nil {
			t.Errorf("renewed too early: %q", names)
		}
		time.Sleep(2 * lookAgain)
		synctest.Wait()
		if diff := cmp.Diff(everyLeaf, changed(before, content(t, dir))); diff != "" {
			t.Errorf("renewed files (-want +got):\n%s", diff)
		}
		if bytes.Equal(admin.Cert, p.AdminTLS().Cert) || bytes.Equal(admin.Key, p.AdminTLS().Key) {
			t.Error("AdminTLS still returns the old certificate or key")
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestAFailedRenewalKeepsTheOldFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := open(t, dir, Config{Now: at(born)})
	before := content(t, dir)
	away := dir + "-away"
	if err := os.Rename(dir, away); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Renew(born.Add(300 * day)); err == nil || !strings.Contains(err.Error(), "apiserver.pem") {
		t.Errorf("error %v, want one that names apiserver.pem", err)
	}
	if names := changed(before, content(t, away)); names != nil {
		t.Errorf("changed: %q", names)
	}
	if err := os.Rename(away, dir); err != nil {
		t.Fatal(err)
	}
	renewed, err := p.Renew(born.Add(300 * day))
	if err != nil || len(renewed) != len(everyLeaf) {
		t.Errorf("the next try renewed %q with %v", renewed, err)
	}
}

func FuzzParsePair(f *testing.F) {
	dir := f.TempDir()
	open(f, dir, Config{Now: at(born)})
	for _, data := range content(f, dir) {
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := parsePair(data); err == nil && (p.cert == nil || len(p.keyPEM) == 0) {
			t.Error("accepted without a certificate or key")
		}
		if c, err := parseCertificate(data); err == nil && c == nil {
			t.Error("accepted without a certificate")
		}
		if k, err := parseKey(data); err == nil && k == nil {
			t.Error("accepted without a key")
		}
	})
}

func BenchmarkOpenFresh(b *testing.B) {
	b.ReportAllocs()
	root := b.TempDir()
	for b.Loop() {
		dir, err := os.MkdirTemp(root, "")
		if err != nil {
			b.Fatal(err)
		}
		open(b, dir, Config{})
	}
}
