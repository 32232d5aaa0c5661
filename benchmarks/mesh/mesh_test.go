package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/entente-mesh/entente/auth/keys"
	"github.com/entente-mesh/entente/auth/seal"
	"github.com/entente-mesh/entente/xds/proxy"
)

// TestMain lets the test program be the writer, as the benchmark program can.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == writerArgument {
		exit(serveWriter(context.Background(), os.Args[2:], os.Stdout))
	}
	os.Exit(m.Run())
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, args, want string }{
		{"a format that nobody writes", "-format xml", "table or benchstat"},
		{"a word too many", "-quick now", `unexpected argument "now"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if _, err := parse(strings.Fields(tc.args)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("want an error with %q, got %v", tc.want, err)
			}
		})
	}
}

func TestEachEndpointHasAnAddressOfItsOwn(t *testing.T) {
	t.Parallel()
	seen := map[netip.Addr]bool{}
	for i := range 3 << 16 {
		a, err := netip.ParseAddr(address(i))
		if err != nil || seen[a] {
			t.Fatalf("address %d is %q: twice %v, %v", i, address(i), seen[a], err)
		}
		seen[a] = true
	}
}

func TestTokensAreSealedForTheDomain(t *testing.T) {
	t.Parallel()
	key, err := keys.GeneratePrivate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := newTokens(&key.PublicKey, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	var opened []seal.Token
	for i, token := range tokens {
		o, err := seal.OpenToken(key, token.Token)
		if err != nil || token.Revision != int64(i+1) {
			t.Fatalf("token %d has revision %d: %v", i, token.Revision, err)
		}
		opened = append(opened, o)
	}
	if opened[0].Equal(opened[1]) {
		t.Error("both revisions are the same token")
	}
}

func TestEachFigureHasAKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, f := range figures() {
		if seen[f.Key] {
			t.Errorf("two figures are called %s", f.Key)
		}
		seen[f.Key] = true
	}
}

// The whole program, with few objects: every figure must have samples.
func TestAQuickRunFillsTheTable(t *testing.T) {
	t.Parallel()
	if os.Getenv("ENTENTE_BIN") == "" || os.Getenv(proxy.Env) == "" {
		t.Skip("ENTENTE_BIN or ENVOY is not set: `make test` sets both")
	}
	var out bytes.Buffer
	if err := benchmark(t.Context(), []string{"-quick", "-format", "benchstat"}, &out); err != nil {
		t.Fatal(err)
	}
	for _, f := range figures() {
		if !strings.Contains(out.String(), "Benchmark"+f.Key+"/system=entente") {
			t.Errorf("no sample of %s", f.Key)
		}
	}
}
