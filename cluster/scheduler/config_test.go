//go:build lite

package scheduler

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/kube-scheduler/framework"
)

func noPlugin(context.Context, runtime.Object, framework.Handle) (framework.Plugin, error) {
	return nil, errors.New("never made")
}

func TestComplete(t *testing.T) {
	t.Parallel()
	type outcome struct {
		Names []string
		Lease Lease
	}
	for name, tc := range map[string]struct {
		config Config
		want   outcome
	}{
		"in a foreign cluster only our own pods are ours": {
			want: outcome{[]string{"kuscia-scheduler"}, Lease{"kube-system", "entente-scheduler", "me"}},
		},
		"beside the embedded server every pod is ours": {
			config: Config{Embedded: true},
			want:   outcome{[]string{"kuscia-scheduler", "default-scheduler"}, Lease{"kube-system", "entente-scheduler", "me"}},
		},
		"what is given stays": {
			config: Config{Embedded: true, SchedulerNames: []string{"mine"}, Lease: Lease{Namespace: "a", Name: "b"}},
			want:   outcome{[]string{"mine"}, Lease{"a", "b", "me"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.config.REST, tc.config.Lease.Identity = &rest.Config{}, "me"
			c, err := tc.config.complete()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, outcome{c.SchedulerNames, c.Lease}); diff != "" {
				t.Errorf("completed configuration (-want +got):\n%s", diff)
			}
			if c.Log == nil {
				t.Error("the completed configuration has no log")
			}
		})
	}
}

func TestCompleteRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no API server":                {func(c *Config) { c.REST = nil }, "no API server"},
		"no identity":                  {func(c *Config) { c.Lease.Identity = "" }, "no lease identity"},
		"an empty scheduler name":      {func(c *Config) { c.SchedulerNames = []string{""} }, `scheduler name ""`},
		"a scheduler name given twice": {func(c *Config) { c.SchedulerNames = []string{"a", "a"} }, `scheduler name "a"`},
		"a plugin without a name":      {func(c *Config) { c.Plugins = []Plugin{{New: noPlugin}} }, `plugin ""`},
		"a plugin without constructor": {func(c *Config) { c.Plugins = []Plugin{{Name: "p"}} }, `plugin "p"`},
		"two plugins with the same name": {func(c *Config) {
			c.Plugins = []Plugin{{Name: "p", New: noPlugin}, {Name: "p", New: noPlugin}}
		}, `plugin "p"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := Config{REST: &rest.Config{}, Lease: Lease{Identity: "me"}}
			tc.change(&c)
			if _, err := c.complete(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("complete() says %v, want %q", err, tc.want)
			}
		})
	}
}

func TestEmulated(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ server, want string }{
		"the same version":           {"v1.37.2+entente-v0.1.0", "1.37"},
		"an older server is matched": {"v1.36.3+k3s1", "1.36"},
		"the oldest":                 {"v1.34.0", "1.34"},
		"a managed cluster's suffix": {"v1.35.4-gke.1200", "1.35"},
		"a newer server is not":      {"v1.38.0-alpha.1", "1.37"},
		"the next major version":     {"v2.0.0", "1.37"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := emulated(tc.server)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != tc.want {
				t.Errorf("emulated(%q) = %s, want %s", tc.server, got, tc.want)
			}
		})
	}
}

func TestEmulatedRefuses(t *testing.T) {
	t.Parallel()
	if _, err := emulated("v1.33.9+k3s1"); !errors.Is(err, ErrTooOld) {
		t.Errorf("emulated(1.33) says %v, want %v", err, ErrTooOld)
	}
	for _, server := range []string{"", "unknown"} {
		if v, err := emulated(server); err == nil || errors.Is(err, ErrTooOld) {
			t.Errorf("emulated(%q) = %v, %v, want an error about the text", server, v, err)
		}
	}
}

func TestALiteBinarySaysSo(t *testing.T) {
	t.Parallel()
	if Available() {
		t.Error("a lite binary says that it has a scheduler")
	}
	if _, err := New(Config{REST: &rest.Config{}, Lease: Lease{Identity: "me"}}); !errors.Is(err, ErrLite) {
		t.Errorf("New() says %v, want %v", err, ErrLite)
	}
}
