package proxy

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// program writes a script that answers like an Envoy of a version.
func program(t *testing.T, dir, version string) string {
	t.Helper()
	return script(t, dir, `case "$1" in --version) echo; echo "$0  version: 9e55/`+version+`/Clean/RELEASE/BoringSSL";; --hot-restart-version) printf 11.104;; esac`)
}

func script(t *testing.T, dir, body string) string {
	t.Helper()
	path := filepath.Join(dir, "envoy")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+body+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func nothingOnPath(string) (string, error) { return "", exec.ErrNotFound }

func TestTheEnvoyIsTheOneThatIsNamedNearest(t *testing.T) {
	t.Parallel()
	at := map[string]string{}
	for where, version := range map[string]string{"configured": "1.40.1", "env": "1.40.2", "beside": "1.40.3", "path": "1.40.4"} {
		at[where] = program(t, t.TempDir(), version)
	}
	all := places{
		configured: at["configured"], env: at["env"],
		self:   func() (string, error) { return filepath.Join(filepath.Dir(at["beside"]), "entente"), nil },
		onPath: func(string) (string, error) { return at["path"], nil },
	}
	for _, c := range []struct {
		name    string
		forget  func(*places)
		version string
	}{
		{"the configuration comes first", func(*places) {}, "1.40.1"},
		{"then the environment", func(p *places) { p.configured = "" }, "1.40.2"},
		{"then the program beside this one", func(p *places) { p.configured, p.env = "", "" }, "1.40.3"},
		{"then PATH", func(p *places) {
			p.configured, p.env = "", ""
			p.self = func() (string, error) { return "/nowhere/entente", nil }
		}, "1.40.4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := all
			c.forget(&p)
			b, err := p.find(t.Context())
			if err != nil || b.Version.String() != c.version || b.HotRestart != "11.104" || b.Build != "9e55/"+c.version+"/Clean/RELEASE/BoringSSL" {
				t.Errorf("got %+v, %v, want version %s", b, err, c.version)
			}
		})
	}
}

func TestAnEnvoyThatCannotBeUsedIsRefusedWithTheRemedy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		path string
		want []string
	}{
		"one that is too old":         {program(t, t.TempDir(), "1.36.3"), []string{"is Envoy 1.36.3", "1.36.4 is the oldest", "leave the gateway open"}},
		"one before the oldest":       {program(t, t.TempDir(), "1.36.4-dev"), []string{"is Envoy 1.36.4-dev"}},
		"another program":             {script(t, t.TempDir(), "echo hello"), []string{`"hello\n"`}},
		"one that fails":              {script(t, t.TempDir(), "exit 3"), []string{"--version: exit status 3"}},
		"one that is not there":       {"/nowhere/envoy", []string{"/nowhere/envoy", "no such file"}},
		"one that cannot be executed": {plain, []string{"permission denied"}},
		"a folder":                    {dir, []string{"permission denied"}},
		"one that writes without end": {script(t, t.TempDir(), "head -c 10000000 /dev/zero | tr '\\0' x"), []string{"is not what an Envoy says"}},
		"one that lacks hot restarts": {script(t, t.TempDir(), `[ "$1" = --version ] && echo " version: 9e/1.40.0/Clean"`), []string{"--hot-restart-version"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := places{configured: c.path, onPath: nothingOnPath}.find(t.Context())
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range append(c.want, "named by configuration", "install Envoy 1.36.4 or newer") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q does not say %q", err, want)
				}
			}
		})
	}
}

func TestWithoutAnyEnvoyTheErrorSaysWhereOneMayBe(t *testing.T) {
	t.Parallel()
	_, err := places{self: os.Executable, onPath: nothingOnPath}.find(t.Context())
	if err == nil || !strings.Contains(err.Error(), "install Envoy 1.36.4") || !strings.Contains(err.Error(), Env) {
		t.Errorf("got %v", err)
	}
}

// A program that hangs is not waited for; here the caller's patience ends, as ours would.
func TestAProgramThatHangsIsEnded(t *testing.T) {
	t.Parallel()
	path := script(t, t.TempDir(), "sleep 1000")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Ask(ctx, path); err == nil || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("got %v, want that it does not answer", err)
	}
}
