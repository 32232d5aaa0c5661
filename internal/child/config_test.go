package child_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/entente-mesh/entente/internal/child"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		mode child.Mode
		edit func(*child.Config)
		want string
	}{
		{"a program that is not there", child.Bound, func(c *child.Config) { c.Path = "/nonexistent/envoy" }, "/nonexistent/envoy: no such file or directory: install it"},
		{"a program that cannot be executed", child.Bound, func(c *child.Config) { c.Path = plain }, "make it executable"},
		{"a program that is a folder", child.Bound, func(c *child.Config) { c.Path = dir }, "is a folder"},
		{"a program to be looked for", child.Bound, func(c *child.Config) { c.Path = "envoy" }, `"envoy": give an absolute path`},
		{"a working folder that is not there", child.Bound, func(c *child.Config) { c.Dir = "/nonexistent" }, "create it"},
		{"no log file", child.Bound, func(c *child.Config) { c.Log.File = "" }, "log file"},
		{"a log folder that is a file", child.Bound, func(c *child.Config) { c.Log.File = filepath.Join(plain, "log") }, "not a directory"},
		{"an adopted child without a pid file", child.Adopted, func(c *child.Config) { c.PIDFile = "" }, "pid file"},
		{"a bound child with a pid file", child.Bound, func(c *child.Config) { c.PIDFile = plain }, "only an adopted child"},
		{"an environment that is none", child.Bound, func(c *child.Config) { c.Env = []string{"hush"} }, "NAME=value"},
		{"no name", child.Bound, func(c *child.Config) { c.Name = "" }, "without a name"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t.TempDir(), c.mode, "serve")
			c.edit(&cfg)
			_, err := child.New(cfg)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("New returned %v, want an error with %q", err, c.want)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}
