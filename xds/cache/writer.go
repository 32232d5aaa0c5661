package cache

import (
	"slices"
	"time"

	"github.com/entente-mesh/entente/internal/live"
)

// A writer builds the content after one commit from the content before it.
type writer struct {
	seq         uint64
	at          time.Time
	next        content
	loud, quiet bool // something that streams must see; something that they need not see
	changes     []live.Change
}

// set puts an entry in, unless its content is there already: then it takes over only what no stream sees.
func (w *writer) set(e *Entry) {
	old, was := w.next.types[e.Type].Get(e.Name)
	if !was {
		w.store(e, nil)
		return
	}
	in, out := moved(old.From, e.From)
	if old.Version != e.Version {
		w.store(e, old)
		return
	}
	if len(in)+len(out) == 0 && slices.Equal(old.Follow, e.Follow) {
		return
	}
	kept := *old
	kept.From, kept.Follow = e.From, e.Follow
	w.next.types[e.Type] = w.next.types[e.Type].With(e.Name, &kept)
	w.quiet = true
	w.tell(e.Key, old.Seq, in, out)
}

func (w *writer) store(e, old *Entry) {
	e.Seq, e.At = w.seq, w.at
	w.next.types[e.Type] = w.next.types[e.Type].With(e.Name, e)
	w.next.at = w.at
	w.loud = true
	in, out := e.From, []live.Ref(nil)
	if old != nil {
		in, out = moved(old.From, e.From)
	}
	w.tell(e.Key, w.seq, in, out)
}

func (w *writer) remove(key Key) {
	old, was := w.next.types[key.Type].Get(key.Name)
	if !was {
		return
	}
	w.next.types[key.Type] = w.next.types[key.Type].Without(key.Name)
	w.next.at = w.at
	w.loud = true
	w.tell(key, w.seq, nil, old.From)
}

func (w *writer) tell(key Key, seq uint64, in, out []live.Ref) {
	if len(in)+len(out) > 0 {
		w.changes = append(w.changes, live.Change{Key: live.Key{Lane: live.Lane(key.Type), Name: key.Name}, Seq: seq, In: in, Out: out})
	}
}

// moved says which refs came and which went. An aggregate has thousands of them, of which one has moved.
func moved(before, after []live.Ref) (in, out []live.Ref) {
	if slices.Equal(before, after) {
		return nil, nil
	}
	const few = 8
	if len(before) <= few && len(after) <= few {
		return without(after, before), without(before, after)
	}
	had := make(map[live.Ref]bool, len(before)) // true: still there
	for _, ref := range before {
		had[ref] = false
	}
	for _, ref := range after {
		if _, ok := had[ref]; !ok {
			in = append(in, ref)
		}
		had[ref] = true
	}
	for _, ref := range before {
		if !had[ref] {
			out = append(out, ref)
		}
	}
	return in, out
}

func without(all, some []live.Ref) []live.Ref {
	var rest []live.Ref
	for _, ref := range all {
		if !slices.Contains(some, ref) {
			rest = append(rest, ref)
		}
	}
	return rest
}
