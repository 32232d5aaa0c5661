package live

import (
	"maps"
	"slices"
	"time"
)

// object is a Ref without its version.
type object struct{ kind, namespace, name string }

func objectOf(ref Ref) object { return object{ref.Kind, ref.Namespace, ref.Name} }

// A record is what the board knows about a Ref.
type record struct {
	ref     Ref
	needs   []need        // the resources that it makes; they are few
	floor   [Lanes]uint64 // of what was removed because of it, the commit to be confirmed in each lane
	open    int           // items that not every line has confirmed
	since   time.Time     // of the commit that made it wait
	home    *states       // where it stands; nil: a question for a commit
	state   State
	said    State         // the state of the newest event
	changed chan struct{} // closed when the state changes; nil until somebody waits
	silent  bool          // there are no events of it: an object that is gone, or a question for a commit
	retired bool          // it answers for nothing any more
}

// A need is a resource that a ref makes, and the commit of it that must be confirmed.
type need struct {
	key Key
	seq uint64
}

// make notes that r makes a resource; unmake, that it does so no longer.
func (r *record) make(key Key, seq uint64) {
	for i := range r.needs {
		if r.needs[i].key == key {
			r.needs[i].seq = seq
			return
		}
	}
	r.needs = append(r.needs, need{key, seq})
}

func (r *record) unmake(key Key) {
	r.needs = slices.DeleteFunc(r.needs, func(n need) bool { return n.key == key })
}

// made is the commit of a resource that must be confirmed, or 0 if r does not make it.
func (r *record) made(key Key) uint64 {
	for _, n := range r.needs {
		if n.key == key {
			return n.seq
		}
	}
	return 0
}

// states are the records of one object, the newest last. An object has one, or two while it goes over from one state to the next; a route has
// one per revision of its token.
type states struct{ records []*record }

// find returns the record of a ref, or nil.
func (b *Board) find(ref Ref) *record {
	if all := b.objects[objectOf(ref)]; all != nil {
		return all.find(ref.Version)
	}
	return nil
}

func (s *states) find(version string) *record {
	for _, r := range s.records {
		if r.ref.Version == version {
			return r
		}
	}
	return nil
}

// record finds or begins the record of a ref that makes something.
func (b *Board) record(ref Ref) *record {
	all := b.objects[objectOf(ref)]
	if all == nil {
		if all = new(states); b.objects == nil {
			b.objects = make(map[object]*states)
		}
		b.objects[objectOf(ref)] = all
	}
	if r := all.find(ref.Version); r != nil {
		return r
	}
	r := &record{ref: ref, state: Waiting, home: all}
	absent := all.find("")
	all.records = append(all.records, r)
	if absent != nil { // what went with the object's earlier life is still to be confirmed
		r.floor = absent.floor
		b.retire(absent)
		b.waitAgain(r, absent.since)
	}
	return r
}

// heir is the record that answers for what r no longer makes: r itself while it makes anything, the object's newest state, or its absence.
// It is nil for a credential, whose going nobody waits for, and for an object that goes while no Envoy is connected that could hold it.
func (b *Board) heir(r *record) *record {
	if len(r.needs) > 0 {
		return r
	}
	if r.ref.Kind == KindCredential {
		return nil
	}
	if all := r.home.records; len(all) > 0 && all[len(all)-1] != r {
		return all[len(all)-1]
	}
	if len(b.lines) == 0 {
		return nil
	}
	gone := &record{ref: r.ref, state: Waiting, home: r.home, silent: true}
	gone.ref.Version = ""
	r.home.records = append(r.home.records, gone)
	return gone
}

// retire ends a record.
func (b *Board) retire(r *record) {
	if r.home != nil {
		r.home.records = slices.DeleteFunc(r.home.records, func(other *record) bool { return other == r })
		if len(r.home.records) == 0 {
			delete(b.objects, objectOf(r.ref))
		}
	}
	if r.said != Unknown {
		delete(b.events, r.ref)
	}
	r.retired = true
	r.turn(Unknown)
}

// turn changes the state and wakes who waits for that.
func (r *record) turn(s State) {
	r.state = s
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

// settle says what has become of a record when all its items are confirmed.
func (b *Board) settle(r *record, now time.Time) {
	if r.retired {
		return
	}
	switch v := b.verdict(r); v.State {
	case Confirmed:
		r.floor = [Lanes]uint64{}
		b.tell(r, v, now)
		if len(r.needs) == 0 {
			b.retire(r)
		}
	case Rejected:
		b.tell(r, v, now)
	case Waiting:
		if len(b.lines) > 0 { // some came after the others had confirmed it
			b.waitAgain(r, r.since)
		}
	}
}

// tell makes an event of a verdict.
func (b *Board) tell(r *record, v Verdict, now time.Time) {
	r.turn(v.State)
	if r.silent || r.said == v.State {
		return
	}
	r.said = v.State
	if b.events == nil {
		b.events = make(map[Ref]Event)
	}
	if _, again := b.events[r.ref]; !again {
		b.remember(r.ref)
	}
	b.events[r.ref] = Event{Ref: r.ref, Verdict: v, Took: now.Sub(r.since)}
	if b.told != nil {
		close(b.told)
		b.told = nil
	}
}

// remember puts a ref into the order of events. Those of refs that are gone are dropped now and then, should nobody take them.
func (b *Board) remember(ref Ref) {
	if len(b.order) > 64+2*len(b.events) {
		seen := make(map[Ref]bool, len(b.events))
		b.order = slices.DeleteFunc(b.order, func(r Ref) bool {
			_, current := b.events[r]
			drop := !current || seen[r]
			seen[r] = true
			return drop
		})
	}
	b.order = append(b.order, ref)
}

// verdict looks at every line. That one rejects weighs more than that another waits.
func (b *Board) verdict(r *record) Verdict {
	var waiting map[string]struct{}
	v := Verdict{State: Confirmed}
	for l := range b.lines {
		switch state, reason := l.holds(r); {
		case state == Waiting:
			if waiting == nil {
				waiting = make(map[string]struct{})
			}
			waiting[l.gateway] = struct{}{}
		case state == Rejected && (v.State != Rejected || l.gateway < v.Gateway):
			v.State, v.Gateway, v.Reason = Rejected, l.gateway, reason
		}
	}
	if len(waiting) > 0 {
		v.Waiting = slices.Sorted(maps.Keys(waiting))
	}
	if v.State == Confirmed && (len(waiting) > 0 || len(b.lines) == 0) {
		v.State = Waiting
	}
	return v
}
