package proxy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/entente-mesh/entente/internal/child"
	"github.com/entente-mesh/entente/internal/lab/envoy"
	"github.com/entente-mesh/entente/xds/proxy"
)

func TestWrongConfigurationsAreRefusedWithTheRemedy(t *testing.T) {
	t.Parallel()
	base := envoy.Dir(t)
	file := filepath.Join(base, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	longest := filepath.Join(base, strings.Repeat("d", proxy.MaxDir-len(base)-1))
	at := func(dir string) func(*proxy.Config) {
		return func(c *proxy.Config) { c.Dir, c.Bootstrap = dir, hello(place{dir: dir}, "x") }
	}
	for name, c := range map[string]struct {
		change func(*proxy.Config)
		want   string // empty: accepted
	}{
		"a complete one is accepted":        {func(*proxy.Config) {}, ""},
		"a folder as long as sockets allow": {at(longest), ""},
		"a folder that is too long":         {at(longest + "d"), "choose a shorter one"},
		"a relative folder":                 {at("envoy"), "give an absolute path"},
		"a file in place of the folder":     {at(file), "not a directory"},
		"no program":                        {func(c *proxy.Config) { c.Binary = proxy.Binary{} }, "no Envoy that was found"},
		"a program that is too old":         {func(c *proxy.Config) { c.Binary.Version = proxy.Version{Major: 1, Minor: 36, Patch: 3} }, "no Envoy that was found"},
		"a bootstrap that is not JSON":      {func(c *proxy.Config) { c.Bootstrap = []byte("admin:") }, "bootstrap"},
		"an admin interface that others can reach": {func(c *proxy.Config) {
			c.Bootstrap = []byte(`{"admin":{"address":{"socket_address":{"port_value":9901}}}}`)
		}, "admin.sock"},
		"fewer than no threads":                 {func(c *proxy.Config) { c.Concurrency = -1 }, "threads"},
		"a negative drain":                      {func(c *proxy.Config) { c.Drain = -1 }, "give positive times"},
		"a score that the kernel does not know": {func(c *proxy.Config) { c.OOMScore = 1001 }, "from -1000 to 1000"},
		"an access log somewhere":               {func(c *proxy.Config) { c.Access.Files = []string{"access.log"} }, "give an absolute path"},
		"a rotation backwards":                  {func(c *proxy.Config) { c.Access.MaxFiles = -1 }, "give positive numbers"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(envoy.Dir(t), "envoy")
			config := proxy.Config{
				Binary: proxy.Binary{Path: "/usr/bin/envoy", Version: proxy.Minimum()},
				Dir:    dir, Bootstrap: hello(place{dir: dir}, "x"), Log: child.Log{File: "/var/log/envoy.log"},
			}
			c.change(&config)
			_, err := proxy.New(config)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want an error that says %q", err, c.want)
			}
		})
	}
}

func TestAFolderThatOthersCanReadIsClosed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(envoy.Dir(t), "envoy")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	config := proxy.Config{
		Binary: proxy.Binary{Path: "/usr/bin/envoy", Version: proxy.Minimum()},
		Dir:    dir, Bootstrap: hello(place{dir: dir}, "x"), Log: child.Log{File: "/var/log/envoy.log"},
	}
	if _, err := proxy.New(config); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v, %v, want rwx------", info.Mode(), err)
	}
}
