package keys

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func file(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func b64(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) }

func TestAPublicKeyIsWrittenByteForByteAsPartnersCompareIt(t *testing.T) {
	t.Parallel()
	k, err := ParsePrivate(b64(file(t, "pkcs1.pem")))
	if err != nil {
		t.Fatal(err)
	}
	got := EncodePublic(&k.PublicKey)
	if diff := cmp.Diff(string(file(t, "public.base64")), got); diff != "" {
		t.Errorf("public key (-want +got):\n%s", diff)
	}
	raw, err := base64.StdEncoding.DecodeString(got)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 568 || len(raw) != 426 {
		t.Errorf("got %d characters of base64 and %d bytes of PEM, want 568 and 426", len(got), len(raw))
	}
}

func TestTheHashIsThatOfThePEMBytes(t *testing.T) {
	t.Parallel()
	got, err := Hash(string(file(t, "public.base64")))
	if err != nil {
		t.Fatal(err)
	}
	if want := string(file(t, "pubhash")); got != want || len(got) != 44 {
		t.Errorf("got %q, want %q of 44 characters", got, want)
	}
	for _, bad := range []string{"", "!", "\n"} {
		if got, err := Hash(bad); err == nil {
			t.Errorf("Hash(%q) = %q, want an error: an empty hash could equal a missing one", bad, got)
		}
	}
}

func TestEveryFormOfTheSameKeyIsTheSameKey(t *testing.T) {
	t.Parallel()
	want, err := ParsePrivate(b64(file(t, "pkcs1.pem")))
	if err != nil {
		t.Fatal(err)
	}
	mislabeled := bytes.ReplaceAll(file(t, "pkcs8.pem"), []byte(" PRIVATE KEY"), []byte(" RSA PRIVATE KEY"))
	private := map[string]string{
		"PKCS#8":                             b64(file(t, "pkcs8.pem")),
		"PKCS#8 under the label of PKCS#1":   b64(mislabeled),
		"what EncodePrivate writes":          EncodePrivate(want),
		"text broken into lines":             "\n" + b64(file(t, "pkcs1.pem"))[:64] + "\n" + b64(file(t, "pkcs1.pem"))[64:] + "\n",
		"explanatory text before the block":  b64(append([]byte("made for a test\n"), file(t, "pkcs1.pem")...)),
		"blank lines after the block":        b64(append(file(t, "pkcs1.pem"), "\n\n"...)),
		"lines that end as on other systems": b64(bytes.ReplaceAll(file(t, "pkcs1.pem"), []byte("\n"), []byte("\r\n"))),
	}
	for name, text := range private {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ParsePrivate(text)
			if err != nil {
				t.Fatal(err)
			}
			if !got.Equal(want) {
				t.Error("a different key came out")
			}
		})
	}
	for _, name := range []string{"public-pkcs1.pem", "public-pkix.pem"} {
		got, err := ParsePublic(b64(file(t, name)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !got.Equal(&want.PublicKey) {
			t.Errorf("%s: a different key came out", name)
		}
	}
}

func TestAGeneratedKeyCanBeReadBack(t *testing.T) {
	t.Parallel()
	k, err := GeneratePrivate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if got := k.N.BitLen(); got != 2048 {
		t.Errorf("got %d bits, want 2048", got)
	}
	private, err := ParsePrivate(EncodePrivate(k))
	if err != nil {
		t.Fatal(err)
	}
	public, err := ParsePublic(EncodePublic(&k.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	if !private.Equal(k) || !public.Equal(&k.PublicKey) {
		t.Error("a different key came back")
	}
}

func TestABadPrivateKeyIsRefusedWithReasonAndRemedy(t *testing.T) {
	t.Parallel()
	good := file(t, "pkcs1.pem")
	damaged := bytes.Clone(good)
	copy(damaged[200:], "AAAAAAAA")
	for _, c := range []struct{ name, text, want string }{
		{"no text", " \n", "the key is empty"},
		{"PEM that was not encoded", string(good), "the key is PEM text, not base64 of it"},
		{"no base64", "not a key!", "the key is not base64"},
		{"base64 of something else", b64([]byte("hello")), "the base64 text holds no PEM block"},
		{"bytes after the block", b64(append(bytes.Clone(good), "more"...)), "4 bytes follow the PEM block"},
		{"two keys", b64(append(bytes.Clone(good), good...)), "1679 bytes follow the PEM block"},
		{"an old encrypted key", b64(file(t, "encrypted-pkcs1.pem")), "the private key is encrypted with a passphrase"},
		{"a new encrypted key", b64(file(t, "encrypted-pkcs8.pem")), "the private key is encrypted with a passphrase"},
		{"an elliptic curve key", b64(file(t, "ec.pem")), "the key is an elliptic curve key, RSA is needed"},
		{"an elliptic curve key in PKCS#8", b64(file(t, "ec-pkcs8.pem")), "the private key is not an RSA key"},
		{"a short key", b64(file(t, "short.pem")), "the RSA key has 1024 bits, at least 2048 are needed"},
		{"a public key", b64(file(t, "public-pkcs1.pem")), "the PEM block is no private key"},
		{"a damaged key", b64(damaged), "the private key is damaged"},
		{"half a key", b64(good[:800]), "the base64 text holds no PEM block"},
		{"a very long text", strings.Repeat("A", maxText+1), "the key has 32769 characters, at most 32768 are read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParsePrivate(c.text)
			refused(t, err, c.want)
		})
	}
}

func TestABadPublicKeyIsRefusedWithReasonAndRemedy(t *testing.T) {
	t.Parallel()
	even := &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 2047), E: 65537}
	odd := new(big.Int).Add(even.N, big.NewInt(1))
	for _, c := range []struct{ name, text, want string }{
		{"a private key", b64(file(t, "pkcs1.pem")), "the PEM block is no public key"},
		{"an elliptic curve key", b64(file(t, "ec-public.pem")), "the public key is not an RSA key"},
		{"a short key", b64(file(t, "short-public.pem")), "the RSA key has 1024 bits, at least 2048 are needed"},
		{"a damaged key", encode(pemPublicPKCS1, []byte("abc")), "the public key is damaged"},
		{"a damaged key in PKIX", encode(pemPublicPKIX, []byte("abc")), "the public key is damaged"},
		{"an even modulus", EncodePublic(even), "the RSA key's modulus is even"},
		{"an exponent of one, which encrypts nothing", EncodePublic(&rsa.PublicKey{N: odd, E: 1}), "the RSA key's exponent is not an odd number above 2"},
		{"a huge key", EncodePublic(&rsa.PublicKey{N: new(big.Int).Lsh(odd, 8192), E: 3}), "the RSA key has 10240 bits, at most 8192 are accepted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParsePublic(c.text)
			refused(t, err, c.want)
		})
	}
}

