package source

import (
	"context"
	"iter"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/internal/sorted"
	"github.com/entente-mesh/entente/mesh"
)

// An Opener opens sealed tokens. It is used by several goroutines.
type Opener interface {
	// Known returns what came of an earlier Open of the same text, if that is known without work.
	Known(sealed string) (mesh.Opened, bool)
	// Open opens a token, which may take milliseconds.
	Open(sealed string) mesh.Opened
	// Save is called when nothing is left to open and much of what is in use was opened since the last time, and at the end. It may write down
	// what was opened, and forget every token that is not in use.
	Save(inUse iter.Seq[string]) error
}

// tokens opens the sealed tokens of the routes beside the compiler, so that services go live before tokens that take their time.
type tokens struct {
	opener Opener
	world  *world
	log    *slog.Logger
	more   chan struct{} // holds one token while something waits

	routes sorted.Map[*v1alpha1.DomainRoute] // owned by the compiler: what was followed so far

	mu sync.Mutex
	// Guarded by mu.
	uses    map[string]int // how many times the routes list each sealed token
	waiting []string       // to be opened; bounded by uses
	busy    int            // workers that open one
	fresh   int            // how many were opened since the last save
}

// freshShare is which part of all tokens in use may be lost by a crash, to be opened again: a save writes all of them, which one changed token
// among thousands is not worth.
const freshShare = 16

func newTokens(o Opener, w *world, log *slog.Logger) *tokens {
	return &tokens{opener: o, world: w, log: log, more: make(chan struct{}, 1), uses: map[string]int{}}
}

// openers is how many workers open tokens.
func (s *Source) openers() int {
	if s.cfg.Openers > 0 {
		return s.cfg.Openers
	}
	return max(1, runtime.GOMAXPROCS(0)/2)
}

// follow takes up the tokens that have come with these routes, drops those that have gone, and returns what has been opened. What is known is
// there at once.
func (t *tokens) follow(routes sorted.Map[*v1alpha1.DomainRoute]) sorted.Map[mesh.Opened] {
	delta := map[string]int{}
	for change := range sorted.Diff(t.routes, routes) {
		if change.Out {
			for sealed := range mesh.Sealed(change.New) {
				delta[sealed]++
			}
		}
		if change.In {
			for sealed := range mesh.Sealed(change.Old) {
				delta[sealed]--
			}
		}
	}
	t.routes = routes
	known := map[string]mesh.Opened{}
	for sealed, n := range delta {
		if o, ok := t.opener.Known(sealed); ok && n > 0 {
			known[sealed] = o
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var gone []string
	for _, sealed := range slices.Sorted(maps.Keys(delta)) {
		was := t.uses[sealed]
		switch now := was + delta[sealed]; {
		case now == 0:
			delete(t.uses, sealed)
			gone = append(gone, sealed)
		case was == 0:
			t.uses[sealed] = now
			if _, ok := known[sealed]; !ok {
				t.waiting = append(t.waiting, sealed)
			}
		default:
			t.uses[sealed] = now
		}
	}
	if len(t.waiting) > 0 {
		t.poke()
	}
	return t.world.opened(known, gone)
}

func (t *tokens) poke() {
	select {
	case t.more <- struct{}{}:
	default: // a worker has not seen the last one yet, and looks for all that waits
	}
}

// work opens tokens until ctx ends.
func (t *tokens) work(ctx context.Context) {
	for ctx.Err() == nil {
		sealed, ok := t.next()
		if !ok {
			select {
			case <-ctx.Done():
			case <-t.more:
			}
			continue
		}
		t.done(sealed, t.opener.Open(sealed))
	}
}

// next is a token that waits.
func (t *tokens) next() (sealed string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.waiting) > 0 {
		sealed, t.waiting = t.waiting[0], t.waiting[1:]
		if t.uses[sealed] == 0 {
			continue // its route has gone meanwhile
		}
		if len(t.waiting) > 0 {
			t.poke() // the next worker
		}
		t.busy++
		return sealed, true
	}
	t.waiting = nil
	return "", false
}

// done hands an opened token to the compiler, and saves when that is due.
func (t *tokens) done(sealed string, o mesh.Opened) {
	t.mu.Lock()
	t.busy--
	t.fresh++
	if t.uses[sealed] > 0 {
		t.world.write(func(objects *mesh.Objects) { objects.Opened = objects.Opened.With(sealed, o) })
	}
	due := t.busy == 0 && len(t.waiting) == 0 && t.fresh*freshShare >= len(t.uses)
	t.mu.Unlock()
	if due {
		t.save()
	}
}

// save lets the opener save, if there is anything new.
func (t *tokens) save() {
	t.mu.Lock()
	fresh, inUse := t.fresh, slices.Collect(maps.Keys(t.uses))
	t.fresh = 0
	t.mu.Unlock()
	if fresh == 0 {
		return
	}
	if err := t.opener.Save(slices.Values(inUse)); err != nil {
		t.mu.Lock()
		t.fresh += fresh
		t.mu.Unlock()
		t.log.Warn("opened tokens are not saved, the next start opens them again", "err", err)
	}
}
