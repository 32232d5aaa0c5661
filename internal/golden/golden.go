// Package golden compares what a test made with what was agreed on, kept in files beside the test.
//
// A case is one txtar archive: a comment that says what it shows, the files in/* that the code under test is given, and
// the files out/* that it must make of them. With GOLDEN_UPDATE=1 in the environment the agreed files are rewritten; read
// the difference like code before you commit it. It is a variable and not a flag, so that one run can update all packages,
// whether they keep golden files or not.
package golden

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// Env is the environment variable that makes Dir and File rewrite what they would compare with, when it is "1".
const Env = "GOLDEN_UPDATE"

const (
	in  = "in/"
	out = "out/"
)

// A Make is the code under test: it turns the case's input files into output files, both named without in/ and out/.
// It reports what goes wrong on t and must be safe to be called by several tests at once.
type Make func(t testing.TB, in map[string][]byte) map[string][]byte

// Dir runs every *.txtar of the folder as a parallel subtest named after the file: what mk makes of in/* must be out/*,
// nothing more and nothing less. A file that does not end in a newline is compared as if it did, as txtar keeps it.
func Dir(t *testing.T, dir string, mk Make) {
	t.Helper()
	cases, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		t.Fatalf("golden folder %s: %v", dir, err)
	}
	if len(cases) == 0 {
		t.Fatalf("golden folder %s has no *.txtar: a test without cases shows nothing", dir)
	}
	for _, path := range cases {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive(t, path, mk, update())
		})
	}
}

// File compares got with the file at path, byte by byte.
func File(t testing.TB, path string, got []byte) {
	t.Helper()
	file(t, path, got, update())
}

func update() bool { return os.Getenv(Env) == "1" }

func archive(t testing.TB, path string, mk Make, update bool) {
	t.Helper()
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatalf("golden file: %v", err)
	}
	given, want := map[string][]byte{}, map[string]string{}
	for _, f := range a.Files {
		inName, isIn := strings.CutPrefix(f.Name, in)
		outName, isOut := strings.CutPrefix(f.Name, out)
		switch {
		case isIn:
			given[inName] = f.Data
		case isOut:
			want[outName] = string(f.Data)
		default:
			t.Fatalf("%s: file %q is neither in %s nor in %s", path, f.Name, in, out)
		}
	}
	if len(given)+len(want) != len(a.Files) {
		t.Fatalf("%s: two files have the same name", path)
	}

	got := map[string]string{}
	for name, data := range mk(t, given) {
		got[name] = withNewline(data)
	}
	if t.Failed() {
		return // what was made is not worth comparing, much less keeping
	}
	diff := cmp.Diff(want, got)
	switch {
	case diff == "":
	case update:
		rewrite(t, path, a, got)
	default:
		t.Errorf("%s: outputs differ; if they should, run with %s=1 (-want +got):\n%s", path, Env, diff)
	}
}

// rewrite replaces the archive's outputs; its comment and its inputs stay as they are, in their order.
func rewrite(t testing.TB, path string, a *txtar.Archive, got map[string]string) {
	t.Helper()
	a.Files = slices.DeleteFunc(a.Files, func(f txtar.File) bool { return strings.HasPrefix(f.Name, out) })
	for _, name := range slices.Sorted(maps.Keys(got)) {
		a.Files = append(a.Files, txtar.File{Name: out + name, Data: []byte(got[name])})
	}
	text := txtar.Format(a)
	if diff := cmp.Diff(a, txtar.Parse(text)); diff != "" {
		t.Fatalf("%s: txtar cannot hold these outputs: a name or a line in them looks like its own markers (-want +got):\n%s",
			path, diff)
	}
	write(t, path, text)
}

func file(t testing.TB, path string, got []byte, update bool) {
	t.Helper()
	want, err := os.ReadFile(path)
	switch {
	case err != nil && !(update && os.IsNotExist(err)):
		t.Fatalf("golden file: %v; to make it, run with %s=1", err, Env)
	case err == nil && bytes.Equal(want, got):
	case update:
		write(t, path, got)
	default:
		t.Errorf("%s: differs; if it should, run with %s=1 (-want +got):\n%s", path, Env, cmp.Diff(string(want), string(got)))
	}
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatalf("golden file: %v", err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatalf("golden file: %v", err)
	}
	t.Logf("rewrote %s", path)
}

// withNewline ends data the way txtar does.
func withNewline(data []byte) string {
	if len(data) == 0 || data[len(data)-1] == '\n' {
		return string(data)
	}
	return string(data) + "\n"
}
