package dns

import (
	"hash/maphash"
	"sync/atomic"
)

// A table is a map from keys to entries that one goroutine changes while many read it: readers never wait and allocate nothing, and a
// change costs one bucket. The next reader sees a change as soon as set returns.
type table struct {
	// Set once.
	seed maphash.Seed
	// Swapped by the writer.
	buckets atomic.Pointer[[]atomic.Pointer[node]] // as many as a power of two
	// Owned by the writer.
	count int
}

// A node is one entry of a bucket. Nodes never change.
type node struct {
	key  string
	hash uint64
	item *entry
	next *node
}

// firstBuckets is the size of an empty table: a power of two.
const firstBuckets = 64

func newTable() *table {
	t := &table{seed: maphash.MakeSeed()}
	buckets := make([]atomic.Pointer[node], firstBuckets)
	t.buckets.Store(&buckets)
	return t
}

// get returns the entry of the key, or nil.
func (t *table) get(key []byte) *entry {
	hash := maphash.Bytes(t.seed, key)
	buckets := *t.buckets.Load()
	for n := buckets[hash&uint64(len(buckets)-1)].Load(); n != nil; n = n.next {
		if n.hash == hash && n.key == string(key) {
			return n.item
		}
	}
	return nil
}

// set gives the key an entry; nil takes the key out.
func (t *table) set(key string, item *entry) {
	hash := maphash.String(t.seed, key)
	buckets := *t.buckets.Load()
	bucket := &buckets[hash&uint64(len(buckets)-1)]
	var chain *node
	for n := bucket.Load(); n != nil; n = n.next {
		if n.key == key {
			t.count--
			continue
		}
		chain = &node{n.key, n.hash, n.item, chain}
	}
	if item != nil {
		chain = &node{key, hash, item, chain}
		t.count++
	}
	bucket.Store(chain)
	if t.count > len(buckets) {
		t.grow(buckets)
	}
}

// grow doubles the buckets, so that chains stay about one node long.
func (t *table) grow(old []atomic.Pointer[node]) {
	buckets := make([]atomic.Pointer[node], 2*len(old))
	for i := range old {
		for n := old[i].Load(); n != nil; n = n.next {
			bucket := &buckets[n.hash&uint64(len(buckets)-1)]
			bucket.Store(&node{n.key, n.hash, n.item, bucket.Load()})
		}
	}
	t.buckets.Store(&buckets)
}
