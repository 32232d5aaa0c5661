package cache

import (
	"slices"
	"time"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/internal/sorted"
)

const (
	// responseBytes is how large a response gets before the rest goes into another: Envoy handles each in one go on its main thread.
	responseBytes = 1 << 20
	// window is how many responses of a type may be unanswered. One keeps the memory bounded and lets a slow client skip what is in between.
	window = 1
	// clusterWindow is the same for clusters, whose confirmation Envoy withholds while any of them is warming: that must not keep a
	// cluster from being withdrawn.
	clusterWindow = 8
	// maxNames bounds the explicit subscriptions of one type.
	maxNames = 1 << 18
)

// A lane is what a stream knows about one type.
type lane struct {
	kind    Type
	content sorted.Map[*Entry] // what has been looked at: all changes up to here are noted below, sent, or held by the client

	// The subscription. named says that there was one by name, after which an empty request no longer means everything.
	wild  bool
	named bool
	names map[string]struct{}

	// What is to be sent, by name. set holds also the names that must be answered though they do not exist.
	set   map[string]need
	order []string // the names of set that come next; those that came since are not among them
	gone  map[string]struct{}
	walk  *walk
	retry []group   // names whose common response was refused
	owes  bool      // a response must go out, even an empty one
	since time.Time // the oldest commit among what is to be sent

	flights []flight
	lag     map[string]lag
	upto    uint64 // the client holds what every commit up to this one wanted, save what lags

	world *world // state of the world, of the types that are sent whole
}

// A need is why a name is to be sent.
type need struct {
	forced bool // the client asked for it: even if it has not changed, even if it was refused, even if it does not exist
	fresh  bool // the client cannot hold it yet, so that it need not be told of its removal
	asked  bool // the client has just subscribed to it, and may hold nothing of it
}

// A group is a part of a refused response that is to be sent again.
type group struct {
	names []string
	asked bool // as in need, of any of them
}

// A walk is a wildcard subscription that has not been served to its end: everything from next on is still to be looked at.
type walk struct {
	next    string
	initial map[string]string // what the client has said to hold, and has not been met yet
	later   bool              // the stream had a subscription before, so the client may hold something of what is ahead
}

// A flight is a response that has not been answered.
type flight struct {
	nonce   string
	set     []*Entry
	removed []string
	upto    uint64 // with this response the client holds everything up to here; 0: more had to follow
	since   time.Time
	asked   bool // as in need, of any of its names
	settled bool
}

// A lag is a name that the client does not hold as it should.
type lag struct {
	seq      uint64 // of the content that it lacks
	rejected string // the version that it refused; empty: it has not asked for the name yet
}

func (l *lane) subscribed(name string) bool {
	if l.wild {
		return true
	}
	_, ok := l.names[name]
	return ok
}

// ahead says that the walk will come to the name.
func (l *lane) ahead(name string) bool { return l.walk != nil && name >= l.walk.next }

// making says that something is to be sent that is no removal; breaking, that there are removals to be sent.
func (l *lane) making() bool {
	return len(l.set) > 0 || l.walk != nil || len(l.retry) > 0 || l.owes || l.world != nil && l.world.dirty
}

func (l *lane) breaking() bool { return len(l.gone) > 0 || l.world != nil && l.world.shrink }

// open says whether a further response may go out. One group after the other is tried again, so that each answer tells something.
func (l *lane) open() bool {
	limit := window
	if l.kind == Cluster && len(l.retry) == 0 {
		limit = clusterWindow
	}
	return len(l.flights) < limit
}

func (l *lane) idle() bool { return !l.making() && !l.breaking() && len(l.flights) == 0 }

// demand marks a name to be sent whatever the client holds. asked says that the client has subscribed to it.
func (l *lane) demand(name string, asked bool) {
	n := l.set[name]
	n.forced, n.asked = true, n.asked || asked
	l.put(name, n)
	l.drop(name)
}

func (l *lane) put(name string, n need) {
	if l.set == nil {
		l.set = make(map[string]need)
	}
	l.set[name] = n
}

// leave marks a name as one to be removed from the client.
func (l *lane) leave(name string) {
	if l.gone == nil {
		l.gone = make(map[string]struct{})
	}
	l.gone[name] = struct{}{}
}

// take removes a name from what is to be sent. Emptied maps are let go: an idle stream is to be small.
func (l *lane) take(name string) {
	if delete(l.set, name); len(l.set) == 0 {
		l.set = nil
	}
}

func (l *lane) drop(name string) {
	if delete(l.gone, name); len(l.gone) == 0 {
		l.gone = nil
	}
}

// forget drops everything that is to be sent or is missed under a name that the client no longer wants.
func (s *Session) forget(l *lane, name string) {
	l.take(name)
	l.drop(name)
	s.catchUpWith(l, name)
}

// note compares what the lane has looked at with what there is now.
func (s *Session) note(l *lane, now *content) {
	for c := range sorted.Diff(l.content, now.types[l.kind]) {
		switch {
		case c.In && c.Out && c.Old.Version == c.New.Version: // only what no client sees
		case l.world != nil:
			l.world.note(l, c.Key, c.Out)
			l.hasten(now.at)
		case !c.Out:
			s.noteGone(l, c.Key, now.at)
		default:
			s.noteSet(l, c.New, !c.In)
		}
	}
	l.content = now.types[l.kind]
}

func (s *Session) noteGone(l *lane, name string, at time.Time) {
	if !l.subscribed(name) {
		s.catchUpWith(l, name)
		return
	}
	if l.ahead(name) && !l.walk.later {
		return
	}
	n, waiting := l.set[name]
	if n.forced {
		return // it is answered as one that does not exist
	}
	l.take(name)
	if waiting && n.fresh || s.state {
		s.catchUpWith(l, name)
		return
	}
	l.leave(name)
	l.hasten(at)
}

func (s *Session) noteSet(l *lane, e *Entry, added bool) {
	if !l.subscribed(e.Name) {
		if added && s.parentsAsked(l.kind) {
			s.fallBehind(l, e.Name, lag{seq: e.Seq}, live.Behind{})
		}
		return
	}
	if l.ahead(e.Name) {
		return
	}
	n, waiting := l.set[e.Name]
	if !waiting {
		_, leaving := l.gone[e.Name]
		n.fresh = added && !leaving
	}
	l.drop(e.Name)
	if l.lag[e.Name].rejected == e.Version && !n.forced && !l.flying(e.Name) {
		l.take(e.Name) // what was refused is back: it will be refused again
		return
	}
	l.put(e.Name, n)
	l.hasten(e.At)
}

// flying says whether an unanswered response carries the name.
func (l *lane) flying(name string) bool {
	for _, f := range l.flights {
		if slices.Contains(f.removed, name) || slices.ContainsFunc(f.set, func(e *Entry) bool { return e.Name == name }) {
			return true
		}
	}
	return false
}

func (l *lane) hasten(at time.Time) {
	if l.since.IsZero() || at.Before(l.since) {
		l.since = at
	}
}
