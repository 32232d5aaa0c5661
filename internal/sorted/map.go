// Package sorted has immutable maps in the order of their keys. Successive maps share what they have in common, so a change and the
// difference between two maps cost what has changed and not what there is.
package sorted

import (
	"hash/maphash"
	"iter"
)

// A Map is an immutable map from strings in ascending order. The zero Map is empty. Maps may be shared between goroutines; With and Without
// return another map and leave the receiver as it was.
//
// It is a treap: a search tree by key that is at the same time a heap by a hash of the key. Its shape therefore depends on its keys alone
// and not on the order in which they came, which is what lets Diff skip everything that two maps share.
type Map[V any] struct{ root *node[V] }

type node[V any] struct {
	key         string
	value       V
	weight      uint64 // hash of the key: no child weighs more
	size        int    // of the whole subtree
	left, right *node[V]
}

// seed makes the shape of trees unpredictable for whoever chooses the keys. Shapes never leave the process.
var seed = maphash.MakeSeed()

// Len is the number of entries.
func (m Map[V]) Len() int { return size(m.root) }

// Get returns the value of key, and whether there is one.
func (m Map[V]) Get(key string) (V, bool) {
	for n := m.root; n != nil; {
		switch {
		case key < n.key:
			n = n.left
		case key > n.key:
			n = n.right
		default:
			return n.value, true
		}
	}
	var none V
	return none, false
}

// With returns the map with key set to value, in O(log n).
func (m Map[V]) With(key string, value V) Map[V] {
	return Map[V]{insert(m.root, &node[V]{key: key, value: value, weight: maphash.String(seed, key), size: 1})}
}

// Without returns the map without key, in O(log n). A key that is not there is no error.
func (m Map[V]) Without(key string) Map[V] {
	if _, ok := m.Get(key); !ok {
		return m
	}
	return Map[V]{remove(m.root, key)}
}

// All goes through the entries in the order of their keys.
func (m Map[V]) All() iter.Seq2[string, V] { return m.From("") }

// From goes through the entries whose keys are not less than first, in the order of their keys.
func (m Map[V]) From(first string) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) { walk(m.root, first, yield) }
}

// Keys goes through the keys in order.
func (m Map[V]) Keys() iter.Seq[string] {
	return func(yield func(string) bool) {
		for key := range m.All() {
			if !yield(key) {
				return
			}
		}
	}
}

// A Change is one key on which two maps differ. Exactly one of In and Out is false for a key that only one of them has.
type Change[V any] struct {
	Key     string
	Old     V
	New     V
	In, Out bool // the old map had it; the new map has it
}

// Diff goes through the keys whose values differ, in order. What the maps share is skipped unseen, so that the cost follows the number of
// changes when one map was made from the other.
func Diff[V comparable](before, after Map[V]) iter.Seq[Change[V]] {
	return func(yield func(Change[V]) bool) { diff(before.root, after.root, yield) }
}

func size[V any](n *node[V]) int {
	if n == nil {
		return 0
	}
	return n.size
}

// with returns a copy of n that has the given children.
func (n *node[V]) with(left, right *node[V]) *node[V] {
	return &node[V]{key: n.key, value: n.value, weight: n.weight, size: size(left) + 1 + size(right), left: left, right: right}
}

// above says whether a must stand over b. Two keys of one weight are told apart by the keys, so that the shape stays unique.
func above[V any](a, b *node[V]) bool {
	return a.weight > b.weight || a.weight == b.weight && a.key < b.key
}

func insert[V any](n, added *node[V]) *node[V] {
	if n == nil {
		return added
	}
	if n.key == added.key {
		return added.with(n.left, n.right)
	}
	if above(added, n) {
		left, _, right := split(n, added.key)
		return added.with(left, right)
	}
	if added.key < n.key {
		return n.with(insert(n.left, added), n.right)
	}
	return n.with(n.left, insert(n.right, added))
}

// remove takes out a key that is there.
func remove[V any](n *node[V], key string) *node[V] {
	switch {
	case key < n.key:
		return n.with(remove(n.left, key), n.right)
	case key > n.key:
		return n.with(n.left, remove(n.right, key))
	default:
		return join(n.left, n.right)
	}
}

// split parts a tree into what is below the key, the key itself (nil if it is not there), and what is above it.
func split[V any](n *node[V], key string) (below, at, over *node[V]) {
	switch {
	case n == nil:
		return nil, nil, nil
	case key < n.key:
		below, at, over = split(n.left, key)
		return below, at, n.with(over, n.right)
	case key > n.key:
		below, at, over = split(n.right, key)
		return n.with(n.left, below), at, over
	default:
		return n.left, n, n.right
	}
}

// join is the tree of two whose keys do not overlap.
func join[V any](left, right *node[V]) *node[V] {
	switch {
	case left == nil:
		return right
	case right == nil:
		return left
	case above(left, right):
		return left.with(left.left, join(left.right, right))
	default:
		return right.with(join(left, right.left), right.right)
	}
}

func walk[V any](n *node[V], first string, yield func(string, V) bool) bool {
	if n == nil {
		return true
	}
	if n.key >= first {
		return walk(n.left, first, yield) && yield(n.key, n.value) && walk(n.right, first, yield)
	}
	return walk(n.right, first, yield)
}

func diff[V comparable](before, after *node[V], yield func(Change[V]) bool) bool {
	if before == after {
		return true
	}
	if after == nil {
		return walk(before, "", func(key string, value V) bool { return yield(Change[V]{Key: key, Old: value, In: true}) })
	}
	if before == nil {
		return walk(after, "", func(key string, value V) bool { return yield(Change[V]{Key: key, New: value, Out: true}) })
	}
	if above(before, after) {
		// The key of before's root is not in after, else it would stand over after's root.
		left, _, right := split(after, before.key)
		return diff(before.left, left, yield) && yield(Change[V]{Key: before.key, Old: before.value, In: true}) && diff(before.right, right, yield)
	}
	left, at, right := split(before, after.key)
	if !diff(left, after.left, yield) {
		return false
	}
	switch {
	case at == nil:
		if !yield(Change[V]{Key: after.key, New: after.value, Out: true}) {
			return false
		}
	case at.value != after.value:
		if !yield(Change[V]{Key: after.key, Old: at.value, New: after.value, In: true, Out: true}) {
			return false
		}
	}
	return diff(right, after.right, yield)
}
