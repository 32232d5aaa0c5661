package source

import (
	"sync"
	"time"

	"github.com/entente-mesh/entente/internal/sorted"
	"github.com/entente-mesh/entente/mesh"
)

// A world is the objects as they stand now. Watches write it, the compiler takes it. Since the maps in it are immutable, taking is copying a
// few pointers, and any number of events between two takes is one change.
type world struct {
	changed chan struct{} // holds one token while there is something to take
	kinds   int           // how many must be synced; set before anything runs

	mu sync.Mutex
	// Guarded by mu.
	objects mesh.Objects
	since   time.Time // of the earliest event that was not taken
	events  int
	synced  int
}

func newWorld() *world { return &world{changed: make(chan struct{}, 1)} }

// A batch is what the compiler takes at once.
type batch struct {
	objects mesh.Objects
	since   time.Time // zero without an event
	events  int
}

// write applies one event and wakes the compiler. It never waits for it.
func (w *world) write(apply func(*mesh.Objects)) {
	w.mu.Lock()
	apply(&w.objects)
	if w.events == 0 {
		w.since = time.Now()
	}
	w.events++
	w.mu.Unlock()
	w.wake()
}

// sync notes that one more kind has been read whole.
func (w *world) sync() {
	w.mu.Lock()
	w.synced++
	w.mu.Unlock()
	w.wake()
}

func (w *world) wake() {
	select {
	case w.changed <- struct{}{}:
	default: // the compiler has not taken the last change yet, and takes this one with it
	}
}

// take takes everything; ok is false while a kind has not been read whole.
func (w *world) take() (b batch, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.synced < w.kinds {
		return batch{}, false
	}
	b = batch{objects: w.objects, since: w.since, events: w.events}
	w.since, w.events = time.Time{}, 0
	return b, true
}

// opened puts in tokens that are known and takes out tokens that nobody lists, as part of the batch that was taken. It returns all that have
// been opened.
func (w *world) opened(known map[string]mesh.Opened, gone []string) sorted.Map[mesh.Opened] {
	w.mu.Lock()
	defer w.mu.Unlock()
	for sealed, o := range known {
		w.objects.Opened = w.objects.Opened.With(sealed, o)
	}
	for _, sealed := range gone {
		w.objects.Opened = w.objects.Opened.Without(sealed)
	}
	return w.objects.Opened
}