func refused(t *testing.T, err error, want string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error", err)
	}
	if e.Reason != want || e.Remedy == "" || strings.Contains(e.Error(), "\n") {
		t.Errorf("got %q, want the reason %q and a remedy on one line", e.Error(), want)
	}
}

func FuzzParsePrivate(f *testing.F) {
	for _, name := range []string{"pkcs1.pem", "pkcs8.pem", "ec.pem", "ec-pkcs8.pem", "encrypted-pkcs1.pem", "encrypted-pkcs8.pem", "short.pem"} {
		f.Add(file(f, name))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := ParsePrivate(b64(raw))
		if err != nil {
			quiet(t, raw, err)
			return
		}
		again, err := ParsePrivate(EncodePrivate(k))
		if err != nil || !again.Equal(k) {
			t.Fatalf("an accepted key is not accepted again: %v", err)
		}
	})
}

func FuzzParsePublic(f *testing.F) {
	for _, name := range []string{"public-pkcs1.pem", "public-pkix.pem", "ec-public.pem", "short-public.pem", "pkcs1.pem"} {
		f.Add(file(f, name))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := ParsePublic(b64(raw))
		if err != nil {
			quiet(t, raw, err)
			return
		}
		again, err := ParsePublic(EncodePublic(k))
		if err != nil || !again.Equal(k) {
			t.Fatalf("an accepted key is not accepted again: %v", err)
		}
	})
}

// quiet fails when an error is not an [*Error] or repeats a line of the key.
func quiet(t *testing.T, raw []byte, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want an *Error", err)
	}
	b, _ := pem.Decode(raw)
	if b == nil || len(b.Bytes) < 16 {
		return
	}
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(line); len(line) >= 32 && !strings.HasPrefix(line, "-----") && strings.Contains(e.Error(), line) {
			t.Fatalf("the error repeats a line of the key")
		}
	}
}
