package proxy_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/entente-mesh/entente/internal/child"
	"github.com/entente-mesh/entente/internal/lab/envoy"
	"github.com/entente-mesh/entente/internal/run"
	"github.com/entente-mesh/entente/xds/proxy"
)

func TestMain(m *testing.M) {
	// A rotating writer leaves one goroutine behind for good, which its library offers no way to end.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"))
}

var _ run.Task = (*proxy.Proxy)(nil)

// patience bounds the waits of these tests; a busy machine needs it.
const patience = 60 * time.Second

// A place is where one Envoy runs, and what it says.
type place struct {
	dir, socket string
	port        int // of the loopback address, too
	binary      proxy.Binary
}

// newPlace makes a private folder and finds the Envoy, or skips the test. What is in the folder at its end is an error: every test ends its
// Envoys by Run or Stop.
func newPlace(t *testing.T) place {
	t.Helper()
	binary, err := proxy.Ask(t.Context(), envoy.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(envoy.Dir(t), "envoy")
	return place{dir: dir, socket: filepath.Join(filepath.Dir(dir), "hello.sock"), port: freePort(t), binary: binary}
}

// freePort finds a port that a hot restart can use twice. Somebody else may take it before, hardly ever.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().(*net.TCPAddr).Port
}

// config is an Envoy that answers every request with the word. Its drains are short.
func (p place) config(word string) proxy.Config {
	return proxy.Config{
		Binary: p.binary, Bootstrap: hello(p, word), Dir: p.dir, Concurrency: 1, Drain: time.Second,
		Log:     child.Log{File: filepath.Join(filepath.Dir(p.dir), "log", "envoy.log")},
		Backoff: run.Backoff{First: time.Millisecond, Most: 50 * time.Millisecond},
	}
}

// A running Proxy.
type running struct {
	*proxy.Proxy
	t    *testing.T
	end  context.CancelFunc
	done chan error
}

// start runs a Proxy until the test ends, or end is called.
func start(t *testing.T, c proxy.Config) *running {
	t.Helper()
	p, err := proxy.New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{Proxy: p, t: t, end: cancel, done: make(chan error, 1)}
	go func() { r.done <- p.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		r.wait()
		if t.Failed() {
			log, err := os.ReadFile(c.Log.File)
			t.Logf("%v\n%s", err, lastLines(string(log), 40))
		}
	})
	return r
}

// stop ends Run and returns what it returned.
func (r *running) stop() error {
	r.end()
	return r.wait()
}

func (r *running) wait() error {
	r.t.Helper()
	select {
	case err := <-r.done:
		r.done <- err
		return err
	case <-time.After(patience):
		r.t.Fatal("Run does not return")
		return nil
	}
}

// awaitReady waits until Envoy is live for the first time.
func (r *running) awaitReady() *running {
	r.t.Helper()
	select {
	case <-r.Ready():
	case err := <-r.done:
		r.done <- err
		r.t.Fatalf("Run returned before it was ready: %v", err)
	case <-time.After(patience):
		s, _ := r.State()
		r.t.Fatalf("not ready within %s: %+v", patience, s)
	}
	return r
}

// await waits for a state.
func (r *running) await(what string, ok func(proxy.State) bool) proxy.State {
	r.t.Helper()
	deadline := time.After(patience)
	for {
		s, changed := r.State()
		if ok(s) {
			return s
		}
		select {
		case <-changed:
		case err := <-r.done:
			r.done <- err
			r.t.Fatalf("%s: Run returned: %v", what, err)
		case <-deadline:
			r.t.Fatalf("%s: not within %s: %+v", what, patience, s)
		}
	}
}

