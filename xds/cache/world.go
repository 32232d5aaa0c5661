package cache

import (
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
)

// A world is what a state-of-the-world stream knows about clusters or listeners, which are sent whole: what is missing is removed.
type world struct {
	dirty  bool     // something was added or changed
	shrink bool     // something was removed
	stuck  bool     // the newest answer was a refusal
	sent   []*Entry // the newest response, by name
	held   []*Entry // the newest that was accepted
}

// subscribeState changes the subscription as a state-of-the-world request says: its names are all that the client wants from now on.
func (s *Session) subscribeState(l *lane, r Request, first bool) error {
	whole := l.kind == Cluster || l.kind == Listener
	if whole && l.world == nil {
		l.world = &world{}
	}
	if len(r.Names) == 0 && !l.named {
		if whole && !l.wild {
			l.wild = true
			l.world.begin(l, r.Version)
		}
		if !whole && first {
			l.owes = true
		}
		return nil
	}
	l.named = true
	before, wild := len(l.names), l.wild
	added, err := s.rename(l, r.Names)
	switch {
	case err != nil:
		return err
	case l.world == nil:
		for _, name := range added {
			l.demand(name, true)
			l.owes = true
		}
	case first:
		l.world.begin(l, r.Version)
	case len(added) > 0, l.world.stuck && (len(l.names) != before || l.wild != wild):
		l.world.dirty = true // without what the client gave up, it may take the rest
	}
	return nil
}

// rename replaces the subscription and returns what is new in it.
func (s *Session) rename(l *lane, names []string) (added []string, err error) {
	old, wild := l.names, l.wild
	l.names, l.wild = nil, false
	for _, name := range names {
		if name == wildcard {
			l.wild = true
			continue
		}
		if _, was := old[name]; !was {
			added = append(added, name)
		}
		if err := l.subscribe(name); err != nil {
			return nil, err
		}
	}
	if l.wild && !wild {
		added = append(added, wildcard)
		if l.world == nil {
			l.widen(nil, false)
			added = nil // the walk comes by all of them
		}
	}
	if !l.wild {
		s.forgetUnwanted(l)
	}
	return added, nil
}

// begin starts a subscription. A client that comes back with the version of what there is has it.
func (w *world) begin(l *lane, version string) {
	w.sent, w.dirty = nil, true
	if now := l.wanted(); version != "" && version == worldVersion(now) {
		w.sent, w.held, w.dirty = now, now, false
	}
}

func (w *world) note(l *lane, name string, exists bool) {
	switch {
	case !l.subscribed(name):
	case exists:
		w.dirty = true
	default:
		w.shrink = true
	}
}

// wanted is everything that the client has subscribed to and that exists, by name.
func (l *lane) wanted() []*Entry {
	if l.wild {
		all := make([]*Entry, 0, l.content.Len())
		for _, e := range l.content.All() {
			all = append(all, e)
		}
		return all
	}
	var all []*Entry
	for name := range l.names {
		if e, ok := l.content.Get(name); ok {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, byName)
	return all
}

func byName(a, b *Entry) int { return strings.Compare(a.Name, b.Name) }

// makeWorld sends all that is wanted, and with it what is to be removed: that goes with a response of its own, after everything was added.
func (s *Session) makeWorld(l *lane) *Response {
	w := l.world
	now := l.wanted()
	var leaving, changed []*Entry
	for _, e := range w.sent {
		if _, stays := slices.BinarySearchFunc(now, e, byName); !stays && l.subscribed(e.Name) {
			leaving = append(leaving, e)
		}
	}
	for _, e := range now {
		if i, had := slices.BinarySearchFunc(w.sent, e, byName); !had || w.sent[i].Version != e.Version {
			changed = append(changed, e)
		}
	}
	w.dirty, w.shrink = false, len(leaving) > 0
	set := now
	if w.shrink {
		set = slices.Concat(now, leaving)
		slices.SortFunc(set, byName)
	}
	w.sent, l.owes = set, false
	return s.launch(l, &Response{Set: set, Version: worldVersion(set)}, changed, w.held == nil)
}

func (s *Session) unmakeWorld(l *lane) *Response {
	now := l.wanted()
	l.world.sent, l.world.shrink = now, false
	return s.launch(l, &Response{Set: now, Version: worldVersion(now)}, nil, false)
}

// rejectWorld blames all that the client does not hold yet: it refuses the whole, and a part alone would remove the rest.
func (s *Session) rejectWorld(l *lane, f flight, reason string) {
	l.world.stuck = true
	for _, e := range f.set {
		l.world.dirty = l.world.dirty || !l.subscribed(e.Name) // it was given up meanwhile
		if i, has := slices.BinarySearchFunc(l.world.held, e, byName); !has || l.world.held[i].Version != e.Version {
			s.refuse(l, e, reason, f.asked)
		}
	}
}

// worldVersion is a hash of everything in a response, so that a client that comes back can be told apart from one that lacks something.
func worldVersion(all []*Entry) string {
	h := sha256.New()
	for _, e := range all {
		h.Write([]byte(e.Name))
		h.Write([]byte{0})
		h.Write([]byte(e.Version))
		h.Write([]byte{0})
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:versionBytes])
}
