package pki

import (
	"crypto/x509"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var born = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func newAuthority(t testing.TB, now time.Time) *authority {
	t.Helper()
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	cert, err := signAuthority(clientCA, key, now)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{cert: cert, key: key}
}

func TestDue(t *testing.T) {
	t.Parallel()
	ca, other := newAuthority(t, born), newAuthority(t, born)
	want := leaf{
		name: "apiserver", user: "kube-apiserver", group: "servers", usage: x509.ExtKeyUsageServerAuth,
		dns: []string{"localhost", "node.example"}, ips: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::1")},
	}
	signedAt := func(at time.Time, by *authority) *x509.Certificate {
		p, err := signLeaf(want, by, at)
		if err != nil {
			t.Fatal(err)
		}
		return p.cert
	}
	fresh, late := signedAt(born, ca), signedAt(born.Add(authorityLife-100*day), ca)
	with := func(change func(*leaf)) leaf { l := want; change(&l); return l }
	cases := []struct {
		name string
		want leaf
		have *x509.Certificate
		now  time.Time
		due  string
	}{
		{"a missing certificate is due", want, nil, born, "it did not exist"},
		{"a fresh certificate stays", want, fresh, born, ""},
		{"the order of the names does not matter", with(func(l *leaf) { l.dns = []string{"node.example", "localhost"} }), fresh, born, ""},
		{"a certificate stays a day before the last third of its life", want, fresh, born.Add(leafLife*2/3 - day), ""},
		{"a certificate is due in the last third of its life", want, fresh, born.Add(leafLife * 2 / 3), "a third of its life is left"},
		{"an ended certificate is due", want, fresh, born.Add(leafLife + day), "a third of its life is left"},
		{"a certificate of another authority is due", want, signedAt(born, other), born, "it was signed by another authority"},
		{"a certificate with another user is due", with(func(l *leaf) { l.user = "someone" }), fresh, born, "its subject changed"},
		{"a certificate with another group is due", with(func(l *leaf) { l.group = "" }), fresh, born, "its subject changed"},
		{"a certificate for another use is due", with(func(l *leaf) { l.usage = x509.ExtKeyUsageClientAuth }), fresh, born, "its usage changed"},
		{"a certificate that lacks a name is due", with(func(l *leaf) { l.dns = append([]string{"new.example"}, l.dns...) }), fresh, born, "its names changed"},
		{"a certificate with a name too many is due", with(func(l *leaf) { l.dns = l.dns[:1] }), fresh, born, "its names changed"},
		{"a certificate that lacks an address is due", with(func(l *leaf) { l.ips = append([]netip.Addr{netip.MustParseAddr("10.0.0.2")}, l.ips...) }), fresh, born, "its names changed"},
		{"a certificate from a time when the clock was ahead is due", want, fresh, born.Add(-day), "it is not valid yet"},
		{"a certificate that ends with its authority stays, as nothing would be gained", want, late, born.Add(authorityLife - day), ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := due(c.want, c.have, ca.cert, c.now); got != c.due {
				t.Errorf("due says %q, want %q", got, c.due)
			}
		})
	}
}

func TestValidity(t *testing.T) {
	t.Parallel()
	ca := &x509.Certificate{NotBefore: born, NotAfter: born.Add(authorityLife)}
	cases := []struct {
		name     string
		now      time.Time
		ca       *x509.Certificate
		from, to time.Time
	}{
		{"an authority starts a little in the past and lives ten years", born, nil, born.Add(-skew), born.Add(authorityLife)},
		{"a leaf lives a year", born.Add(day), ca, born.Add(day - skew), born.Add(366 * day)},
		{"a leaf does not start before its authority", born, ca, born, born.Add(leafLife)},
		{"a leaf does not outlive its authority", born.Add(authorityLife - day), ca, born.Add(authorityLife - day - skew), ca.NotAfter},
		{"fractions of a second are cut, as X.509 has none", born.Add(day + time.Millisecond), ca, born.Add(day - skew), born.Add(366 * day)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			life := leafLife
			if c.ca == nil {
				life = authorityLife
			}
			from, to := validity(c.now, life, c.ca)
			if diff := cmp.Diff([]time.Time{c.from, c.to}, []time.Time{from, to}); diff != "" {
				t.Errorf("validity (-want +got):\n%s", diff)
			}
		})
	}
}

func TestServingNames(t *testing.T) {
	t.Parallel()
	always := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", "localhost"}
	loopback := []string{"127.0.0.1", "::1"}
	cases := []struct {
		name      string
		sans, ips []string
		dns, addr []string
		err       string
	}{
		{name: "without a wish the machine and the kubernetes service are served", dns: always, addr: loopback},
		{name: "names and addresses may both stand among the names", sans: []string{"Alice.example", "10.1.0.1"}, dns: append([]string{"alice.example"}, always...), addr: []string{"10.1.0.1", "127.0.0.1", "::1"}},
		{name: "doubles are dropped, a mapped address is the plain one", sans: []string{"localhost"}, ips: []string{"::ffff:10.1.0.1", "10.1.0.1"}, dns: always, addr: []string{"10.1.0.1", "127.0.0.1", "::1"}},
		{name: "a wildcard is a name", sans: []string{"*.alice.example"}, dns: append([]string{"*.alice.example"}, always...), addr: loopback},
		{name: "a URL is refused", sans: []string{"https://alice.example"}, err: `name "https://alice.example"`},
		{name: "an empty name is refused", sans: []string{""}, err: `name ""`},
		{name: "a broken address is refused", sans: []string{"10.1.0.256"}, err: `name "10.1.0.256"`},
		{name: "the address of all interfaces is refused", ips: []string{"0.0.0.0"}, err: `address "0.0.0.0"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var ips []netip.Addr
			for _, s := range c.ips {
				ips = append(ips, netip.MustParseAddr(s))
			}
			dns, addrs, err := servingNames(c.sans, ips)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want one with %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var addr []string
			for _, a := range addrs {
				addr = append(addr, a.String())
			}
			if diff := cmp.Diff(c.dns, dns, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.addr, addr); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAuthorityHealth(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, born).cert
	cases := []struct {
		name      string
		now       time.Time
		err, near string
	}{
		{"a young authority is fine", born, "", ""},
		{"an authority in its last year is reported with the remedy", born.Add(authorityLife - 300*day), "", "ends on 2035-12-30T00:00:00Z: before that, stop, remove client-ca.crt"},
		{"an ended authority is refused with the remedy", born.Add(authorityLife + day), "ended on 2035-12-30T00:00:00Z: stop, remove client-ca.crt", "ends on"},
		{"an authority from the future points at the clock", born.Add(-day), "set the clock", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := usable(clientCA, ca, c.now, "dir")
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("usable says %v, want %q", err, c.err)
			}
			if near := nearEnd(clientCA, ca, c.now, "dir"); (near == "") != (c.near == "") || !strings.Contains(near, c.near) {
				t.Errorf("nearEnd says %q, want %q", near, c.near)
			}
		})
	}
}
