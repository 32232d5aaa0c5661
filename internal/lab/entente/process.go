// Package entente starts the built binary for tests that need a real API server or the whole product, since no test links
// Kubernetes itself. Everything that it starts ends with the test.
package entente

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/entente-mesh/entente/internal/latest"
)

// patience bounds every wait for a process, so that a hanging one fails its test and not the whole run. It is no measure of speed.
const patience = 2 * time.Minute

// Config says which node to start. The zero value is an autonomy node of domain alice on the embedded API server, in a folder and
// on a port of its own.
type Config struct {
	Binary string // path; "" means Binary()
	Home   string // data folder; "" means a new one of the test
	YAML   string // the configuration file; "" means Autonomy("")

	ConfigFile string // where YAML is written; "" means beside Home
}

// A Process is a running `entente start`.
type Process struct {
	Home       string
	ConfigFile string

	binary string
	cmd    *exec.Cmd
	stderr *buffer
	done   chan struct{}
	err    error // of Wait; written before done is closed
}

// Unmeshed, put under `entente`, keeps a node from running a gateway and a name server: their ports exist once on a machine.
const Unmeshed = "  gateway: {enabled: false}\n  dns: {enabled: false}\n"

// Autonomy returns a configuration file of an autonomy node on a free port, without gateway and name server; more is put under
// `entente.cluster`, a line each.
func Autonomy(domain string, more ...string) string {
	if domain == "" {
		domain = "alice"
	}
	text := "mode: autonomy\ndomainID: " + domain + "\nentente:\n" + Unmeshed + "  cluster:\n    listen: 127.0.0.1:0\n"
	for _, line := range more {
		text += "    " + line + "\n"
	}
	return text
}

// Binary returns the built entente: $ENTENTE_BIN, else bin/entente of this checkout. When it is missing, the error says what makes it.
func Binary() (string, error) { return built("ENTENTE_BIN", "entente", "make build") }

// LiteBinary returns the build without Kubernetes under the race detector: $ENTENTE_LITE_BIN, else bin/entente-lite.
func LiteBinary() (string, error) { return built("ENTENTE_LITE_BIN", "entente-lite", "make lite") }

