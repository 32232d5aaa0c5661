package proxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Env is the environment variable that names the Envoy to use when the configuration does not.
const Env = "ENVOY"

// askTimeout bounds the time in which a program must say its version. Envoy needs 30 ms.
const askTimeout = 10 * time.Second

// maxAnswer bounds what is read of a program's words about itself.
const maxAnswer = 64 << 10

// A Binary is an Envoy that was asked for its version and is accepted.
type Binary struct {
	Path    string // absolute
	Version Version
	Build   string // names the build: a program that was replaced at the same path has another one
	// HotRestart is what two builds must have in common for one to take over from the other without a pause.
	HotRestart string
}

// String is the version and where it was found.
func (b Binary) String() string { return fmt.Sprintf("Envoy %s (%s)", b.Version, b.Path) }

// Find returns the Envoy to use: the configured one, else the one that the environment variable Env names, else `envoy` beside this
// program or on PATH. A named one that cannot be used is an error: nothing else is taken in its place.
func Find(ctx context.Context, configured string) (Binary, error) {
	return places{configured: configured, env: os.Getenv(Env), self: os.Executable, onPath: exec.LookPath}.find(ctx)
}

// places are where an Envoy may be.
type places struct {
	configured, env string
	self            func() (string, error)
	onPath          func(string) (string, error)
}

func (p places) find(ctx context.Context) (Binary, error) {
	for _, named := range []struct{ path, by string }{{p.configured, "configuration"}, {p.env, Env}} {
		if named.path == "" {
			continue
		}
		b, err := Ask(ctx, named.path)
		if err != nil {
			return Binary{}, fmt.Errorf("%w (named by %s)", err, named.by)
		}
		return b, nil
	}
	if self, err := p.self(); err == nil {
		if beside := filepath.Join(filepath.Dir(self), "envoy"); isProgram(beside) {
			return Ask(ctx, beside)
		}
	}
	path, err := p.onPath("envoy")
	if err != nil {
		return Binary{}, fmt.Errorf("there is no envoy beside this program or on PATH: install Envoy %s or newer, or name it by the configuration or %s", Minimum(), Env)
	}
	return Ask(ctx, path)
}

// Ask asks a program for its version, and refuses what is no Envoy or too old.
func Ask(ctx context.Context, path string) (Binary, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Binary{}, fmt.Errorf("program %s: %w", path, err)
	}
	remedy := fmt.Sprintf("install Envoy %s or newer there, or name another one by the configuration or %s", Minimum(), Env)
	output, err := ask(ctx, path, "--version")
	if err != nil {
		return Binary{}, fmt.Errorf("program %s: %w: %s", path, err, remedy)
	}
	version, build, err := parseVersion(output)
	if err != nil {
		return Binary{}, fmt.Errorf("program %s: %w: %s", path, err, remedy)
	}
	if version.Before(Minimum()) {
		return Binary{}, fmt.Errorf("program %s is Envoy %s, but %s is the oldest that is accepted, since older ones may leave the gateway open: %s",
			path, version, Minimum(), remedy)
	}
	hotRestart, err := ask(ctx, path, "--hot-restart-version")
	if err != nil {
		return Binary{}, fmt.Errorf("program %s: %w: %s", path, err, remedy)
	}
	return Binary{Path: path, Version: version, Build: build, HotRestart: strings.TrimSpace(hotRestart)}, nil
}

// ask runs a program with one argument, no environment and bounded patience.
func ask(ctx context.Context, path, argument string) (string, error) {
	if path == "" {
		return "", errors.New("no path")
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var answer bytes.Buffer
	cmd := exec.CommandContext(ctx, path, argument)
	cmd.Env = []string{}
	cmd.Stdout = &bounded{to: &answer, left: maxAnswer}
	cmd.WaitDelay = time.Second // for a child of its own that keeps the output open
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("no answer to %s within %s", argument, askTimeout)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return "", fmt.Errorf("cannot be run: %w", errors.Unwrap(err))
	case err != nil:
		return "", fmt.Errorf("%s: %w", argument, err)
	}
	return answer.String(), nil
}

// bounded passes on the first bytes and swallows the rest.
type bounded struct {
	to   io.Writer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), b.left)
	b.left -= n
	if _, err := b.to.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}

func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
