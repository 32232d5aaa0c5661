//go:build lite

package main

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/entente-mesh/entente/auth/issue"
	"github.com/entente-mesh/entente/auth/keys"
)

func TestAGatewayIsWhereItsDomainsFolderSays(t *testing.T) {
	t.Parallel()
	gateways, err := parseFleetGateways([]byte("gw-0:\n  address: 192.0.2.10\n  external: 192.0.2.10:1080\n  internal: ['192.0.2.10:80', '10.0.0.1:80']\n  logs: /var/log/envoy\ngw-1: {address: 192.0.2.11}\n"))
	if err != nil {
		t.Fatal(err)
	}
	f := &fleetFolder{gateways: gateways}
	at := netip.MustParseAddrPort
	external, internal := at("0.0.0.0:1080"), at("0.0.0.0:80")
	for name, want := range map[string]fleetGateway{
		"gw-0": {Address: netip.MustParseAddr("192.0.2.10"), External: at("192.0.2.10:1080"), Internal: []netip.AddrPort{at("192.0.2.10:80"), at("10.0.0.1:80")}, Logs: "/var/log/envoy"},
		"gw-1": {Address: netip.MustParseAddr("192.0.2.11"), External: external, Internal: []netip.AddrPort{internal}},
		"gw-2": {External: external, Internal: []netip.AddrPort{internal}},
	} {
		got := f.gateway(name, external, internal)
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAMistakeInAFolderIsNamed(t *testing.T) {
	t.Parallel()
	key, err := keys.GeneratePrivate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
	authority, err := folderAuthority("bob", key, nil)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, folder string
		files        map[string]string
		words        string // none: no mistake
	}{
		{"a key alone is enough", "alice", map[string]string{"domain.key": good}, ""},
		{"the folder's name is no domain", "Alice_", map[string]string{"domain.key": good}, "Alice_"},
		{"there is no key", "alice", nil, "domain.key"},
		{"the key is none", "alice", map[string]string{"domain.key": "none"}, "the private key of domain alice"},
		{"the certificate is another domain's", "alice", map[string]string{"domain.key": good, "domain.crt": string(issue.EncodeCertificate(authority.Certificate()))}, "belongs to domain bob"},
		{"the certificate is none", "alice", map[string]string{"domain.key": good, "domain.crt": "none"}, "domain.crt"},
		{"a gateway has a field that nobody knows", "alice", map[string]string{"domain.key": good, "gateways.yaml": "gw-0: {port: 1}"}, "port"},
		{"a gateway's name is none", "alice", map[string]string{"domain.key": good, "gateways.yaml": "GW_0: {}"}, "GW_0"},
		{"a gateway is everywhere", "alice", map[string]string{"domain.key": good, "gateways.yaml": "gw-0: {address: 0.0.0.0}"}, "gateway gw-0: address 0.0.0.0"},
		{"a listener has no port", "alice", map[string]string{"domain.key": good, "gateways.yaml": "gw-0: {internal: ['0.0.0.0:0']}"}, "gateway gw-0: internal"},
		{"the logs are beside nothing", "alice", map[string]string{"domain.key": good, "gateways.yaml": "gw-0: {logs: logs}"}, "absolute path"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), c.folder)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			for name, text := range c.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := readFleetFolder(dir)
			switch {
			case c.words == "" && err != nil:
				t.Error(err)
			case c.words != "" && (err == nil || !strings.Contains(err.Error(), c.words)):
				t.Errorf("got %v, want an error with %q", err, c.words)
			case err != nil && strings.Contains(err.Error(), "PRIVATE KEY"):
				t.Errorf("the error shows the key: %v", err)
			}
		})
	}
}

func TestAFolderIsAnotherWhenAFileChanges(t *testing.T) {
	t.Parallel()
	key, err := keys.GeneratePrivate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "alice")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	sums := map[[32]byte]string{}
	for _, step := range []struct{ file, text string }{
		{"domain.key", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))},
		{"gateways.yaml", "gw-0: {address: 192.0.2.1}"},
		{"gateways.yaml", "gw-0: {address: 192.0.2.2}"},
		{"gateways.yaml", ""},
	} {
		if err := os.WriteFile(filepath.Join(dir, step.file), []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := readFleetFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		again, err := readFleetFolder(dir)
		if err != nil || again.sum != f.sum {
			t.Errorf("the same folder was read as another one, %v", err)
		}
		if before, known := sums[f.sum]; known {
			t.Errorf("%q in %s makes no difference to %q", step.text, step.file, before)
		}
		sums[f.sum] = step.text
	}
}
