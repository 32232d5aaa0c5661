package dns

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/forward"
	"github.com/google/go-cmp/cmp"

	"github.com/entente-mesh/entente/mesh"
)

func TestParse(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, corefile string
		want           options
	}{
		{"the domain is enough", "entente {\n domain alice\n}", options{zones: []string{"."}, domain: "alice"}},
		{"zones", "entente alice.svc BOB.svc {\n domain alice\n}", options{zones: []string{"alice.svc.", "bob.svc."}, domain: "alice"}},
		{
			"everything", "entente . {\n domain alice\n gateway 10.0.0.1 fd00::1\n kubeconfig /etc/kubeconfig production\n ttl 30\n fallthrough alice.svc\n}",
			options{
				zones: []string{"."}, domain: "alice", gateway: []netip.Addr{addr("10.0.0.1"), addr("fd00::1")},
				kubeconfig: "/etc/kubeconfig", context: "production", ttl: 30 * time.Second, fall: []string{"alice.svc"},
			},
		},
		{"fallthrough everywhere", "entente {\n domain alice\n fallthrough\n}", options{zones: []string{"."}, domain: "alice", fall: []string{}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			controller := caddy.NewTestController("dns", c.corefile)
			controller.ServerBlockKeys = []string{"dns://.:53"}
			got, err := parse(controller)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(options{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseNamesTheMistake(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, corefile, want string }{
		{"no domain", "entente", "the option domain is missing"},
		{"two domains", "entente {\n domain alice bob\n}", `["alice" "bob"] is no domain id`},
		{"a bad domain", "entente {\n domain Alice.svc\n}", "is no domain id"},
		{"an option without a value", "entente {\n domain\n}", "Wrong argument count"},
		{"a gateway by name", "entente {\n domain alice\n gateway example.org\n}", `"example.org" is no address of a gateway`},
		{"a gateway everywhere", "entente {\n domain alice\n gateway 0.0.0.0\n}", `"0.0.0.0" is no address of a gateway`},
		{"no time", "entente {\n domain alice\n ttl 0\n}", `["0"] is no ttl`},
		{"too long a time", "entente {\n domain alice\n ttl 3601\n}", "seconds from 1 to 3600"},
		{"a time with a unit", "entente {\n domain alice\n ttl 5s\n}", `["5s"] is no ttl`},
		{"three words for a kubeconfig", "entente {\n domain alice\n kubeconfig a b c\n}", "Wrong argument count"},
		{"an option that there is not", "entente {\n domain alice\n namespace bob\n}", `unknown option "namespace"`},
		{"the plugin twice", "entente {\n domain alice\n}\nentente {\n domain bob\n}", "once per Server Block"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := parse(caddy.NewTestController("dns", c.corefile)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestBytesGoOutWhereNobodyLooksAtMessages(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name  string
		chain []string
		want  bool
	}{
		{"alone", []string{"entente"}, true},
		{"figures and errors before it", []string{"prometheus", "errors", "entente"}, true},
		{"anybody behind it", []string{"errors", "entente", "whatever"}, true},
		{"the log shows flags", []string{"errors", "log", "entente"}, false},
		{"the cache keeps messages", []string{"cache", "entente"}, false},
		{"a plugin that nobody knows", []string{"prometheus", "whatever", "entente"}, false},
		{"a place that nobody knows", []string{"prometheus", "errors"}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var chain []plugin.Handler
			for _, name := range c.chain {
				chain = append(chain, named{forward.New(), name})
			}
			if got := takesBytes(chain); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

// named is a plugin of another name.
type named struct {
	plugin.Handler
	name string
}

func (n named) Name() string { return n.name }

// broken is an origin that ends by itself.
type broken struct{ after time.Duration }

var errBroken = errors.New("broken")

func (broken) Mesh() (*mesh.Mesh, time.Time, <-chan struct{}) { return nil, time.Time{}, nil }

func (b broken) Run(ctx context.Context) error {
	select {
	case <-time.After(b.after):
		return errBroken
	case <-ctx.Done():
		return nil
	}
}

func TestStart(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name     string
		origin   func() origin
		reload   bool
		took     time.Duration
		wantText string // empty: it starts
	}{
		{"a mesh that is there starts at once", func() origin { return &still{mesh: holding(alice())} }, false, 0, ""},
		{"a first start goes on without a mesh after a while", func() origin { return &still{mesh: never} }, false, patience, ""},
		{"a reload with a mesh starts at once", func() origin { return &still{mesh: holding(alice())} }, true, 0, ""},
		{"a reload without a mesh fails, so that the answers before it stay", func() origin { return &still{mesh: never} }, true, patience, "no mesh was seen within 5s"},
		{"an origin that ends fails the start", func() origin { return broken{time.Second} }, false, time.Second, "read the API server: broken"},
		{"an origin that ends later does not", func() origin { return broken{time.Minute} }, false, patience, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				from := c.origin()
				l := newLife(t.Context(), New(Config{Domain: "alice", Mesh: from.Mesh}), from)
				if !c.reload {
					if err := l.first(); err != nil {
						t.Fatal(err)
					}
				}
				begin := time.Now()
				err := l.start()
				if took := time.Since(begin); took != c.took {
					t.Errorf("it took %s, want %s", took, c.took)
				}
				if (err == nil) != (c.wantText == "") || err != nil && !strings.Contains(err.Error(), c.wantText) {
					t.Errorf("error %v, want one with %q", err, c.wantText)
				}
				time.Sleep(2 * time.Minute)
				if err := l.stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
