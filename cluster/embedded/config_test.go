//go:build lite

package embedded

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fakeListener has an address and nothing else.
type fakeListener struct {
	net.Listener
	addr net.Addr
}

func (l fakeListener) Addr() net.Addr { return l.addr }

func at(addr string) net.Listener {
	return fakeListener{addr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))}
}

func TestComplete(t *testing.T) {
	t.Parallel()
	type outcome struct {
		Local, Advertise, ServiceCIDR string
		Addresses                     []string
	}
	for name, tc := range map[string]struct {
		config Config
		want   outcome
	}{
		"a listener on loopback is advertised as it is": {
			config: Config{Listener: at("127.0.0.1:6443")},
			want:   outcome{"127.0.0.1:6443", "127.0.0.1", "10.43.0.0/16", []string{"10.43.0.1", "127.0.0.1"}},
		},
		"a listener on all addresses is reached on loopback": {
			config: Config{Listener: at("0.0.0.0:6443"), AdvertiseAddress: netip.MustParseAddr("192.0.2.7")},
			want:   outcome{"127.0.0.1:6443", "192.0.2.7", "10.43.0.0/16", []string{"10.43.0.1", "127.0.0.1", "192.0.2.7"}},
		},
		"a listener on all addresses of both families is reached on IPv4": {
			config: Config{Listener: at("[::]:6443")},
			want:   outcome{"127.0.0.1:6443", "127.0.0.1", "10.43.0.0/16", []string{"10.43.0.1", "127.0.0.1"}},
		},
		"an IPv6 listener and service range work": {
			config: Config{Listener: at("[2001:db8::7]:6443"), ServiceCIDR: netip.MustParsePrefix("fd00:43::/112")},
			want:   outcome{"[2001:db8::7]:6443", "2001:db8::7", "fd00:43::/112", []string{"2001:db8::7", "fd00:43::1"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.config.Dir, tc.config.RunDir = "data", "run"
			c, err := tc.config.complete()
			if err != nil {
				t.Fatal(err)
			}
			got := outcome{Local: c.local().String(), Advertise: c.AdvertiseAddress.String(), ServiceCIDR: c.ServiceCIDR.String()}
			for _, a := range c.addresses() {
				got.Addresses = append(got.Addresses, a.String())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
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
	good := Config{Dir: "data", RunDir: "run", Listener: at("127.0.0.1:6443")}
	for name, tc := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no data folder":         {func(c *Config) { c.Dir = "" }, "no data folder"},
		"no run folder":          {func(c *Config) { c.RunDir = "" }, "no folder for sockets"},
		"no listener":            {func(c *Config) { c.Listener = nil }, "no open listener"},
		"a unix listener":        {func(c *Config) { c.Listener = fakeListener{addr: &net.UnixAddr{Name: "/run/x.sock"}} }, "/run/x.sock is not TCP"},
		"a tiny service range":   {func(c *Config) { c.ServiceCIDR = netip.MustParsePrefix("10.43.0.0/30") }, "between /12 and /29"},
		"a huge service range":   {func(c *Config) { c.ServiceCIDR = netip.MustParsePrefix("fd00::/64") }, "between /108 and /125"},
		"a sloppy service range": {func(c *Config) { c.ServiceCIDR = netip.MustParsePrefix("10.43.0.9/16") }, "write 10.43.0.0/16"},
		"an unspecified address": {func(c *Config) { c.AdvertiseAddress = netip.IPv4Unspecified() }, "0.0.0.0 is no address that a client can connect to"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := good
			tc.change(&c)
			if _, err := c.complete(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("complete() says %v, want %q", err, tc.want)
			}
		})
	}
}

func TestGitVersion(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ kubernetes, product, want string }{
		"a release":                     {"v1.37.2", "v0.2.0", "v1.37.2+entente-v0.2.0"},
		"a build between releases":      {"v1.37.2", "v0.2.0-3-gabc123+dirty", "v1.37.2+entente-v0.2.0-3-gabc123.dirty"},
		"no version leaves Kubernetes'": {"v1.37.2", "", "v1.37.2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := gitVersion(tc.kubernetes, tc.product); got != tc.want {
				t.Errorf("gitVersion(%q, %q) = %q, want %q", tc.kubernetes, tc.product, got, tc.want)
			}
		})
	}
}

func TestALiteBinarySaysSo(t *testing.T) {
	t.Parallel()
	if _, err := New(t.Context(), Config{}); !errors.Is(err, ErrLite) {
		t.Errorf("New() says %v, want %v", err, ErrLite)
	}
}
