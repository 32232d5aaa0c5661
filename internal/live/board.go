package live

import (
	"strconv"
	"sync"
	"time"
)

// A Board keeps, for one domain, what its Envoys have confirmed. The zero Board is ready for use; it must not be copied after first use.
//
// It is told of each commit before any stream sees it, and by each stream what its Envoy has confirmed. The cost of both follows the
// change: a commit opens one item per resource that changed and object that changed it, and an answer closes the items that it covers.
// Only a question looks at all streams.
type Board struct {
	mu sync.Mutex
	// Guarded by mu.
	seq     uint64 // the newest commit
	unseen  uint64 // the commit that Commit is about, which no line can have confirmed yet; else 0
	lines   map[*Line]struct{}
	objects map[object]*states
	queues  [Lanes]queue // what not every line has confirmed
	events  map[Ref]Event
	order   []Ref         // of events
	told    chan struct{} // closed with the next event; nil until somebody waits
	moved   chan struct{} // closed when a ref becomes known, or an Envoy connects; nil until somebody waits
}

// Commit tells of the changes of a commit before any stream can see them. Of a commit that only changed where resources come from, seq is
// that of the commit before.
func (b *Board) Commit(seq uint64, at time.Time, changes []Change) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if seq > b.seq {
		b.seq, b.unseen = seq, seq
	}
	touched, refused := b.enterAll(changes, at)
	touched = append(touched, b.leaveAll(changes, at)...)
	b.unseen = 0
	for _, r := range touched {
		if r.open == 0 {
			b.settle(r, at)
		}
	}
	for _, r := range refused {
		if v := b.verdict(r); v.State == Rejected {
			b.tell(r, v, at)
		}
	}
	b.move()
}

// enterAll takes in what came into resources.
func (b *Board) enterAll(changes []Change, at time.Time) (touched, refused []*record) {
	for _, c := range changes {
		for _, ref := range c.In {
			r := b.record(ref)
			r.make(c.Key, c.Seq)
			if b.wait(r, c.Key, c.Seq, at) {
				refused = append(refused, r)
			}
			touched = append(touched, r)
		}
	}
	return touched, refused
}

// leaveAll takes out what left resources, and returns the records that answer for it. Only when all is out is it known which do.
func (b *Board) leaveAll(changes []Change, at time.Time) (touched []*record) {
	var left []*record // of each Out, in order; nil where it is not known
	for _, c := range changes {
		for _, ref := range c.Out {
			r := b.find(ref)
			if r != nil {
				r.unmake(c.Key)
			}
			left = append(left, r)
		}
	}
	for _, c := range changes {
		for _, r := range left[:len(c.Out)] {
			if r == nil {
				continue
			}
			if heir := b.leave(r, c, at); heir != nil {
				touched = append(touched, heir)
			}
		}
		left = left[len(c.Out):]
	}
	return touched
}

// leave notes that r no longer makes a resource, which therefore changed or went, and returns the record that answers for it.
func (b *Board) leave(r *record, c Change, at time.Time) *record {
	heir := b.heir(r)
	if heir != nil {
		heir.floor[c.Lane] = max(heir.floor[c.Lane], c.Seq)
		b.wait(heir, c.Key, c.Seq, at)
	}
	if len(r.needs) > 0 || heir == r {
		return heir
	}
	for lane, seq := range r.floor {
		if heir != nil && seq > heir.floor[lane] {
			heir.floor[lane] = seq
			b.wait(heir, Key{Lane: Lane(lane)}, seq, at)
		}
	}
	b.retire(r)
	return heir
}

// Object says where a ref stands. A ref whose Version is empty asks whether everything that was made from the object is gone.
func (b *Board) Object(ref Ref) Verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.object(ref)
}

func (b *Board) object(ref Ref) Verdict {
	if r := b.find(ref); r != nil {
		return b.verdict(r)
	}
	if ref.Version == "" && b.objects[objectOf(ref)] == nil {
		return Verdict{State: Confirmed}
	}
	return Verdict{}
}

// Credential says where one revision of a route's token stands.
func (b *Board) Credential(namespace, route string, revision int) Verdict {
	return b.Object(CredentialRef(namespace, route, revision))
}

// CredentialRef is the Ref of one revision of a route's token.
func CredentialRef(namespace, route string, revision int) Ref {
	return Ref{Kind: KindCredential, Namespace: namespace, Name: route, Version: strconv.Itoa(revision)}
}

// Await is Object with a channel that is closed when the verdict may have changed. The channel needs no release.
func (b *Board) Await(ref Ref) (Verdict, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := b.object(ref)
	return v, b.until(b.find(ref), v)
}

// until is the channel that closes when the verdict of r may change. r is nil when it is not known.
func (b *Board) until(r *record, v Verdict) <-chan struct{} {
	if r == nil || len(b.lines) == 0 {
		if b.moved == nil {
			b.moved = make(chan struct{})
		}
		return b.moved
	}
	if v.State == Waiting && r.open == 0 { // for lines that came after the others had confirmed it
		b.waitAgain(r, r.since)
	}
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return r.changed
}

// move wakes who waits for a ref to become known or an Envoy to connect.
func (b *Board) move() {
	if b.moved != nil {
		close(b.moved)
		b.moved = nil
	}
}

// Reached says whether every connected Envoy has dealt with everything up to commit seq, be it that it took it or that it refused it, with
// a channel that is closed when that may have changed.
func (b *Board) Reached(seq uint64) (Verdict, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := &record{silent: true, state: Waiting}
	for lane := range r.floor {
		r.floor[lane] = seq
	}
	v := b.verdict(r)
	return v, b.until(r, v)
}

// Events takes the events since the last call, in order, of each ref the newest, and a channel that is closed when there are more.
func (b *Board) Events() ([]Event, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var events []Event
	for _, ref := range b.order {
		if e, current := b.events[ref]; current {
			events = append(events, e)
			delete(b.events, ref)
		}
	}
	b.order = nil
	if b.told == nil {
		b.told = make(chan struct{})
	}
	return events, b.told
}
