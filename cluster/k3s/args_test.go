package k3s

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestArguments(t *testing.T) {
	t.Parallel()
	const fixed = `server --data-dir=/data/k3s --write-kubeconfig=/data/k3s/kubeconfig.yaml --write-kubeconfig-mode=600 --disable-agent --bind-address=ADDRESS --https-listen-port=6443 ` +
		`--disable-cloud-controller --disable-network-policy --disable-scheduler --disable-helm-controller --flannel-backend=none ` +
		`--disable=traefik,coredns,servicelb,local-storage,metrics-server --kube-apiserver-arg=event-ttl=10m`
	cases := []struct {
		name, listen, node, token string
		address, more             string
	}{
		{name: "on this machine alone", listen: "127.0.0.1:6443", address: "127.0.0.1"},
		{name: "with a token, of which only the file is named", listen: "127.0.0.1:6443", token: "/data/k3s/token", address: "127.0.0.1", more: " --token-file=/data/k3s/token"},
		{name: "on an address of this machine, which the certificate then names", listen: "10.1.0.1:6443", node: "10.1.0.1", address: "10.1.0.1", more: " --node-ip=10.1.0.1 --tls-san=10.1.0.1"},
		{name: "on all addresses when that is asked for", listen: "0.0.0.0:6443", node: "10.1.0.1", address: "0.0.0.0", more: " --node-ip=10.1.0.1"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			conf := Config{Dir: "/data/k3s", Listen: netip.MustParseAddrPort(c.listen), Token: "secret", Datastore: "mysql://user:secret@x"}
			if c.node != "" {
				conf.NodeIP = netip.MustParseAddr(c.node)
			}
			got := strings.Join(arguments(conf, c.token), " ")
			if diff := cmp.Diff(strings.ReplaceAll(fixed, "ADDRESS", c.address)+c.more, got); diff != "" {
				t.Errorf("command line (-want +got):\n%s", diff)
			}
			if strings.Contains(got, "secret") {
				t.Error("a secret is on the command line")
			}
		})
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	parent := []string{"PATH=/bin", "K3S_URL=https://other", "K3S_TOKEN=x", "CATTLE_X=1", "NOTIFY_SOCKET=/run/n", "HOME=/root"}
	want := []string{"PATH=/bin", "HOME=/root", "CATTLE_NEW_SIGNED_CERT_EXPIRATION_DAYS=3650"}
	if diff := cmp.Diff(want, environment(parent, "")); diff != "" {
		t.Errorf("with SQLite (-want +got):\n%s", diff)
	}
	want = append(want, "K3S_DATASTORE_ENDPOINT=mysql://u:p@x")
	if diff := cmp.Diff(want, environment(parent, "mysql://u:p@x")); diff != "" {
		t.Errorf("with MySQL (-want +got):\n%s", diff)
	}
	if parent[1] != "K3S_URL=https://other" {
		t.Error("the parent's environment was changed")
	}
}

func TestReach(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		"127.0.0.1:6443": "127.0.0.1:6443", "0.0.0.0:6443": "127.0.0.1:6443", "[::]:6443": "[::1]:6443", "10.1.0.1:1": "10.1.0.1:1",
	} {
		if got := reach(netip.MustParseAddrPort(listen)).String(); got != want {
			t.Errorf("a listener on %s is reached at %s, want %s", listen, got, want)
		}
	}
}

func TestGoodToken(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, token string
		want        bool
	}{
		{"a random one", strings.Repeat("0a", 32), true},
		{"one in K3s' long form", "K10" + strings.Repeat("ab", 32) + "::server:0123", true},
		{"none", "", false},
		{"a short one", "secret", false},
		{"one with a space", "0123456789 abcdef", false},
		{"one with a line break", "0123456789abcdef\n", false},
		{"an endless one", strings.Repeat("x", 1025), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := goodToken(c.token); got != c.want {
				t.Errorf("good: %t", got)
			}
		})
	}
}
