package source_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"iter"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/auth/seal"
	"github.com/entente-mesh/entente/mesh/source"
)

var domainKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func sealed(t testing.TB, key *rsa.PrivateKey) (text, header string) {
	t.Helper()
	token, err := seal.NewToken(rand.Reader)
	must(t, err)
	text, err = token.Seal(&key.PublicKey, rand.Reader)
	must(t, err)
	return text, token.Header()
}

// certificate is a client certificate with its key, valid until end.
func certificate(t testing.TB, end time.Time) *v1alpha1.MTLSConfig {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: end}, &x509.Certificate{}, key.Public(), key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	text := func(kind string, der []byte) string {
		return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return &v1alpha1.MTLSConfig{SourceClientCert: text("CERTIFICATE", der), SourceClientPrivateKey: text("PRIVATE KEY", private)}
}

func list(texts ...string) iter.Seq[string] { return slices.Values(texts) }

func TestAKeeperRemembersAcrossARestart(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "opened")
	k, err := source.NewKeeper(domainKey(), path)
	must(t, err)
	text, header := sealed(t, domainKey())
	if _, ok := k.Known(text); ok {
		t.Error("a token is known that nobody has opened")
	}
	if o := k.Open(text); o.Token.Reveal() != header || o.Fault != "" {
		t.Errorf("got fault %q or another token", o.Fault)
	}
	must(t, k.Save(list(text)))
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %o, want 600", info.Mode().Perm())
	}

	again, err := source.NewKeeper(domainKey(), path)
	must(t, err)
	if o, ok := again.Known(text); !ok || o.Token.Reveal() != header {
		t.Error("the token is not known after the restart")
	}
	must(t, again.Save(list())) // nobody lists it any more
	last, err := source.NewKeeper(domainKey(), path)
	must(t, err)
	if _, ok := last.Known(text); ok {
		t.Error("a token is known that nobody lists")
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
		t.Errorf("%d files are left, want one", len(files))
	}
}

func TestAKeeperDoesNotWriteWhatTheFileHas(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "opened")
	k, err := source.NewKeeper(domainKey(), path)
	must(t, err)
	text, _ := sealed(t, domainKey())
	k.Open(text)
	must(t, k.Save(list(text)))
	must(t, os.Remove(path))
	k.Open(text)
	must(t, k.Save(list(text)))
	if _, err := os.Stat(path); err == nil {
		t.Error("the file was written again without need")
	}
}

func TestAFileThatCannotBeUsedIsMadeAnew(t *testing.T) {
	t.Parallel()
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, path string)
	}{
		{"a damaged one", func(t *testing.T, path string) { must(t, os.WriteFile(path, []byte("nonsense"), 0o600)) }},
		{"an empty one", func(t *testing.T, path string) { must(t, os.WriteFile(path, nil, 0o600)) }},
		{"one of another key", func(t *testing.T, path string) {
			k, err := source.NewKeeper(other, path)
			must(t, err)
			text, _ := sealed(t, other)
			k.Open(text)
			must(t, k.Save(list(text)))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "opened")
			c.spoil(t, path)
			k, err := source.NewKeeper(domainKey(), path)
			if !errors.Is(err, seal.ErrVault) || k == nil {
				t.Fatalf("got %v, want the reason and a keeper that works", err)
			}
			text, header := sealed(t, domainKey())
			k.Open(text)
			must(t, k.Save(list(text)))
			again, err := source.NewKeeper(domainKey(), path)
			must(t, err)
			if o, ok := again.Known(text); !ok || o.Token.Reveal() != header {
				t.Error("the new file does not hold the token")
			}
		})
	}
}

func TestASaveThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "missing")
	k, err := source.NewKeeper(domainKey(), filepath.Join(folder, "opened"))
	must(t, err)
	text, _ := sealed(t, domainKey())
	k.Open(text)
	if err := k.Save(list(text)); err == nil {
		t.Error("a save into no folder went well")
	}
	must(t, os.Mkdir(folder, 0o700))
	must(t, k.Save(list(text)))
	if _, err := os.Stat(filepath.Join(folder, "opened")); err != nil {
		t.Error(err)
	}
}

func TestATokenOfAnotherKeyIsAFault(t *testing.T) {
	t.Parallel()
	k, err := source.NewKeeper(domainKey(), "")
	must(t, err)
	for _, text := range []string{"", "nonsense", base64.StdEncoding.EncodeToString(make([]byte, 256))} {
		if o := k.Open(text); o.Fault == "" || !o.Token.Empty() {
			t.Errorf("%q was opened", text)
		}
		if _, ok := k.Known(text); ok {
			t.Errorf("%q is known", text)
		}
	}
	must(t, k.Save(list()))
}

// BenchmarkKeeper opens tokens with the domain's key, and those that are known.
func BenchmarkKeeper(b *testing.B) {
	text, _ := sealed(b, domainKey())
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			k, err := source.NewKeeper(domainKey(), "")
			must(b, err)
			k.Open(text)
		}
	})
	b.Run("known", func(b *testing.B) {
		b.ReportAllocs()
		k, err := source.NewKeeper(domainKey(), "")
		must(b, err)
		k.Open(text)
		for b.Loop() {
			k.Known(text)
		}
	})
}
