//go:build lite

package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhereTheDataFolderIs(t *testing.T) {
	tests := map[string]struct {
		flag, env, configured string
		want                  string
	}{
		"the flag wins":                             {"/flag", "/env", "/configured", "/flag"},
		"then the environment":                      {"", "/env", "/configured", "/env"},
		"then the configuration":                    {"", "", "/configured", "/configured"},
		"else the user's place for data, by domain": {"", "", "", "/xdg/entente/alice"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Setenv("ENTENTE_HOME", tt.env)
			t.Setenv("XDG_DATA_HOME", "/xdg")
			if isDir(legacyHome) && tt.want == "/xdg/entente/alice" {
				tt.want = legacyHome
			}
			got, err := findHome(tt.flag, tt.configured, "alice")
			if err != nil || got.dir != tt.want {
				t.Errorf("findHome = %q, %v, want %q", got.dir, err, tt.want)
			}
		})
	}
}

func TestSocketsFitHoweverLongTheHome(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"/h", "/" + strings.Repeat("long/", 60)} {
		if path := (home{dir: dir}).control(); len(path) > 107 {
			t.Errorf("%d bytes: %s", len(path), path)
		}
	}
}

func TestAFolderIsTakenOnce(t *testing.T) {
	t.Parallel()
	h := home{dir: filepath.Join(t.TempDir(), "home")}
	if err := h.create(); err != nil {
		t.Fatal(err)
	}
	lock, err := h.lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.lock(); !errors.Is(err, errLocked) {
		t.Errorf("a second lock: %v, want %v", err, errLocked)
	}
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	if again, err := h.lock(); err != nil {
		t.Errorf("after it was given back: %v", err)
	} else if err := again.Close(); err != nil {
		t.Error(err)
	}
}

func TestAnIdentityIsMadeOnce(t *testing.T) {
	t.Parallel()
	h := home{dir: filepath.Join(t.TempDir(), "home")}
	if err := h.create(); err != nil {
		t.Fatal(err)
	}
	first, err := h.ownIdentity()
	if err != nil {
		t.Fatal(err)
	}
	second, err := h.ownIdentity()
	if err != nil || first != second || first == "" {
		t.Errorf("identity %q, then %q, %v", first, second, err)
	}
}

func TestAFolderThatOthersCanWriteIsNoRunFolder(t *testing.T) {
	t.Parallel()
	h := home{dir: filepath.Join(t.TempDir(), "home")}
	if err := h.create(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(h.run(), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := h.createRun(); err == nil {
		t.Error("it was accepted")
	}
}
