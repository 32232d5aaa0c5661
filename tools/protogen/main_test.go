package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAWordWithoutACommentIsRefusedWithItsPlace(t *testing.T) {
	t.Parallel()
	const head = "syntax = \"proto3\";\npackage p.v1;\n"
	for _, c := range []struct{ name, text, want string }{
		{"all words have comments", "// M is.\nmessage M {\n// a is.\nmap<string, string> a = 1;\n}\n", ""},
		{"a message has none", "message M {\n// a is.\nstring a = 1;\n}\n", "p/v1/a.proto:3: p.v1.M has no comment"},
		{"a field has none", "// M is.\nmessage M {\nstring a = 1;\n}\n", "p/v1/a.proto:5: p.v1.M.a has no comment"},
		{"a nested enum has none", "// M is.\nmessage M {\nenum E {\n// Z is.\nZ = 0;\n}\n}\n", "p/v1/a.proto:5: p.v1.M.E has no comment"},
		{"a value has none", "// E is.\nenum E {\nZ = 0;\n}\n", "p/v1/a.proto:5: p.v1.Z has no comment"},
		{"a method has none", "// M is.\nmessage M {}\n// S is.\nservice S {\nrpc Do(M) returns (M);\n}\n", "p/v1/a.proto:7: p.v1.S.Do has no comment"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, filepath.Join(dir, "v1", "a.proto"), head+c.text)
			names, err := sources(dir, "p")
			if err != nil {
				t.Fatal(err)
			}
			files, err := compile(t.Context(), dir, "p", names)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := documented(files); err != nil {
				got = err.Error()
			}
			if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestTheGoCodeOfAFileThatIsGoneGoesToo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "v1", "a.proto"), "syntax = \"proto3\";\npackage p.v1;\noption go_package = \"example.com/p/v1\";\n// M is.\nmessage M {}\n")
	write(t, filepath.Join(dir, "v1", "old.pb.go"), "package v1\n")
	if err := generate(t.Context(), dir, "p", "example.com/p"); err != nil {
		t.Fatal(err)
	}
	made, err := filepath.Glob(filepath.Join(dir, "v1", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "v1", "a.pb.go"); len(made) != 1 || made[0] != want {
		t.Errorf("got %v, want %s alone", made, want)
	}
}

func TestNothingIsRemovedWhenAFileIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "v1", "a.proto"), "syntax = \"proto3\";\nmessage {\n")
	kept := filepath.Join(dir, "v1", "a.pb.go")
	write(t, kept, "package v1\n")
	if err := generate(t.Context(), dir, "p", "example.com/p"); err == nil {
		t.Error("a file that is no protobuf was accepted")
	}
	if _, err := os.Stat(kept); err != nil {
		t.Error(err)
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
