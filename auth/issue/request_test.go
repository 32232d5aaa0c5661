package issue_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/entente-mesh/entente/auth/issue"
)

// goldenDeployToken is what request.pem carries.
const goldenDeployToken = "abcdefghjkmnpqrstuvwxyz23456789A"

func token(tb testing.TB, text string) issue.DeployToken {
	tb.Helper()
	d, err := issue.ParseDeployToken(text)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func TestAnotherToolsRequestIsRead(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func() (*issue.Request, error){
		"as PEM": func() (*issue.Request, error) { return issue.ParseRequest(file(t, "request.pem"), "alice") },
		"as base64 of PEM": func() (*issue.Request, error) {
			return issue.ParseRequestText(string(file(t, "request.base64")), "alice")
		},
	} {
		r, err := read()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !rsaKey(t, "key.pem").PublicKey.Equal(r.Key) || r.Domain != "alice" || r.DeployToken.Text() != goldenDeployToken {
			t.Errorf("%s: got domain %s and deploy token %q, or another key", name, r.Domain, r.DeployToken.Text())
		}
	}
}

func TestARequestCarriesWhatAMasterOfTheOriginalLooksFor(t *testing.T) {
	t.Parallel()
	got, err := issue.NewRequest(rsaKey(t, "key.pem"), "alice", token(t, goldenDeployToken), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// Other tools spell the name in other bytes, so what matters is compared and not the whole.
	b, _ := pem.Decode(got)
	csr, err := x509.ParseCertificateRequest(b.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if b.Type != "CERTIFICATE REQUEST" || csr.SignatureAlgorithm != x509.SHA256WithRSA || csr.Subject.String() != "CN=alice" {
		t.Errorf("got %s, %s, %s", b.Type, csr.SignatureAlgorithm, csr.Subject)
	}
	want := asn1.ObjectIdentifier{1, 2, 3, 4}
	if len(csr.Extensions) != 1 || !csr.Extensions[0].Id.Equal(want) || string(csr.Extensions[0].Value) != goldenDeployToken {
		t.Errorf("got the extensions %v, want the raw deploy token alone", csr.Extensions)
	}
}

func TestARequestOfEachKindOfKeyIsReadBack(t *testing.T) {
	t.Parallel()
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []crypto.Signer{rsaKey(t, "key.pem"), ecKey(t, elliptic.P256()), edKey} {
		text, err := issue.NewRequest(key, "bob", issue.DeployToken{}, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		r, err := issue.ParseRequest(text, "bob")
		if err != nil {
			t.Fatalf("%T: %v", key, err)
		}
		if public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(r.Key) {
			t.Errorf("%T: another key came back", key)
		}
		if !r.DeployToken.IsZero() {
			t.Errorf("%T: a deploy token came from nowhere", key)
		}
	}
}

// made is a request that this package would not make.
func made(tb testing.TB, key crypto.Signer, template x509.CertificateRequest) []byte {
	tb.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, key)
	if err != nil {
		tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

func TestABadRequestIsRefusedWithReasonAndRemedy(t *testing.T) {
	t.Parallel()
	ec := ecKey(t, elliptic.P256())
	alice := pkix.Name{CommonName: "alice"}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	good := file(t, "request.pem")
	b, _ := pem.Decode(good)
	forged := bytes.Clone(b.Bytes)
	forged[len(forged)-1] ^= 1
	oid := asn1.ObjectIdentifier{1, 2, 3, 4}
	extension := func(values ...string) x509.CertificateRequest {
		r := x509.CertificateRequest{Subject: alice}
		for _, v := range values {
			r.ExtraExtensions = append(r.ExtraExtensions, pkix.Extension{Id: oid, Value: []byte(v)})
		}
		return r
	}
	for _, c := range []struct {
		name string
		text []byte
		want string
	}{
		{"another domain", made(t, ec, x509.CertificateRequest{Subject: pkix.Name{CommonName: "bob"}}), `is for "bob", not for domain "alice"`},
		{"no common name", made(t, ec, x509.CertificateRequest{}), `is for "", not for domain "alice"`},
		{"another signature", pem.EncodeToMemory(&pem.Block{Type: b.Type, Bytes: forged}), "not signed by its own key"},
		{"a short key", made(t, short, x509.CertificateRequest{Subject: alice}), "1024 bits, at least 2048"},
		{"another curve", made(t, ecKey(t, elliptic.P521()), x509.CertificateRequest{Subject: alice}), "P-521 is not accepted"},
		{"an empty deploy token", made(t, ec, extension("")), "the deploy token has 0 characters"},
		{"a very long deploy token", made(t, ec, extension(strings.Repeat("a", 129))), "the deploy token has 129 characters"},
		{"a deploy token with a line break", made(t, ec, extension("abc\n")), "character 4 of the deploy token"},
		{"a damaged request", pem.EncodeToMemory(&pem.Block{Type: b.Type, Bytes: b.Bytes[:100]}), "is damaged"},
		{"a certificate", file(t, "ca.crt"), `is a "CERTIFICATE"`},
		{"no text", nil, "no PEM block"},
		{"two requests", append(bytes.Clone(good), good...), "bytes follow"},
		{"a very long text", make([]byte, 1<<20), "at most 16384 are read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := issue.ParseRequest(c.text, "alice")
			refused(t, err, c.want)
		})
	}
	for _, c := range []struct{ name, text, want string }{
		{"no base64", "!", "is not base64"},
		{"base64 of nothing", "", "no PEM block"},
		{"a very long text in base64", strings.Repeat("A", 1<<20), "at most 21848 are read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := issue.ParseRequestText(c.text, "alice")
			refused(t, err, c.want)
		})
	}
	t.Run("a domain that cannot be", func(t *testing.T) {
		t.Parallel()
		_, err := issue.ParseRequest(made(t, ec, x509.CertificateRequest{Subject: pkix.Name{CommonName: "master"}}), "master")
		refused(t, err, "reserved")
		if _, err := issue.NewRequest(ec, "master", issue.DeployToken{}, rand.Reader); err == nil {
			t.Error("a request for a reserved domain was made")
		}
	})
}

func TestADeployTokenIs32CharactersThatNobodyMistakes(t *testing.T) {
	t.Parallel()
	seen := map[rune]int{}
	var last issue.DeployToken
	for range 1000 {
		d, err := issue.NewDeployToken(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Text()) != 32 || d.Equal(last) {
			t.Fatalf("got %q after %q", d.Text(), last.Text())
		}
		for _, r := range d.Text() {
			seen[r]++
		}
		last = d
	}
	if len(seen) != 57 {
		t.Errorf("32,000 letters are of %d kinds, want 57", len(seen))
	}
	for r, n := range seen { // 561 expected of each; the bounds are nine standard deviations away
		if strings.ContainsRune("0O1lI", r) || n < 350 || n > 775 {
			t.Errorf("%q came %d times", r, n)
		}
	}
}

func TestNoLetterOfADeployTokenIsLikelierThanAnother(t *testing.T) {
	t.Parallel()
	// Bytes of 228 and more have no fair letter and are drawn again.
	d, err := issue.NewDeployToken(strings.NewReader(strings.Repeat("\xe4\xff", 16) + strings.Repeat("\x00\x39", 16)))
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("2", 32); d.Text() != want {
		t.Errorf("got %q, want %q", d.Text(), want)
	}
	dry := errors.New("dry")
	if d, err := issue.NewDeployToken(iotest.ErrReader(dry)); !errors.Is(err, dry) || !d.IsZero() {
		t.Errorf("got %v, want the reader's error and no token", err)
	}
}

func TestOnlyTheSameDeployTokenIsEqual(t *testing.T) {
	t.Parallel()
	a, b := token(t, "aaaa"), token(t, "aaab")
	switch {
	case !a.Equal(token(t, "aaaa")):
		t.Error("a token does not equal itself")
	case a.Equal(b), a.Equal(token(t, "aaa")), a.Equal(issue.DeployToken{}):
		t.Error("a token equals another one")
	case (issue.DeployToken{}).Equal(issue.DeployToken{}):
		t.Error("no token equals no token, which would let everybody in")
	}
}

func TestADeployTokenNeverShowsItself(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	secret := token(t, goldenDeployToken)
	for _, v := range []any{secret, &secret, issue.Request{DeployToken: secret}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Fatal(err)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "secret", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "secret", v)
	}
	for _, leak := range []string{goldenDeployToken[:6], "616263"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("the token shows as %q in:\n%s", leak, out.String())
		}
	}
	if secret.String() != "[redacted]" || secret.GoString() != "[redacted]" || (issue.DeployToken{}).String() != "none" {
		t.Error("a token and none must be told apart without showing it")
	}
}

func FuzzParseRequest(f *testing.F) {
	ec := ecKey(f, elliptic.P256())
	f.Add(file(f, "request.pem"), "alice")
	f.Add(file(f, "ca.crt"), "alice")
	f.Add(made(f, ec, x509.CertificateRequest{Subject: pkix.Name{CommonName: "bob"}, DNSNames: []string{"a"}}), "bob")
	f.Fuzz(func(t *testing.T, text []byte, domain string) {
		r, err := issue.ParseRequest(text, domain)
		if err == nil && (r.Domain != domain || r.Key == nil) {
			t.Fatalf("accepted %+v for %q", r, domain)
		}
		again, errAgain := issue.ParseRequestText(base64.StdEncoding.EncodeToString(text), domain)
		if (err == nil) != (errAgain == nil) || err == nil && again.DeployToken.Text() != r.DeployToken.Text() {
			t.Fatalf("PEM gives %v, base64 of it %v", err, errAgain)
		}
	})
}
