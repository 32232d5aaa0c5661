package seal_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/entente-mesh/entente/auth/seal"
)

// filled is a vault of n tokens: that of "sealed i" begins with i.
func filled(tb testing.TB, n int) *seal.Vault {
	tb.Helper()
	v := seal.NewVault(key(tb, "key.pem"))
	for i := range n {
		v.Put(fmt.Sprintf("sealed %d", i), seal.Token{byte(i), byte(i >> 8)})
	}
	return v
}

func encoded(tb testing.TB, v *seal.Vault) []byte {
	tb.Helper()
	file, err := v.Encode(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return file
}

func TestAVaultRemembersAcrossAFile(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 1000} {
		v, err := seal.OpenVault(key(t, "key.pem"), encoded(t, filled(t, n)))
		if err != nil {
			t.Fatal(err)
		}
		if v.Len() != n {
			t.Fatalf("got %d tokens back, want %d", v.Len(), n)
		}
		for i := range n {
			if got, ok := v.Get(fmt.Sprintf("sealed %d", i)); !ok || got != (seal.Token{byte(i), byte(i >> 8)}) {
				t.Fatalf("token %d of %d came back as another one", i, n)
			}
		}
		if _, ok := v.Get("never sealed"); ok {
			t.Error("a token came back that was never put")
		}
	}
}

func TestAVaultForgetsWhatIsNoLongerInUse(t *testing.T) {
	t.Parallel()
	v := filled(t, 5)
	inUse := map[string]bool{"sealed 1": true, "sealed 3": true, "never seen": true}
	if got := v.Keep(maps.Keys(inUse)); got != 3 {
		t.Errorf("forgot %d tokens, want 3", got)
	}
	for i := range 5 {
		name := fmt.Sprintf("sealed %d", i)
		if _, ok := v.Get(name); ok != inUse[name] {
			t.Errorf("%s is remembered: %t, want %t", name, ok, inUse[name])
		}
	}
	if got := v.Keep(slices.Values([]string{"sealed 1", "sealed 3"})); got != 0 {
		t.Errorf("the second time forgot %d tokens, want none", got)
	}
}

func TestAFullVaultRemembersNoMoreAndStillFitsItsFile(t *testing.T) {
	t.Parallel()
	const limit = 1 << 17
	v := filled(t, limit+1)
	if v.Len() != limit {
		t.Fatalf("the vault has %d tokens, want %d", v.Len(), limit)
	}
	file := encoded(t, v)
	if len(file) != seal.MaxVaultSize {
		t.Errorf("the file has %d bytes, want %d", len(file), seal.MaxVaultSize)
	}
	if _, err := seal.OpenVault(key(t, "key.pem"), file); err != nil {
		t.Error(err)
	}
	if _, err := seal.OpenVault(key(t, "key.pem"), append(file, 0)); !errors.Is(err, seal.ErrVault) {
		t.Errorf("a longer file gave %v, want ErrVault", err)
	}
}

func TestAFileShowsNeitherTokensNorSealedTextsAndDiffersEachTime(t *testing.T) {
	t.Parallel()
	v := seal.NewVault(key(t, "key.pem"))
	v.Put(file(t, "token.sealed"), seal.Token([]byte(goldenToken)))
	a, b := encoded(t, v), encoded(t, v)
	if bytes.Equal(a, b) {
		t.Error("two files of one vault are the same, so their nonces are")
	}
	for _, shown := range []string{goldenToken[:8], file(t, "token.sealed")[:8]} {
		if bytes.Contains(a, []byte(shown)) {
			t.Errorf("the file shows %q", shown)
		}
	}
}

func TestAChangedOrForeignFileIsRefusedWhole(t *testing.T) {
	t.Parallel()
	good := encoded(t, filled(t, 3))
	for i := range good {
		changed := bytes.Clone(good)
		changed[i] ^= 0x20
		if _, err := seal.OpenVault(key(t, "key.pem"), changed); !errors.Is(err, seal.ErrVault) {
			t.Fatalf("with byte %d changed got %v, want ErrVault", i, err)
		}
		if _, err := seal.OpenVault(key(t, "key.pem"), good[:i]); !errors.Is(err, seal.ErrVault) {
			t.Fatalf("with %d of %d bytes got %v, want ErrVault", i, len(good), err)
		}
	}
	if _, err := seal.OpenVault(key(t, "other.pem"), good); !errors.Is(err, seal.ErrVault) {
		t.Errorf("with another domain's key got %v, want ErrVault", err)
	}
}

func TestWithoutRandomnessNoFileIsWritten(t *testing.T) {
	t.Parallel()
	dry := errors.New("dry")
	if out, err := filled(t, 1).Encode(iotest.ErrReader(dry)); !errors.Is(err, dry) || out != nil {
		t.Errorf("got %d bytes and %v, want none and the reader's error", len(out), err)
	}
}

func FuzzOpenVault(f *testing.F) {
	k := key(f, "key.pem")
	f.Add(encoded(f, filled(f, 0)))
	f.Add(encoded(f, filled(f, 3)))
	f.Add([]byte("entente vault 1\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		v, err := seal.OpenVault(k, file)
		if err == nil {
			v.Put("one more", seal.Token{})
		} else if !errors.Is(err, seal.ErrVault) {
			t.Fatalf("got %v, want ErrVault", err)
		}
	})
}

func BenchmarkVaultOf3000(b *testing.B) {
	v := filled(b, 3000)
	file, k := encoded(b, v), key(b, "key.pem")
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := seal.OpenVault(k, file); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := v.Encode(rand.Reader); err != nil {
				b.Fatal(err)
			}
		}
	})
}
