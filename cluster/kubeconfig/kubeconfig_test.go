package kubeconfig

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// apiServer answers as the wanted API server does.
func apiServer(version string, readyz int, checks string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/version", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"major":"1","minor":"0","gitVersion":%q}`, version)
	})
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(readyz)
		io.WriteString(w, checks)
	})
	return mux
}

func answering(code int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
}

// serve starts a TLS server whose log is kept quiet.
func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// kubeconfigFor writes a kubeconfig of one context named here.
func kubeconfigFor(t *testing.T, server string, ca []byte) string {
	t.Helper()
	conf := clientcmdapi.NewConfig()
	conf.Clusters["here"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	conf.AuthInfos["me"] = &clientcmdapi.AuthInfo{Token: "t"}
	conf.Contexts["here"] = &clientcmdapi.Context{Cluster: "here", AuthInfo: "me"}
	conf.CurrentContext = "here"
	file := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*conf, file); err != nil {
		t.Fatal(err)
	}
	return file
}

func certificateOf(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

func TestNewRefusesWithTheRemedy(t *testing.T) {
	t.Parallel()
	write := func(text string) string {
		file := filepath.Join(t.TempDir(), "kubeconfig")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	const two = `{"contexts":[{"name":"b","context":{"cluster":"c"}},{"name":"a","context":{"cluster":"c"}}],"clusters":[{"name":"c","cluster":{"server":"https://x"}}]}`
	cases := []struct {
		name string
		conf Config
		want []string
	}{
		{"no file is named", Config{}, []string{"no kubeconfig is named", "give the path"}},
		{"a missing file", Config{File: "/nowhere/kubeconfig"}, []string{"/nowhere/kubeconfig does not exist", "correct the path"}},
		{"a folder", Config{File: t.TempDir()}, []string{"cannot be read", "is a directory"}},
		{"a file that is no kubeconfig", Config{File: write("hello\n\tworld: [")}, []string{"cannot be read", "fetch it"}},
		{"a file of another kind", Config{File: write(`{"apiVersion":"v1","kind":"Pod"}`)}, []string{"cannot be read"}},
		{"an empty file", Config{File: write("")}, []string{"holds no context"}},
		{"an unknown context", Config{File: write(two), Context: "x"}, []string{`no context "x"`, "name one of a, b"}},
		{"no current context", Config{File: write(two)}, []string{"no current context", "name one of a, b"}},
		{"a context whose user is missing", Config{File: write(strings.ReplaceAll(two, `"cluster":"c"`, `"cluster":"c","user":"u"`)), Context: "a"}, []string{`"u"`, "correct the entry"}},
		{"a context whose cluster is missing", Config{File: write(strings.Replace(two, `"name":"c"`, `"name":"d"`, 1)), Context: "a"}, []string{`"c"`, "correct the entry"}},
		{"a certificate file that is missing", Config{File: write(strings.Replace(two, `"server"`, `"certificate-authority":"gone.crt","server"`, 1)), Context: "a"}, []string{"gone.crt", "correct the entry"}},
		{"a CA that is no certificate", Config{File: write(strings.Replace(two, `"server"`, `"certificate-authority-data":"aGVsbG8=","server"`, 1)), Context: "a"}, []string{"correct the entry"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := New(c.conf)
			if err == nil {
				t.Fatal("New succeeds")
			}
			for _, part := range append(c.want, c.conf.File) {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error %q lacks %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has several lines: %q", err)
			}
		})
	}
}

func TestNewSaysThatAnotherUserOwnsTheFile(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root may read every file")
	}
	file := kubeconfigFor(t, "https://x", nil)
	if err := os.Chmod(file, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{File: file}); err == nil || !strings.Contains(err.Error(), "may not be read by this user") {
		t.Errorf("error %v", err)
	}
}

func TestRunFailsWithReasonAndRemedy(t *testing.T) {
	t.Parallel()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	plain := httptest.NewServer(apiServer("v1.37.2", 200, "ok"))
	t.Cleanup(plain.Close)
	good := serve(t, apiServer("v1.37.2", 200, "ok"))
	cases := []struct {
		name   string
		server string
		ca     []byte
		want   []string
	}{
		{"nobody listens", "https://" + closed.Addr().String(), nil, []string{"refused", "start the cluster"}},
		{"the certificate is of another authority", good.URL, nil, []string{"unknown authority", "fetch the kubeconfig again"}},
		{"the certificate has another name", strings.Replace(good.URL, "127.0.0.1", "localhost", 1), certificateOf(good), []string{"not for localhost"}},
		{"a plain HTTP server", strings.Replace(plain.URL, "http://", "https://", 1), nil, []string{"plain HTTP", "scheme"}},
	}
	for code, want := range map[int][]string{
		401: {"credentials (401)", "fetch the kubeconfig again"}, 403: {"may not read /version (403)", "administrator"},
		404: {"/version answers 404", "address"}, 503: {"/version answers 503"},
	} {
		s := serve(t, answering(code))
		cases = append(cases, struct {
			name   string
			server string
			ca     []byte
			want   []string
		}{fmt.Sprintf("the server answers %d", code), s.URL, certificateOf(s), want})
	}
	for name, c := range map[string]struct {
		h    http.Handler
		want []string
	}{
		"the server is too old":         {apiServer("v1.33.9+k3s1", 200, "ok"), []string{"Kubernetes v1.33.9+k3s1, which is older than v1.34", "upgrade", "embedded"}},
		"the server does not get ready": {apiServer("v1.37.2", 500, "[+]ping ok\n[-]etcd failed: reason withheld\n[-]informer-sync failed\nreadyz check failed"), []string{"not ready: etcd, informer-sync"}},
		"the server is something else":  {http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "<html>") }), []string{"/version does not answer as Kubernetes does"}},
	} {
		s := serve(t, c.h)
		cases = append(cases, struct {
			name   string
			server string
			ca     []byte
			want   []string
		}{name, s.URL, certificateOf(s), c.want})
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := New(Config{File: kubeconfigFor(t, c.server, c.ca)})
			if err != nil {
				t.Fatal(err)
			}
			s.patience = 12 * firstRetry
			err = s.Run(t.Context())
			if err == nil {
				t.Fatal("Run succeeds")
			}
			for _, part := range append(c.want, c.server) {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error %q lacks %q", err, part)
				}
			}
			select {
			case <-s.Ready():
				t.Error("it is ready all the same")
			default:
			}
		})
	}
}

