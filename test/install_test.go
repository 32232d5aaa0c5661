package test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// `go install` of a release works and knows its version: Go refuses that for a module with replace lines, and nested modules must not be
// needed. The last commit is served from a folder as a proxy would serve it.
func TestAReleaseCanBeInstalled(t *testing.T) {
	t.Parallel()
	const version = "v0.0.1-story"
	release := module.Version{Path: "github.com/entente-mesh/entente", Version: version}
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	proxy := t.TempDir()
	serve(t, filepath.Join(proxy, release.Path, "@v"), root, release)

	bin := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "install", release.Path+"/cmd/...@"+version)
	cmd.Dir = t.TempDir() // outside any module, as a user is
	cmd.Env = append(os.Environ(),
		"GOBIN="+bin, "GOPROXY=file://"+proxy+","+goEnv(t, "GOPROXY"), "GONOSUMDB="+release.Path, "GOFLAGS=-modcacherw", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go install: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "entente"), "version", "-o", "json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Version, Kubernetes string }
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got.Version != version || !strings.HasPrefix(got.Kubernetes, "v1.") {
		t.Errorf("it says %+v, want version %s and the linked Kubernetes", got, version)
	}
}

// serve writes what a module proxy answers about one release.
func serve(t *testing.T, dir, root string, release module.Version) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	if err := zip.CreateFromVCS(&archive, release, root, "HEAD", ""); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"list":                    []byte(release.Version + "\n"),
		release.Version + ".mod":  mod,
		release.Version + ".info": []byte(`{"Version":"` + release.Version + `","Time":"2026-01-01T00:00:00Z"}`),
		release.Version + ".zip":  archive.Bytes(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
