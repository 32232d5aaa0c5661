package issue_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"math/big"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/entente-mesh/entente/auth/issue"
	"github.com/entente-mesh/entente/auth/keys"
)

// now is when everything happens here.
var now = time.Date(2027, 3, 1, 12, 0, 0, 500, time.UTC)

func terms(lifetime time.Duration) issue.Terms {
	return issue.Terms{Now: now, Lifetime: lifetime, Rand: rand.Reader}
}

func file(tb testing.TB, name string) []byte {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func rsaKey(tb testing.TB, name string) *rsa.PrivateKey {
	tb.Helper()
	k, err := keys.ParsePrivate(base64.StdEncoding.EncodeToString(file(tb, name)))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func ecKey(tb testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	tb.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func authority(tb testing.TB, domain string) *issue.Authority {
	tb.Helper()
	a, err := issue.NewAuthority(rsaKey(tb, "ca.pem"), domain, terms(issue.AuthorityLife))
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

func profile(p issue.Profile, err error) issue.Profile {
	if err != nil {
		panic(err)
	}
	return p
}

func TestADomainsCertificateIsItsNameAndKeySelfSigned(t *testing.T) {
	t.Parallel()
	a := authority(t, "alice")
	c := a.Certificate()
	if err := c.CheckSignatureFrom(c); err != nil {
		t.Error(err)
	}
	if a.Domain() != "alice" || c.Subject.String() != "CN=alice" || c.Issuer.String() != "CN=alice" {
		t.Errorf("got domain %s, subject %s and issuer %s, want alice everywhere", a.Domain(), c.Subject, c.Issuer)
	}
	if !rsaKey(t, "ca.pem").PublicKey.Equal(c.PublicKey) {
		t.Error("it is of another key than the domain's")
	}
	if !c.IsCA || c.MaxPathLen != 0 || !c.MaxPathLenZero {
		t.Error("it must issue, but no further authorities")
	}
	if got, want := c.NotAfter.Sub(now).Round(time.Minute), issue.AuthorityLife; got != want {
		t.Errorf("it lives %v, want %v", got, want)
	}
}

func TestAnAuthorityComesBackFromItsFile(t *testing.T) {
	t.Parallel()
	made := authority(t, "alice")
	for name, pem := range map[string][]byte{"ours": issue.EncodeCertificate(made.Certificate()), "another tool's": file(t, "ca.crt")} {
		a, err := issue.ParseAuthority(pem, rsaKey(t, "ca.pem"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		leaf, err := a.Issue(ecKey(t, elliptic.P256()).Public(), issue.Client("c"), terms(time.Hour))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		verify(t, a, leaf, x509.ExtKeyUsageClientAuth)
	}
}

func TestWhatAnAuthorityIssuedASecondOneOfTheSameKeyVerifies(t *testing.T) {
	t.Parallel()
	leaf, err := authority(t, "alice").Issue(ecKey(t, elliptic.P256()).Public(), issue.Client("c"), terms(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	verify(t, authority(t, "alice"), leaf, x509.ExtKeyUsageClientAuth)
}

func TestAFileThatIsNoAuthorityIsRefusedWithReasonAndRemedy(t *testing.T) {
	t.Parallel()
	a := authority(t, "alice")
	ca := rsaKey(t, "ca.pem")
	leaf, err := a.Issue(&ca.PublicKey, issue.Client("alice"), terms(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	good := issue.EncodeCertificate(a.Certificate())
	for _, c := range []struct {
		name string
		pem  []byte
		key  *rsa.PrivateKey
		want string
	}{
		{"another domain's key", good, rsaKey(t, "key.pem"), "of another key"},
		{"a certificate that may not issue", issue.EncodeCertificate(leaf), ca, "not that of an authority"},
		{"no PEM", []byte("hello"), ca, "no PEM block"},
		{"a request", file(t, "request.pem"), ca, `is a "CERTIFICATE REQUEST"`},
		{"two certificates", append(good, good...), ca, "bytes follow"},
		{"a damaged certificate", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), ca, "damaged"},
		{"a very long text", make([]byte, 1<<20), ca, "at most 16384 are read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := issue.ParseAuthority(c.pem, c.key)
			refused(t, err, c.want)
		})
	}
}

// verify holds a certificate against its authority as a TLS peer does.
func verify(tb testing.TB, a *issue.Authority, c *x509.Certificate, use x509.ExtKeyUsage) {
	tb.Helper()
	roots := x509.NewCertPool()
	roots.AddCert(a.Certificate())
	if _, err := c.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{use}}); err != nil {
		tb.Error(err)
	}
}

func TestEachProfileSaysWhatItsPeersGoBy(t *testing.T) {
	t.Parallel()
	a := authority(t, "alice")
	key := ecKey(t, elliptic.P256())
	pod := []netip.Addr{netip.MustParseAddr("10.0.0.7"), netip.MustParseAddr("fd00::7")}
	type said struct {
		Subject  string
		DNS, IPs []string
		URIs     []string
		Uses     []x509.ExtKeyUsage
	}
	both := []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	server, client := both[:1], both[1:]
	for _, c := range []struct {
		name    string
		profile issue.Profile
		want    said
	}{
		{"a gateway", profile(issue.Gateway("alice", "gw-0.host")), said{"CN=alice", nil, nil, []string{"spiffe://alice/gateway/gw-0.host"}, both}},
		{"a member", profile(issue.Member("bob")), said{"CN=bob", nil, nil, nil, both}},
		{
			"the external listener", profile(issue.External("alice", []string{"alice.example.org"}, pod[:1])),
			said{"CN=alice_ENVOY_EXTERNAL", []string{"alice.example.org"}, []string{"127.0.0.1", "10.0.0.7"}, nil, server},
		},
		{
			"the external listener of a domain with the longest id", profile(issue.External(strings.Repeat("a", 63), nil, nil)),
			said{"CN=" + strings.Repeat("a", 63) + "_ENVOY_EXTERNAL", nil, []string{"127.0.0.1"}, nil, server},
		},
		{"a server", issue.Server("KusciaAPI", []string{"*.svc", "a_b.svc"}, pod), said{"CN=KusciaAPI", []string{"*.svc", "a_b.svc"}, []string{"10.0.0.7", "fd00::7"}, nil, server}},
		{"a client", issue.Client("KusciaAPIClient"), said{"CN=KusciaAPIClient", nil, nil, nil, client}},
		{"a task's server", issue.TaskServer("psi-0", pod), said{"CN=psi-0", []string{"*.svc"}, []string{"127.0.0.1", "10.0.0.7", "fd00::7"}, nil, server}},
		{"a task's client", issue.TaskClient("psi-0"), said{"CN=psi-0,OU=external", nil, nil, nil, client}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			leaf, err := a.Issue(key.Public(), c.profile, terms(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			got := said{Subject: leaf.Subject.String(), DNS: leaf.DNSNames, Uses: leaf.ExtKeyUsage}
			for _, ip := range leaf.IPAddresses {
				got.IPs = append(got.IPs, ip.String())
			}
			for _, u := range leaf.URIs {
				got.URIs = append(got.URIs, u.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("certificate (-want +got):\n%s", diff)
			}
			for _, use := range leaf.ExtKeyUsage {
				verify(t, a, leaf, use)
			}
			if leaf.IsCA || !leaf.BasicConstraintsValid || leaf.KeyUsage&x509.KeyUsageCertSign != 0 {
				t.Error("it could issue further certificates")
			}
			if !key.PublicKey.Equal(leaf.PublicKey) {
				t.Error("it is of another key")
			}
		})
	}
}

func TestACertificateHasRealTimesAndASerialNumberOfItsOwn(t *testing.T) {
	t.Parallel()
	a := authority(t, "alice")
	key := ecKey(t, elliptic.P256())
	serials := map[string]bool{}
	for range 3 {
		c, err := a.Issue(key.Public(), issue.Client("c"), terms(90*time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		want := [2]time.Time{now.Truncate(time.Second).Add(-issue.Skew), now.Truncate(time.Second).Add(90 * time.Minute)}
		if got := [2]time.Time{c.NotBefore, c.NotAfter}; got != want {
			t.Errorf("valid %v, want %v", got, want)
		}
		serials[c.SerialNumber.String()] = true
		if c.SerialNumber.BitLen() > 128 {
			t.Errorf("the serial number has %d bits, want at most 128", c.SerialNumber.BitLen())
		}
	}
	if len(serials) != 3 {
		t.Errorf("3 certificates have %d serial numbers", len(serials))
	}
	t.Run("which is what the source of randomness gave", func(t *testing.T) {
		t.Parallel()
		fixed := terms(time.Hour)
		fixed.Rand = strings.NewReader("0123456789abcdef")
		c, err := a.Issue(key.Public(), issue.Client("c"), fixed)
		if err != nil {
			t.Fatal(err)
		}
		if want := new(big.Int).SetBytes([]byte("0123456789abcdef")); c.SerialNumber.Cmp(want) != 0 {
			t.Errorf("got %v, want %v", c.SerialNumber, want)
		}
	})
	t.Run("and none without randomness", func(t *testing.T) {
		t.Parallel()
		dry := errors.New("dry")
		if _, err := a.Issue(key.Public(), issue.Client("c"), issue.Terms{Now: now, Lifetime: time.Hour, Rand: iotest.ErrReader(dry)}); !errors.Is(err, dry) {
			t.Errorf("got %v, want the reader's error", err)
		}
	})
}

func TestACertificateNeverOutlivesItsAuthority(t *testing.T) {
	t.Parallel()
	a, err := issue.NewAuthority(rsaKey(t, "ca.pem"), "alice", terms(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	key := ecKey(t, elliptic.P256()).Public()
	c, err := a.Issue(key, issue.Client("c"), terms(24*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := c.NotAfter, a.Certificate().NotAfter; !got.Equal(want) {
		t.Errorf("it ends %v, want %v", got, want)
	}
	for name, at := range map[string]time.Time{"before": now.Add(-time.Hour), "after": now.Add(time.Hour)} {
		_, err := a.Issue(key, issue.Client("c"), issue.Terms{Now: at, Lifetime: time.Hour, Rand: rand.Reader})
		if err == nil {
			t.Errorf("an authority issues %s its own life", name)
			continue
		}
		refused(t, err, "is valid from")
	}
}

func TestRenewalIsDueAfterTwoThirdsOfALife(t *testing.T) {
	t.Parallel()
	c := &x509.Certificate{NotBefore: now, NotAfter: now.Add(90 * 24 * time.Hour)}
	if got, want := issue.RenewAt(c), now.Add(60*24*time.Hour); !got.Equal(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWhatCannotStandInACertificateIsRefusedWithReasonAndRemedy(t *testing.T) {
	t.Parallel()
	a := authority(t, "alice")
	good := ecKey(t, elliptic.P256()).Public()
	hosts := make([]netip.Addr, 257)
	for _, c := range []struct {
		name    string
		key     crypto.PublicKey
		profile issue.Profile
		life    time.Duration
		want    string
	}{
		{"no common name", good, issue.Client(""), time.Hour, "the common name has 0 bytes"},
		{"a very long common name", good, issue.Client(strings.Repeat("a", 129)), time.Hour, "the common name has 129 bytes"},
		{"no use", good, issue.Profile{CommonName: "c"}, time.Hour, "for neither servers nor clients"},
		{"an address among the DNS names", good, issue.Server("s", []string{"10.0.0.1"}, nil), time.Hour, `"10.0.0.1" is no DNS name`},
		{"a space in a DNS name", good, issue.Server("s", []string{"a b"}, nil), time.Hour, "is no DNS name"},
		{"an empty label", good, issue.Server("s", []string{"a..b"}, nil), time.Hour, "is no DNS name"},
		{"a star inside", good, issue.Server("s", []string{"a.*.b"}, nil), time.Hour, "is no DNS name"},
		{"a star alone", good, issue.Server("s", []string{"*."}, nil), time.Hour, "is no DNS name"},
		{"an address with a zone", good, issue.Server("s", nil, []netip.Addr{netip.MustParseAddr("fe80::1%eth0")}), time.Hour, "is no address for a certificate"},
		{"too many hosts", good, issue.Server("s", nil, hosts), time.Hour, "has 257 hosts"},
		{"no lifetime", good, issue.Client("c"), 0, "cannot live 0s"},
		{"a short RSA key", &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537}, issue.Client("c"), time.Hour, "1024 bits"},
		{"another curve", ecKey(t, elliptic.P384()).Public(), issue.Client("c"), time.Hour, "P-384 is not accepted"},
		{"half an Ed25519 key", ed25519.PublicKey(make([]byte, 16)), issue.Client("c"), time.Hour, "an Ed25519 key of 16 bytes"},
		{"no key", nil, issue.Client("c"), time.Hour, "a key of type <nil>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := a.Issue(c.key, c.profile, terms(c.life))
			refused(t, err, c.want)
		})
	}
}

func TestAProfileOfABadNameIsNotMade(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"a gateway of a reserved domain":      second(issue.Gateway("master", "gw")),
		"a gateway whose domain is a path":    second(issue.Gateway("alice/gateway/x", "gw")),
		"a gateway whose name is a path":      second(issue.Gateway("alice", "../x")),
		"a member with capital letters":       second(issue.Member("Alice")),
		"an external listener without domain": second(issue.External("", nil, nil)),
		"an authority of a reserved domain":   second(issue.NewAuthority(rsaKey(t, "ca.pem"), "master", terms(time.Hour))),
	} {
		if err == nil {
			t.Errorf("%s was made", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestTheGatewaysURIIsPartedByItsReader shows that domain and name come out of the URI as they went in.
func TestTheGatewaysURIIsPartedByItsReader(t *testing.T) {
	t.Parallel()
	p := profile(issue.Gateway("alice", "gw.0-x"))
	u, err := url.Parse(p.URI.String())
	if err != nil {
		t.Fatal(err)
	}
	if u.Scheme != "spiffe" || u.Host != "alice" || u.Path != "/gateway/gw.0-x" {
		t.Errorf("got %q, %q and %q", u.Scheme, u.Host, u.Path)
	}
}

// refused fails unless the error gives the reason and a remedy on one line.
func refused(tb testing.TB, err error, want string) {
	tb.Helper()
	if err == nil {
		tb.Fatal("it was accepted")
	}
	if text := err.Error(); !strings.Contains(text, want) || !strings.Contains(text, "; ") || strings.Contains(text, "\n") {
		tb.Errorf("got %q, want one line with %q and a remedy", text, want)
	}
}