func TestRunBecomesReadyAndEndsWithItsContext(t *testing.T) {
	t.Parallel()
	server := serve(t, apiServer("v1.36.3+k3s1", 200, "ok"))
	s, err := New(Config{File: kubeconfigFor(t, server.URL, certificateOf(server))})
	if err != nil {
		t.Fatal(err)
	}
	if v := s.ServerVersion(); v != (Version{}) {
		t.Errorf("version before Ready: %+v", v)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	<-s.Ready()
	if diff := cmp.Diff(Version{1, 36, "v1.36.3+k3s1"}, s.ServerVersion()); diff != "" {
		t.Errorf("version (-want +got):\n%s", diff)
	}
	conf := s.REST()
	if conf.BearerToken != "t" || conf.Host != server.URL {
		t.Errorf("REST lacks the credentials: %+v", conf)
	}
	conf.Host = "changed"
	if s.REST().Host == "changed" {
		t.Error("REST returns no copy")
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run returned %v", err)
	}
}

// lines keeps the messages of a log.
type lines struct {
	slog.Handler
	mu   sync.Mutex
	text []string
}

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, r.Message)
	return nil
}

func (l *lines) taken() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	taken := l.text
	l.text = nil
	return slices.Clip(taken)
}

// TestRunReportsAChangeOnce runs in a bubble, with a network of pipes, so that hours pass at once.
func TestRunReportsAChangeOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		var asked atomic.Int64
		handler := apiServer("v1.37.2", 200, "ok")
		log := &lines{Handler: slog.NewTextHandler(io.Discard, nil)}
		s := Of("cluster here", &rest.Config{Host: "http://here", Dial: func(context.Context, string, string) (net.Conn, error) {
			asked.Add(1)
			if away.Load() {
				return nil, &net.DNSError{Name: "here", Err: "no such host", IsNotFound: true}
			}
			near, far := net.Pipe()
			go serveOnce(far, handler)
			return near, nil
		}}, slog.New(log))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		<-s.Ready()
		asked.Store(0)
		time.Sleep(time.Hour)
		if n := asked.Load(); n > int64(time.Hour/checkEvery) {
			t.Errorf("a healthy server was asked %d times in an hour", n)
		}
		if got := log.taken(); len(got) != 0 {
			t.Errorf("logged while healthy: %q", got)
		}
		away.Store(true)
		time.Sleep(time.Hour)
		if diff := cmp.Diff([]string{"the API server is away; clients keep trying"}, log.taken()); diff != "" {
			t.Errorf("log of an hour without the server (-want +got):\n%s", diff)
		}
		away.Store(false)
		time.Sleep(time.Hour)
		if diff := cmp.Diff([]string{"the API server is back"}, log.taken()); diff != "" {
			t.Errorf("log of the return (-want +got):\n%s", diff)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
}

// serveOnce answers the requests of one connection.
func serveOnce(conn net.Conn, h http.Handler) {
	l := &single{conn: make(chan net.Conn, 1), done: make(chan struct{})}
	l.conn <- conn
	srv := &http.Server{Handler: h, ConnState: func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			l.Close()
		}
	}}
	_ = srv.Serve(l) // ends with an error when the connection has ended
}

// single is a listener with one connection.
type single struct {
	conn chan net.Conn
	done chan struct{}
	once sync.Once
}

func (l *single) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *single) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *single) Addr() net.Addr { return &net.UnixAddr{Name: "here"} }

func TestExplain(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		err   error
		want  string
		again bool
	}{
		{"an unknown name", &net.OpError{Op: "dial", Err: &net.DNSError{Name: "api.example", Err: "no such host"}}, `"api.example" cannot be resolved`, true},
		{"time ran out", fmt.Errorf("get: %w", context.DeadlineExceeded), "does not answer in time", true},
		{"an expired certificate", &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired}}, "not valid now", false},
		{"a certificate for another use", x509.CertificateInvalidError{Reason: x509.IncompatibleUsage}, "cannot be used", false},
		{"a closed connection", fmt.Errorf("get: %w", io.ErrUnexpectedEOF), "closes the connection", true},
		{"an overloaded server", &answerError{path: "/readyz", code: 429}, "too much to do", true},
		{"something unknown", fmt.Errorf("strange"), "strange", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := explain(c.err)
			if !strings.Contains(got.reason, c.want) || got.again != c.again || got.remedy == "" {
				t.Errorf("explained as %+v, want %q, again %t", got, c.want, c.again)
			}
		})
	}
}
