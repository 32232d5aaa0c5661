package cache

import (
	"fmt"
	"maps"
	"slices"
)

// subscribeDelta changes the subscription as a delta request says.
//
// The rules are those of the protocol's text: a type's first request without names means everything (of clusters and listeners only), until
// names have been subscribed to; "*" and names stand side by side; a name that is subscribed to again is sent again, since the client may have
// forgotten it; a name that is no longer subscribed to while "*" is must be answered, since the client cannot know whether "*" has it.
func (s *Session) subscribeDelta(l *lane, r Request, first bool) error {
	if len(r.Subscribe)+len(r.Unsubscribe) == 0 {
		switch {
		case l.named || l.wild:
		case l.kind == Cluster || l.kind == Listener:
			l.widen(r.Initial, first)
		case first:
			l.owes = len(r.Initial) == 0 // it has asked for nothing, but may wait for an answer
		}
		return nil
	}
	for _, name := range r.Unsubscribe {
		if name == wildcard {
			s.narrow(l)
		} else {
			s.unsubscribe(l, name)
		}
	}
	for _, name := range r.Subscribe {
		l.named = true
		if name == wildcard {
			l.widen(r.Initial, first)
			continue
		}
		if err := l.subscribe(name); err != nil {
			return err
		}
		e, _ := l.content.Get(name)
		if held, holds := r.Initial[name]; !first || !holds || e == nil || e.Version != held {
			l.demand(name, !first || !holds)
		}
	}
	return nil
}

// widen subscribes to everything. What the client holds already is not sent.
func (l *lane) widen(initial map[string]string, first bool) {
	l.wild = true
	l.walk = &walk{initial: initial, later: !first}
	l.owes = len(initial) == 0
	for _, f := range l.flights { // a name in them that has gone since is one that the client takes up again
		for _, e := range f.set {
			if _, exists := l.content.Get(e.Name); !exists {
				l.leave(e.Name)
			}
		}
	}
}

// narrow ends the subscription to everything. The client forgets what it has not subscribed to by name, without being told.
func (s *Session) narrow(l *lane) {
	if !l.wild {
		return
	}
	l.wild, l.named = false, true // an answer without names must not bring it back
	l.owes = false
	s.forgetUnwanted(l)
}

// forgetUnwanted drops everything that was only to be sent because of "*".
func (s *Session) forgetUnwanted(l *lane) {
	for name := range l.names {
		if l.ahead(name) {
			l.demand(name, true)
		}
	}
	l.walk = nil
	unwanted := slices.Concat(slices.Collect(maps.Keys(l.set)), slices.Collect(maps.Keys(l.gone)), slices.Collect(maps.Keys(l.lag)))
	for _, name := range unwanted {
		if !l.subscribed(name) {
			s.forget(l, name)
		}
	}
}

func (l *lane) subscribe(name string) error {
	if _, again := l.names[name]; again {
		return nil
	}
	if len(l.names) >= maxNames {
		return fmt.Errorf("subscribe to %d names of %s: %d are the most that one stream may have", len(l.names)+1, l.kind, maxNames)
	}
	if e, ok := l.content.Get(name); ok {
		name = e.Name // the cache's string: thousands of streams share it
	}
	if l.names == nil {
		l.names = make(map[string]struct{})
	}
	l.names[name] = struct{}{}
	return nil
}

func (s *Session) unsubscribe(l *lane, name string) {
	if _, was := l.names[name]; !was {
		return
	}
	delete(l.names, name)
	if l.wild {
		l.demand(name, true)
		return
	}
	s.forget(l, name)
}
