package seal_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/entente-mesh/entente/auth/keys"
	"github.com/entente-mesh/entente/auth/seal"
)

const (
	goldenHalf  = "0123456789abcdef"
	goldenToken = "0123456789abcdefghijklmnopqrstuv"
)

func file(tb testing.TB, name string) string {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return string(raw)
}

func key(tb testing.TB, name string) *rsa.PrivateKey {
	tb.Helper()
	k, err := keys.ParsePrivate(base64.StdEncoding.EncodeToString([]byte(file(tb, name))))
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func TestWhatAnotherImplementationSealedOpens(t *testing.T) {
	t.Parallel()
	k := key(t, "key.pem")
	half, err := seal.OpenHalf(k, file(t, "half.sealed"))
	if err != nil {
		t.Fatal(err)
	}
	if want := seal.Half([]byte(goldenHalf)); half != want {
		t.Errorf("got the half %q, want %q", half[:], want[:])
	}
	token, err := seal.OpenToken(k, file(t, "token.sealed"))
	if err != nil {
		t.Fatal(err)
	}
	if want := seal.Token([]byte(goldenToken)); token != want {
		t.Errorf("got the token %q, want %q", token[:], want[:])
	}
	if got, want := token.Header(), file(t, "token.header"); got != want {
		t.Errorf("got the header %q, want %q", got, want)
	}
}

func TestTheLengthsOnTheWireAreThoseOfThePartners(t *testing.T) {
	t.Parallel()
	k := key(t, "key.pem")
	half, err := seal.Half{}.Seal(&k.PublicKey, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	token, err := seal.Token{}.Seal(&k.PublicKey, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public := keys.EncodePublic(&k.PublicKey)
	hash, err := keys.Hash(public)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		got  int
		want int
	}{
		{"a sealed half", len(half), 344},
		{"a sealed token", len(token), 344},
		{"a header", len(seal.Token{}.Header()), 44},
		{"a public key's PEM text", len(file(t, "public.pem")), 426},
		{"a public key", len(public), 568},
		{"a pubhash", len(hash), 44},
	} {
		if c.got != c.want {
			t.Errorf("%s has %d characters, want %d", c.what, c.got, c.want)
		}
	}
}

func TestWhatWasSealedOpensAgainAndLooksDifferentEachTime(t *testing.T) {
	t.Parallel()
	k := key(t, "key.pem")
	half, err := seal.NewHalf(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	token, err := seal.NewToken(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 2 {
		sealedHalf, err := half.Seal(&k.PublicKey, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		sealedToken, err := token.Seal(&k.PublicKey, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := seal.OpenHalf(k, sealedHalf); err != nil || !got.Equal(half) {
			t.Errorf("the half came back as another one: %v", err)
		}
		if got, err := seal.OpenToken(k, sealedToken); err != nil || !got.Equal(token) {
			t.Errorf("the token came back as another one: %v", err)
		}
		seen[sealedHalf], seen[sealedToken] = true, true
	}
	if len(seen) != 4 {
		t.Errorf("four sealings gave %d texts, want 4", len(seen))
	}
}

func TestEveryTextThatDoesNotOpenGetsTheSameAnswer(t *testing.T) {
	t.Parallel()
	k := key(t, "key.pem")
	good := file(t, "half.sealed")
	raw, err := base64.StdEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	tampered := bytes.Clone(raw)
	tampered[100] ^= 1
	above := new(big.Int).Add(k.N, big.NewInt(1)).FillBytes(make([]byte, k.Size()))
	for _, c := range []struct{ name, sealed string }{
		{"a changed bit", base64.StdEncoding.EncodeToString(tampered)},
		{"another prefix", file(t, "half.wrong-prefix")},
		{"a secret that is one byte short", file(t, "half.short")},
		{"a secret with one byte more", file(t, "half.long")},
		{"a whole token where a half is due", file(t, "token.sealed")},
		{"another padding", file(t, "half.oaep")},
		{"a number above the modulus", base64.StdEncoding.EncodeToString(above)},
		{"zero", base64.StdEncoding.EncodeToString(make([]byte, k.Size()))},
		{"no text", ""},
		{"no base64", strings.Repeat("!", len(good))},
		{"base64 of another alphabet", strings.NewReplacer("+", "-", "/", "_").Replace(good)},
		{"loose bits at the end", strings.TrimSuffix(good, "==")[:341] + string(good[341]+1) + "=="},
		{"a line break inside", good[:len(good)-5] + "\n" + good[len(good)-4:]},
		{"a line break behind", good + "\n"},
		{"one byte less", base64.StdEncoding.EncodeToString(raw[1:])},
		{"one byte more", base64.StdEncoding.EncodeToString(append([]byte{0}, raw...))},
		{"a very long text", strings.Repeat("A", 1<<20)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := seal.OpenHalf(k, c.sealed)
			if err != seal.ErrNotOpened { //nolint:errorlint // not even a wrapped one may tell them apart
				t.Errorf("got %v, want ErrNotOpened alone", err)
			}
			if got != (seal.Half{}) {
				t.Error("a half came out beside the error")
			}
		})
	}
	t.Run("another domain's key", func(t *testing.T) {
		t.Parallel()
		if _, err := seal.OpenHalf(key(t, "other.pem"), good); err != seal.ErrNotOpened { //nolint:errorlint // as above
			t.Errorf("got %v, want ErrNotOpened alone", err)
		}
	})
	t.Run("a half where a token is due", func(t *testing.T) {
		t.Parallel()
		if _, err := seal.OpenToken(k, good); err != seal.ErrNotOpened { //nolint:errorlint // as above
			t.Errorf("got %v, want ErrNotOpened alone", err)
		}
	})
}

func TestATokenIsTheSourcesHalfBeforeTheDestinations(t *testing.T) {
	t.Parallel()
	got := seal.Join(seal.Half([]byte("aaaaaaaaaaaaaaaa")), seal.Half([]byte("bbbbbbbbbbbbbbbb")))
	if want := seal.Token([]byte("aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbb")); got != want {
		t.Errorf("got %q, want %q", got[:], want[:])
	}
}

func TestASecretThatDiffersIsNotEqual(t *testing.T) {
	t.Parallel()
	half, token := seal.Half([]byte(goldenHalf)), seal.Token([]byte(goldenToken))
	if !half.Equal(half) || !token.Equal(token) {
		t.Error("a secret does not equal itself")
	}
	if half.Equal(seal.Half{}) || token.Equal(seal.Token{}) {
		t.Error("a secret equals another one")
	}
}

func TestWithoutRandomnessNothingIsDrawn(t *testing.T) {
	t.Parallel()
	dry := iotest.ErrReader(errors.New("dry"))
	if h, err := seal.NewHalf(dry); err == nil || h != (seal.Half{}) {
		t.Error("a half came from nowhere")
	}
	if k, err := seal.NewToken(dry); err == nil || k != (seal.Token{}) {
		t.Error("a token came from nowhere")
	}
}

func TestASecretNeverShowsItself(t *testing.T) {
	t.Parallel()
	half, token := seal.Half([]byte(goldenHalf)), seal.Token([]byte(goldenToken))
	var out bytes.Buffer
	for _, secret := range []any{half, token, &half, &token, struct{ T seal.Token }{token}, []any{half, token}, map[string]any{"t": token}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U", "%10v"} {
			fmt.Fprintf(&out, verb+"\n", secret)
		}
		fmt.Fprintln(&out, secret)
		if err := json.NewEncoder(&out).Encode(secret); err != nil {
			t.Fatal(err)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "secret", secret)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "secret", secret)
	}
	fmt.Fprintln(&out, half.String(), token.String(), half.GoString(), token.GoString())
	text := strings.ToLower(out.String())
	for _, leak := range []string{"456789", "343536", "34 35 36", "52 53 54", "mdeymzq1", "64 65 66", "0x34, 0x35", "110100"} {
		if strings.Contains(text, leak) {
			t.Errorf("the secret shows as %q in:\n%s", leak, text)
		}
	}
	if !strings.Contains(text, "[redacted]") {
		t.Errorf("nothing says that a secret was left out:\n%s", text)
	}
}

func FuzzOpen(f *testing.F) {
	k := key(f, "key.pem")
	for _, name := range []string{"half.sealed", "token.sealed", "half.wrong-prefix", "half.short", "half.long", "half.oaep", "token.header", "key.pem"} {
		f.Add(file(f, name))
	}
	f.Fuzz(func(t *testing.T, sealed string) {
		half, err := seal.OpenHalf(k, sealed)
		if err != nil && (err != seal.ErrNotOpened || half != seal.Half{}) { //nolint:errorlint // not even a wrapped one may tell them apart
			t.Fatalf("got %v, want ErrNotOpened alone", err)
		}
		token, err := seal.OpenToken(k, sealed)
		if err != nil && (err != seal.ErrNotOpened || token != seal.Token{}) { //nolint:errorlint // as above
			t.Fatalf("got %v, want ErrNotOpened alone", err)
		}
	})
}

func BenchmarkOpenToken(b *testing.B) {
	k, sealed := key(b, "key.pem"), file(b, "token.sealed")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := seal.OpenToken(k, sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSealToken(b *testing.B) {
	k := key(b, "key.pem")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (seal.Token{}).Seal(&k.PublicKey, rand.Reader); err != nil {
			b.Fatal(err)
		}
	}
}
