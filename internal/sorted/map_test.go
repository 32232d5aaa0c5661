package sorted_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/entente-mesh/entente/internal/sorted"
)

// A pair is a map and the plain map that it must be equal to.
type pair struct {
	sorted sorted.Map[int]
	plain  map[string]int
}

func (p pair) with(key string, value int) pair {
	plain := maps.Clone(p.plain)
	if plain == nil {
		plain = make(map[string]int)
	}
	plain[key] = value
	return pair{p.sorted.With(key, value), plain}
}

func (p pair) without(key string) pair {
	plain := maps.Clone(p.plain)
	delete(plain, key)
	return pair{p.sorted.Without(key), plain}
}

// check compares everything that can be asked of a map.
func (p pair) check(t *testing.T) {
	t.Helper()
	if p.sorted.Len() != len(p.plain) {
		t.Fatalf("Len() = %d, want %d", p.sorted.Len(), len(p.plain))
	}
	want := slices.Sorted(maps.Keys(p.plain))
	if got := slices.Collect(p.sorted.Keys()); !slices.Equal(got, want) {
		t.Fatalf("Keys() = %q, want %q", got, want)
	}
	for key, value := range p.sorted.All() {
		if p.plain[key] != value {
			t.Fatalf("All() has %q = %d, want %d", key, value, p.plain[key])
		}
	}
	for _, key := range append(want, "", "missing") {
		got, ok := p.sorted.Get(key)
		if value, has := p.plain[key]; got != value || ok != has {
			t.Fatalf("Get(%q) = %d, %v; want %d, %v", key, got, ok, value, has)
		}
	}
}

// checkFrom compares the iteration from a key on.
func (p pair) checkFrom(t *testing.T, first string) {
	t.Helper()
	var got, want []string
	for key := range p.sorted.From(first) {
		got = append(got, key)
	}
	for _, key := range slices.Sorted(maps.Keys(p.plain)) {
		if key >= first {
			want = append(want, key)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("From(%q) = %q, want %q", first, got, want)
	}
}

// checkDiff compares the differences of two maps, which must come in order.
func checkDiff(t *testing.T, before, after pair) {
	t.Helper()
	var want []sorted.Change[int]
	all := maps.Clone(before.plain)
	if all == nil {
		all = make(map[string]int)
	}
	maps.Copy(all, after.plain)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		c := sorted.Change[int]{Key: key}
		c.Old, c.In = before.plain[key], has(before.plain, key)
		c.New, c.Out = after.plain[key], has(after.plain, key)
		if c.In != c.Out || c.Old != c.New {
			want = append(want, c)
		}
	}
	if diff := cmp.Diff(want, slices.Collect(sorted.Diff(before.sorted, after.sorted))); diff != "" {
		t.Fatalf("Diff (-want +got):\n%s", diff)
	}
}

func has(m map[string]int, key string) bool {
	_, ok := m[key]
	return ok
}

// Random maps are held against plain maps; versions are kept, since a map must never change.
func TestAMapIsWhatAPlainMapWouldBe(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	versions := []pair{{}}
	for range 1500 {
		p := versions[rng.IntN(len(versions))]
		key := fmt.Sprintf("%c%d", 'a'+rune(rng.IntN(3)), rng.IntN(20))
		if rng.IntN(3) == 0 {
			p = p.without(key)
		} else {
			p = p.with(key, rng.IntN(3))
		}
		p.check(t)
		p.checkFrom(t, key)
		checkDiff(t, versions[rng.IntN(len(versions))], p)
		if versions = append(versions, p); len(versions) > 20 {
			versions = slices.Delete(versions, 0, 1)
		}
	}
	for _, p := range versions {
		p.check(t) // nothing has changed behind its back
	}
}

func TestTheZeroMapIsEmpty(t *testing.T) {
	t.Parallel()
	pair{}.check(t)
	pair{}.checkFrom(t, "x")
	checkDiff(t, pair{}, pair{})
	if got := (sorted.Map[int]{}).Without("x"); got.Len() != 0 {
		t.Errorf("Without of nothing has %d entries", got.Len())
	}
}

// Who goes through a map may stop anywhere.
func TestGoingThroughAMapCanBeStopped(t *testing.T) {
	t.Parallel()
	var m, other sorted.Map[int]
	for i := range 100 {
		m, other = m.With(fmt.Sprint(i), i), other.With(fmt.Sprint(i+50), -i)
	}
	for stop := range 100 {
		seen := 0
		for range m.All() {
			if seen++; seen > stop {
				break
			}
		}
		for range m.Keys() {
			break
		}
		changes := 0
		for range sorted.Diff(m, other) {
			if changes++; changes > stop {
				break
			}
		}
		if seen != stop+1 || changes != stop+1 {
			t.Fatalf("stopped after %d entries and %d changes, want %d", seen, changes, stop+1)
		}
	}
}

func FuzzMapsAreWhatPlainMapsWouldBe(f *testing.F) {
	f.Add([]byte("abcABCabc"))
	f.Add([]byte{0, 255, 0, 255, 127, 128})
	f.Fuzz(func(t *testing.T, operations []byte) {
		before, p := pair{}, pair{}
		for i, op := range operations {
			key := string(rune(op & 0x3f))
			if op&0x40 != 0 {
				p = p.without(key)
			} else {
				p = p.with(key, i%4)
			}
			if op&0x80 != 0 {
				checkDiff(t, before, p)
				before = p
			}
		}
		p.check(t)
		checkDiff(t, before, p)
	})
}

func BenchmarkWith(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			var m sorted.Map[int]
			keys := make([]string, n)
			for i := range keys {
				keys[i] = fmt.Sprintf("service-%06d", i)
				m = m.With(keys[i], i)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				m = m.With(keys[i*7919%n], -i)
			}
		})
	}
}

func BenchmarkDiffOfOneChange(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			var m sorted.Map[int]
			for i := range n {
				m = m.With(fmt.Sprintf("service-%06d", i), i)
			}
			changed := m.With(fmt.Sprintf("service-%06d", n/3), -1)
			b.ReportAllocs()
			for b.Loop() {
				for range sorted.Diff(m, changed) {
				}
			}
		})
	}
}