func built(env, name, remedy string) (string, error) {
	path := os.Getenv(env)
	if path == "" {
		dir, err := os.Getwd()
		if err != nil {
			return "", err
		}
		for !exists(filepath.Join(dir, "go.mod")) && dir != "/" {
			dir = filepath.Dir(dir)
		}
		path = filepath.Join(dir, "bin", name)
	}
	if !exists(path) {
		return "", fmt.Errorf("%s is missing: run `%s` first, or set %s", path, remedy, env)
	}
	return path, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Start starts a node and waits until it is ready. The test fails when it does not come up; the node is killed when the test ends.
func Start(tb testing.TB, cfg Config) *Process {
	tb.Helper()
	p := Launch(tb, cfg)
	if err := p.WaitReady(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return p
}

// Launch starts a node and does not wait for it. The node is killed when the test ends.
func Launch(tb testing.TB, cfg Config) *Process {
	tb.Helper()
	if cfg.Home == "" {
		cfg.Home = filepath.Join(tb.TempDir(), "home")
	}
	p, err := Exec(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Kill)
	return p
}

// Exec starts a node in the given Home. It lives until it is told to stop: for a TestMain that shares one node.
func Exec(cfg Config) (*Process, error) {
	if cfg.Binary == "" {
		binary, err := Binary()
		if err != nil {
			return nil, err
		}
		cfg.Binary = binary
	}
	if cfg.YAML == "" {
		cfg.YAML = Autonomy("")
	}
	if cfg.ConfigFile == "" {
		cfg.ConfigFile = cfg.Home + ".yaml"
	}
	p := &Process{Home: cfg.Home, ConfigFile: cfg.ConfigFile, binary: cfg.Binary, stderr: &buffer{}, done: make(chan struct{})}
	if err := os.WriteFile(p.ConfigFile, []byte(cfg.YAML), 0o600); err != nil {
		return nil, err
	}
	p.cmd = exec.Command(cfg.Binary, "start", "-c", p.ConfigFile, "--home", p.Home)
	p.cmd.Stderr = p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() { // ends with the process
		// The kernel ends the child with the thread that started it, so that one is kept as long as the child lives: a test binary that
		// dies in its time limit leaves nothing behind.
		runtime.LockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.err = p.cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// WaitReady waits until the node says that it is ready. The error of one that does not come up carries its own words.
func (p *Process) WaitReady(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with the process or with the wait
		select {
		case <-p.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	out, err := p.command(ctx, "status", "--wait", "--timeout", patience.String()).CombinedOutput()
	if err != nil {
		return fmt.Errorf("the node did not become ready: %w\n%s\nits own words:\n%s", err, out, p.Stderr())
	}
	return nil
}

// Command returns a command of the same binary for this node, such as Command(tb, "status", "-o", "json").
func (p *Process) Command(tb testing.TB, args ...string) *exec.Cmd {
	return p.command(tb.Context(), args...)
}

func (p *Process) command(ctx context.Context, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, p.binary, append(args, "-c", p.ConfigFile, "--home", p.Home)...)
}

// Output runs such a command and returns what it prints; the test fails when it does.
func (p *Process) Output(tb testing.TB, args ...string) string {
	tb.Helper()
	cmd := p.Command(tb, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("entente %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

// REST returns the administrator's client configuration, with limits that don't slow a test down.
func (p *Process) REST(tb testing.TB) *rest.Config {
	tb.Helper()
	cfg, err := clientcmd.BuildConfigFromFlags("", p.Kubeconfig())
	if err != nil {
		tb.Fatal(err)
	}
	cfg.QPS, cfg.Burst = 1000, 2000
	cfg.WarningHandler = rest.NoWarnings{}
	return cfg
}

// Kubeconfig returns the path of the administrator's kubeconfig.
func (p *Process) Kubeconfig() string { return filepath.Join(p.Home, "etc", "kubeconfig") }

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends the process as a power cut would and waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

// Signal sends the process a signal.
func (p *Process) Signal(tb testing.TB, signal syscall.Signal) {
	tb.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		tb.Fatal(err)
	}
}

// Stop asks the process to stop, as a service manager does, and returns how it ended.
func (p *Process) Stop(tb testing.TB) error {
	tb.Helper()
	p.Signal(tb, syscall.SIGTERM)
	return p.Wait(tb)
}

// Wait waits for the end of the process and returns how it ended: nil for exit code 0.
func (p *Process) Wait(tb testing.TB) error {
	tb.Helper()
	ctx, cancel := context.WithTimeoutCause(tb.Context(), patience, fmt.Errorf("it did not end within %v", patience))
	defer cancel()
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		tb.Fatalf("%v; its own words:\n%s", context.Cause(ctx), p.Stderr())
		return nil
	}
}

// Stderr returns what the process has said so far.
func (p *Process) Stderr() string { return p.stderr.String() }

// AwaitWords waits until the process has said the words on standard error.
func (p *Process) AwaitWords(tb testing.TB, words string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	for {
		said, more := p.stderr.words.Get()
		if strings.Contains(said, words) {
			return
		}
		select {
		case <-more:
		case <-p.done:
			tb.Fatalf("it ended without saying %q; its own words:\n%s", words, p.Stderr())
		case <-ctx.Done():
			tb.Fatalf("it did not say %q within %v; its own words:\n%s", words, patience, p.Stderr())
		}
	}
}

// A buffer may be read, and waited for, while it is written.
type buffer struct {
	mu    sync.Mutex
	buf   bytes.Buffer // guarded by mu
	words latest.Value[string]
}

func (b *buffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, err := b.buf.Write(data)
	b.words.Set(b.buf.String())
	return n, err
}

func (b *buffer) String() string {
	words, _ := b.words.Get()
	return words
}