// hello is a bootstrap that answers every request on the place's socket and port by itself.
func hello(p place, word string) []byte {
	const typed = "type.googleapis.com/envoy.extensions.filters."
	type m = map[string]any
	manager := m{
		"@type": typed + "network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "hello",
		"http_filters": []m{{"name": "router", "typed_config": m{"@type": typed + "http.router.v3.Router"}}},
		"access_log": []m{{"name": "file", "typed_config": m{
			"@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog", "path": p.dir + "/../access.log",
		}}},
		"route_config": m{"virtual_hosts": []m{{"name": "all", "domains": []string{"*"}, "routes": []m{
			{"match": m{"prefix": "/"}, "direct_response": m{"status": 200, "body": m{"inline_string": word}}},
		}}}},
	}
	chains := []m{{"filters": []m{{"name": "http", "typed_config": manager}}}}
	text, err := json.Marshal(m{
		"admin": m{"address": m{"pipe": m{"path": proxy.AdminSocket(p.dir), "mode": 0o600}}},
		"static_resources": m{"listeners": []m{
			{"name": "socket", "address": m{"pipe": m{"path": p.socket}}, "filter_chains": chains},
			{"name": "port", "address": m{"socket_address": m{"address": "127.0.0.1", "port_value": p.port}}, "filter_chains": chains},
		}},
	})
	if err != nil {
		panic(err) // maps of strings always marshal
	}
	return text
}

// client makes requests over one connection at a time.
func (p place) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		MaxConnsPerHost: 1,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", p.socket)
		},
	}}
}

func ask(ctx context.Context, c *http.Client) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://hello/", nil)
	if err != nil {
		return "", err
	}
	answer, err := c.Do(request)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return "", err
	}
	if answer.StatusCode != http.StatusOK {
		return "", errors.New(answer.Status)
	}
	return string(body), nil
}

// A load asks without pause until it is stopped.
type load struct {
	stop  context.CancelFunc
	group sync.WaitGroup

	asked    atomic.Int64
	mu       sync.Mutex
	failures []error        // guarded by mu
	words    map[string]int // guarded by mu
}

// startLoad has clients that keep their connection, and clients that make a new one for each request. Half of each use the socket, half the
// port.
func (p place) startLoad(t *testing.T, keep, renew int) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{stop: cancel, words: map[string]int{}}
	t.Cleanup(l.end)
	for i := range keep + renew {
		l.group.Go(func() {
			c := p.client()
			defer c.CloseIdleConnections()
			transport := c.Transport.(*http.Transport)
			transport.DisableKeepAlives = i >= keep
			if i%2 == 1 {
				transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", p.port))
				}
			}
			pace := time.NewTicker(2 * time.Millisecond)
			defer pace.Stop()
			for ctx.Err() == nil {
				word, err := ask(context.WithoutCancel(ctx), c)
				l.asked.Add(1)
				l.mu.Lock()
				if err != nil {
					l.failures = append(l.failures, err)
				}
				l.words[word]++
				l.mu.Unlock()
				select {
				case <-pace.C:
				case <-ctx.Done():
				}
			}
		})
	}
	return l
}

func (l *load) end() {
	l.stop()
	l.group.Wait()
}

// result ends the load and is what became of it.
func (l *load) result() (asked int64, words map[string]int, failures error) {
	l.end()
	return l.asked.Load(), l.words, errors.Join(l.failures...)
}

// mustBeEmpty fails the test when anything of Envoy is left: files in its folder, shared memory, processes.
func (p place) mustBeEmpty(t *testing.T, memory []string) {
	t.Helper()
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	for _, file := range memory {
		if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
			left = append(left, file)
		}
	}
	for _, pid := range p.processes(t) {
		left = append(left, fmt.Sprintf("process %d", pid))
	}
	if len(left) > 0 {
		t.Errorf("left behind: %s", strings.Join(left, ", "))
	}
}

// memory is the shared memory of the Envoys of the place that run now.
func (p place) memory(t *testing.T) []string {
	t.Helper()
	info, err := proxy.NewAdmin(proxy.AdminSocket(p.dir)).ServerInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file := fmt.Sprintf("/dev/shm/envoy_shared_memory_%d", 10*uint64(info.BaseID))
	if _, err := os.Stat(file); err != nil {
		t.Fatalf("a running Envoy has shared memory: %v", err)
	}
	return []string{file}
}

// processes are those whose command line names the place's folder.
func (p place) processes(t *testing.T) []int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(text), p.dir+"/") {
			var pid int
			if _, err := fmt.Sscanf(file, "/proc/%d/", &pid); err != nil {
				t.Fatal(err)
			}
			found = append(found, pid)
		}
	}
	slices.Sort(found)
	return found
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if pid <= 1 {
		t.Fatalf("process %d is none of ours", pid)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
