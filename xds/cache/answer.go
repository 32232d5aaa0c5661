package cache

import (
	"maps"
	"slices"

	"github.com/entente-mesh/entente/internal/live"
)

// answer takes the client's ACK or NACK of a response. An unknown nonce, or one that was answered before, is no answer to anything.
func (s *Session) answer(l *lane, r Request) {
	i := slices.IndexFunc(l.flights, func(f flight) bool { return f.nonce == r.Nonce })
	if i < 0 || l.flights[i].settled {
		return
	}
	f := l.flights[i]
	switch {
	case !r.Rejected:
		s.accept(l, f)
	case l.world != nil:
		s.rejectWorld(l, f, r.Reason)
	default:
		s.reject(l, f, r.Reason)
	}
	l.flights[i] = flight{settled: true, upto: f.upto}
	l.land()
}

// land lets go of the oldest responses that were answered. Answers come in order from a client that keeps the protocol.
func (l *lane) land() {
	for len(l.flights) > 0 && l.flights[0].settled {
		if len(l.retry) == 0 {
			l.upto = max(l.upto, l.flights[0].upto)
		}
		if l.flights = l.flights[1:]; len(l.flights) == 0 {
			l.flights = nil
		}
	}
}

func (s *Session) accept(l *lane, f flight) {
	switch {
	case l.world != nil:
		l.world.held, l.world.stuck = f.set, false
		for _, name := range slices.Collect(maps.Keys(l.lag)) {
			s.catchUpWith(l, name)
		}
	case l.lag != nil:
		for _, e := range f.set {
			s.catchUpWith(l, e.Name)
		}
		for _, name := range f.removed {
			s.catchUpWith(l, name)
		}
	}
	if !f.since.IsZero() {
		s.confirmed = append(s.confirmed, Confirmation{Type: l.kind, Since: f.since})
	}
}

// reject finds out which resource it was. A client refuses a response as a whole, whatever it applied of it; so what was sent together is
// sent again in halves, until a single resource is refused. That one is not sent again before it changes, or the client asks for it.
func (s *Session) reject(l *lane, f flight, reason string) {
	names := make([]string, 0, len(f.set)+len(f.removed))
	for _, e := range f.set {
		names = append(names, e.Name)
	}
	names = append(names, f.removed...)
	if len(names) > 1 {
		half := len(names) / 2
		l.retry = append(l.retry, group{names[:half], f.asked}, group{names[half:], f.asked})
		return
	}
	for _, e := range f.set {
		s.refuse(l, e, reason, f.asked)
	}
	for _, name := range f.removed {
		s.catchUpWith(l, name) // there is nothing that the client could hold instead
	}
}

// refuse notes that the client does not take e, if it still wants it.
func (s *Session) refuse(l *lane, e *Entry, reason string, asked bool) {
	if !l.subscribed(e.Name) {
		return
	}
	s.fallBehind(l, e.Name, lag{seq: e.Seq, rejected: e.Version}, live.Behind{
		Rejected: true,
		Reason:   redact(reason, e),
		Refs:     e.From,
		Holds:    !asked,
	})
}
