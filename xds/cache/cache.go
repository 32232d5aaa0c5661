package cache

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/internal/sorted"
)

// A Cache holds what some Envoys of one domain should have. It may be used by many goroutines.
type Cache struct {
	kin *kin
	now atomic.Pointer[content] // written under kin.mu

	mu    sync.Mutex // one commit at a time; taken before kin.mu
	maker *maker
}

// kin is what related caches share: they count commits together, wake the same streams and tell the same board.
type kin struct {
	salt  []byte
	past  chan struct{} // closed: what Wait returns for a commit that is already there
	board live.Board
	seq   atomic.Uint64 // written under mu

	mu   sync.Mutex    // taken before the board's
	wake chan struct{} // closed by the next commit; nil until somebody waits
}

// content is all that a cache holds after one commit. It never changes.
type content struct {
	types [Types]sorted.Map[*Entry]
	at    time.Time // of the commit
}

// New returns an empty cache. The salt keeps the content of secret resources from being guessed from their versions; it must be the same
// after a restart, else clients are sent every secret again. A cache without a salt refuses secret resources.
func New(salt []byte) *Cache {
	k := &kin{salt: append([]byte(nil), salt...), past: make(chan struct{})}
	close(k.past)
	return newCache(k)
}

// Beside returns an empty cache that counts its commits together with c, wakes the same streams and tells the same board: the listeners of
// one gateway beside the resources of its domain.
func (c *Cache) Beside() *Cache { return newCache(c.kin) }

func newCache(k *kin) *Cache {
	c := &Cache{kin: k, maker: newMaker(k.salt)}
	c.now.Store(&content{})
	return c
}

// Board is what the Envoys have confirmed of this cache and of all that are beside it.
func (c *Cache) Board() *live.Board { return &c.kin.board }

// Seq is the number of the newest commit, counted over all related caches. The first is 1.
func (c *Cache) Seq() uint64 { return c.kin.seq.Load() }

// Wait returns a channel that is closed when there is a commit newer than seq in c or beside it.
func (c *Cache) Wait(seq uint64) <-chan struct{} { return c.kin.wait(seq) }

func (k *kin) wait(seq uint64) <-chan struct{} {
	if k.seq.Load() > seq {
		return k.past
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seq.Load() > seq {
		return k.past
	}
	if k.wake == nil {
		k.wake = make(chan struct{})
	}
	return k.wake
}

// Get returns the newest entry of a resource, or nil.
func (c *Cache) Get(key Key) *Entry {
	if key.Type >= Types {
		return nil
	}
	e, _ := c.now.Load().types[key.Type].Get(key.Name)
	return e
}

// All is everything of one type, by name, as it is now.
func (c *Cache) All(t Type) sorted.Map[*Entry] {
	if t >= Types {
		return sorted.Map[*Entry]{}
	}
	return c.now.Load().types[t]
}

// Commit applies a delta, all or nothing, and returns the number of the newest commit. What is unchanged is no change; a delta without
// effect is no commit and wakes nobody, though it may change where resources come From.
func (c *Cache) Commit(d Delta, at time.Time) (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entries, err := c.entries(d)
	if err != nil {
		return c.Seq(), err
	}
	k := c.kin
	k.mu.Lock()
	defer k.mu.Unlock()
	w := writer{seq: k.seq.Load() + 1, at: at, next: *c.now.Load()}
	for _, e := range entries {
		w.set(e)
	}
	for _, key := range d.Delete {
		w.remove(key)
	}
	seq := w.seq
	if !w.loud {
		seq--
	}
	if len(w.changes) > 0 {
		k.board.Commit(seq, at, w.changes) // before any stream can see the commit, hence before any can confirm it
	}
	if w.quiet || w.loud {
		c.now.Store(&w.next)
	}
	if w.loud {
		k.seq.Store(seq)
		if k.wake != nil {
			close(k.wake)
			k.wake = nil
		}
	}
	return seq, nil
}

var (
	errTwice = errors.New("a delta may name a resource once only")
	errType  = errors.New("no such type of resources")
)

// entries marshals what the delta sets, and refuses a delta that cannot be meant.
func (c *Cache) entries(d Delta) ([]*Entry, error) {
	if err := once(d); err != nil {
		return nil, err
	}
	entries := make([]*Entry, 0, len(d.Set))
	for _, r := range d.Set {
		e, err := c.maker.entry(r)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func once(d Delta) error {
	if len(d.Set)+len(d.Delete) == 1 && len(d.Set) == 1 {
		return nil // the common case, which needs no map; the type is checked with the body
	}
	seen := make(map[Key]struct{}, len(d.Set)+len(d.Delete))
	note := func(key Key) error {
		if key.Type >= Types {
			return fmt.Errorf("resource %q of type %d: %w", key.Name, key.Type, errType)
		}
		if _, twice := seen[key]; twice {
			return fmt.Errorf("resource %q of %s: %w", key.Name, key.Type, errTwice)
		}
		seen[key] = struct{}{}
		return nil
	}
	for _, r := range d.Set {
		if err := note(r.Key); err != nil {
			return err
		}
	}
	for _, key := range d.Delete {
		if err := note(key); err != nil {
			return err
		}
	}
	return nil
}
