package cache

import (
	"slices"

	"github.com/entente-mesh/entente/internal/live"
)

// parents are the types whose resources name those of another type: the client subscribes to the latter after it has taken the former.
func parents(t Type) []Type {
	switch t {
	case Endpoint:
		return []Type{Cluster}
	case Secret:
		return []Type{Cluster, Listener}
	case Filter, Route:
		return []Type{Listener}
	}
	return nil
}

// Progress returns what is to be told to the live board, what has been confirmed since the last call, and whether there is any of it.
func (s *Session) Progress() (live.Report, []Confirmation, bool) {
	for _, l := range s.lanes {
		if l != nil && l.lag != nil {
			s.excuse(l)
		}
	}
	held := s.held()
	if held == s.told && len(s.behind)+len(s.caught)+len(s.confirmed) == 0 {
		return live.Report{}, nil, false
	}
	report, confirmed := live.Report{Upto: held, Behind: s.behind, Caught: s.caught}, s.confirmed
	s.told, s.behind, s.caught, s.confirmed = held, nil, nil, nil
	return report, confirmed, true
}

// held is, per type, the commit up to which the client holds everything. A type that it has not asked for is one that its clusters and
// listeners, as far as it has confirmed them, do not need.
func (s *Session) held() [Types]uint64 {
	var held [Types]uint64
	for t := range Types {
		if l := s.lanes[t]; l != nil {
			held[t] = l.upto
		} else {
			held[t], _ = s.parentsHeld(t)
		}
	}
	return held
}

// parentsHeld is the commit up to which the client has confirmed what could name resources of type t, and whether it has asked for such.
func (s *Session) parentsHeld(t Type) (upto uint64, asked bool) {
	for _, p := range parents(t) {
		if l := s.lanes[p]; l != nil && (!asked || l.upto < upto) {
			upto, asked = l.upto, true
		}
	}
	return upto, asked
}

func (s *Session) parentsAsked(t Type) bool {
	_, asked := s.parentsHeld(t)
	return asked
}

// excuse drops the names that the client has not asked for and will not: it has confirmed everything that could name them.
func (s *Session) excuse(l *lane) {
	upto, asked := s.parentsHeld(l.kind)
	for name, g := range l.lag {
		if g.rejected == "" && (!asked || g.seq <= upto) {
			s.catchUpWith(l, name)
		}
	}
}

// fallBehind notes a name that the client does not hold as it should.
func (s *Session) fallBehind(l *lane, name string, g lag, b live.Behind) {
	if l.lag == nil {
		l.lag = make(map[string]lag)
	}
	l.lag[name] = g
	b.Key, b.Seq = live.Key{Lane: live.Lane(l.kind), Name: name}, g.seq
	s.caught = slices.DeleteFunc(s.caught, func(k live.Key) bool { return k == b.Key })
	s.behind = append(s.behind, b)
}

// catchUpWith ends it.
func (s *Session) catchUpWith(l *lane, name string) {
	if _, lagged := l.lag[name]; !lagged {
		return
	}
	if delete(l.lag, name); len(l.lag) == 0 {
		l.lag = nil
	}
	key := live.Key{Lane: live.Lane(l.kind), Name: name}
	s.behind = slices.DeleteFunc(s.behind, func(b live.Behind) bool { return b.Key == key })
	s.caught = append(s.caught, key)
}
