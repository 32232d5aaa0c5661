package sorted

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// shape writes a tree down, with everything that decides what Diff can skip.
func shape(n *node[int]) string {
	if n == nil {
		return "."
	}
	return fmt.Sprintf("(%s %s:%d/%d %s)", shape(n.left), n.key, n.value, n.size, shape(n.right))
}

// sound checks what every tree must be: keys in order, no child over its parent, sizes right.
func sound(t *testing.T, n *node[int], low, high string) {
	t.Helper()
	if n == nil {
		return
	}
	if n.key <= low || high != "" && n.key >= high {
		t.Fatalf("%q is not between %q and %q", n.key, low, high)
	}
	if n.size != size(n.left)+1+size(n.right) {
		t.Fatalf("%q has size %d", n.key, n.size)
	}
	for _, child := range []*node[int]{n.left, n.right} {
		if child != nil && above(child, n) {
			t.Fatalf("%q is under %q, which it should be over", child.key, n.key)
		}
	}
	sound(t, n.left, low, n.key)
	sound(t, n.right, n.key, high)
}

func TestTheShapeDependsOnTheKeysAlone(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	for range 100 {
		n := rng.IntN(200)
		var straight, crooked Map[int]
		for i := range n {
			straight = straight.With(fmt.Sprint(i), i)
		}
		for _, i := range rng.Perm(2 * n) { // more than is wanted, with other values, and the rest taken out again
			crooked = crooked.With(fmt.Sprint(i), -1)
		}
		for _, i := range rng.Perm(2 * n) {
			if i < n {
				crooked = crooked.With(fmt.Sprint(i), i)
			} else {
				crooked = crooked.Without(fmt.Sprint(i))
			}
		}
		sound(t, straight.root, "", "")
		if a, b := shape(straight.root), shape(crooked.root); a != b {
			t.Fatalf("the same keys have two shapes:\n%s\n%s", a, b)
		}
	}
}

// fresh counts the nodes of a tree that are not nodes of another.
func fresh(n *node[int], old map[*node[int]]bool) int {
	if n == nil || old[n] {
		return 0
	}
	return 1 + fresh(n.left, old) + fresh(n.right, old)
}

func nodes(n *node[int], into map[*node[int]]bool) {
	if n != nil {
		into[n] = true
		nodes(n.left, into)
		nodes(n.right, into)
	}
}

// A change makes new only what is on the way to it: some dozens of nodes among 20,000. What is not new Diff does not look at, since it
// compares pointers first.
func TestAChangeMakesFewNodesNew(t *testing.T) {
	t.Parallel()
	const n, changes = 20_000, 200
	var m Map[int]
	for i := range n {
		m = m.With(fmt.Sprint(i), i)
	}
	old := make(map[*node[int]]bool, n)
	nodes(m.root, old)
	total := 0
	for i := range changes {
		key := fmt.Sprint(i * 499 % n)
		total += fresh(m.With(key, -1).root, old) + fresh(m.Without(key).root, old) + fresh(m.With(key+"x", 0).root, old)
	}
	if average := total / changes / 3; average > 50 {
		t.Errorf("a change makes %d nodes new on average, want at most 50", average)
	}
}
