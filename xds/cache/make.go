package cache

import (
	"maps"
	"slices"
)

// make builds the next response of what is to be added, changed or answered. It returns nil when on a closer look there is nothing.
func (s *Session) make(l *lane) *Response {
	if l.world != nil {
		return s.makeWorld(l)
	}
	p := &packet{lane: l, mute: s.state}
	if p.again(); p.empty() {
		p.proceed()
		p.pick()
	}
	if p.empty() && !l.owes {
		return nil
	}
	l.owes = false
	return s.launch(l, &Response{Set: p.set, Removed: p.removed}, p.set, p.asked)
}

// A packet is a response that is being filled.
type packet struct {
	*lane
	set     []*Entry
	removed []string
	size    int
	asked   bool
	mute    bool // it cannot say that a name does not exist: state of the world
}

func (p *packet) empty() bool { return len(p.set)+len(p.removed) == 0 }
func (p *packet) full() bool  { return p.size >= responseBytes }

// again puts the next refused group in, as it is now.
func (p *packet) again() {
	for len(p.retry) > 0 && p.empty() {
		group := p.retry[0]
		if p.retry = p.retry[1:]; len(p.retry) == 0 {
			p.retry = nil
		}
		p.asked = group.asked
		for _, name := range group.names {
			if p.subscribed(name) {
				p.add(name)
			}
		}
	}
}

// add puts one name in, which says all that is to be said of it.
func (p *packet) add(name string) {
	if e, ok := p.content.Get(name); ok {
		p.put(e)
		return
	}
	p.settle(name)
	if !p.mute {
		p.removed = append(p.removed, name)
		p.size += len(name)
	}
}

func (p *packet) put(e *Entry) {
	p.settle(e.Name)
	p.set = append(p.set, e)
	p.size += len(e.wire)
}

// settle takes a name off what is to be sent.
func (p *packet) settle(name string) {
	p.asked = p.asked || p.lane.set[name].asked
	p.take(name)
	p.drop(name)
}

// proceed serves a wildcard subscription from where the last response ended.
func (p *packet) proceed() {
	if p.walk == nil {
		return
	}
	for name, e := range p.content.From(p.walk.next) {
		if p.full() {
			p.walk.next = name
			return
		}
		held, holds := p.walk.initial[e.Name]
		if delete(p.walk.initial, e.Name); holds && held == e.Version && !p.lane.set[e.Name].forced {
			continue
		}
		p.asked = p.asked || !holds
		p.put(e)
	}
	for name := range p.walk.initial {
		if _, back := p.content.Get(name); !back { // else it has come after the walk went by, and is on its way
			p.leave(name)
		}
	}
	p.walk = nil
}

// pick adds what waits by name until the response is full.
func (p *packet) pick() {
	for len(p.lane.set) > 0 && !p.full() {
		if len(p.order) == 0 {
			p.order = slices.AppendSeq(p.order[:0], maps.Keys(p.lane.set))
			slices.Sort(p.order)
		}
		name := p.order[0]
		p.order = p.order[1:]
		if _, waiting := p.lane.set[name]; waiting {
			p.add(name)
		}
	}
	if len(p.lane.set) == 0 {
		p.order = nil
	}
}

// unmake builds the response of what is to be removed.
func (s *Session) unmake(l *lane) *Response {
	if l.world != nil {
		return s.unmakeWorld(l)
	}
	removed, size := slices.Sorted(maps.Keys(l.gone)), 0
	for i, name := range removed {
		if size += len(name); size >= responseBytes {
			removed = removed[:i+1]
			break
		}
	}
	for _, name := range removed {
		l.drop(name)
	}
	return s.launch(l, &Response{Removed: removed}, nil, false)
}
