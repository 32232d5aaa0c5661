package live

import (
	"maps"
	"math"
	"slices"
	"time"
)

// A Line is one connected stream of one gateway. Its fields are guarded by the board's mu.
type Line struct {
	board   *Board
	gateway string
	upto    [Lanes]uint64
	missing map[Key]*missing
	closed  bool
}

// missing is a resource that a line does not hold as it should.
type missing struct {
	rejected bool
	reason   string
	held     uint64 // what the resource was made from by this commit still works there, since an older content is held
	refs     []Ref  // what the rejected content was made from
	items    []*item
}

func (m *missing) add(i *item) {
	m.items = append(slices.DeleteFunc(m.items, (*item).over), i)
}

// Connect adds a stream of a gateway. It counts until it is closed. A gateway may have several, as while its Envoy is replaced.
func (b *Board) Connect(gateway string) *Line {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := &Line{board: b, gateway: gateway}
	if b.lines == nil {
		b.lines = make(map[*Line]struct{})
	}
	b.lines[l] = struct{}{}
	for lane := range b.queues {
		for _, i := range b.queues[lane].between(0, math.MaxUint64) {
			i.left++
		}
	}
	if len(b.lines) == 1 { // until now there was nobody to wait for
		for _, all := range b.objects {
			for _, r := range slices.Clone(all.records) {
				b.waitAgain(r, r.since)
			}
		}
	}
	b.move()
	return l
}

// Gateways are the names of the gateways that have a connected Envoy, in order.
func (b *Board) Gateways() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	names := make(map[string]struct{})
	for l := range b.lines {
		names[l.gateway] = struct{}{}
	}
	return slices.Sorted(maps.Keys(names))
}

// Report takes in what the stream has learned. It must not confirm a commit that the board has not been told of.
func (l *Line) Report(r Report, now time.Time) {
	b := l.board
	b.mu.Lock()
	defer b.mu.Unlock()
	if l.closed {
		return
	}
	for _, x := range r.Behind {
		l.fallBehind(x, now)
	}
	for lane, upto := range r.Upto {
		if upto > l.upto[lane] {
			l.advance(Lane(lane), upto, now)
		}
	}
	for _, key := range r.Caught {
		l.catchUp(key, now)
	}
	for lane := range b.queues {
		b.queues[lane].tidy()
	}
}

// advance confirms everything of a lane up to a commit, save what is missing.
func (l *Line) advance(lane Lane, upto uint64, now time.Time) {
	passed := l.board.queues[lane].between(l.upto[lane], upto)
	l.upto[lane] = upto
	for _, i := range passed { // nothing that follows goes through a queue
		m := l.missing[i.key]
		if m == nil {
			l.board.pass(i, now)
			continue
		}
		m.add(i)
		l.refuse(i.of, i.key, m, now)
	}
}

func (l *Line) fallBehind(x Behind, now time.Time) {
	m := l.missing[x.Key]
	if m == nil {
		m = &missing{}
		if x.Holds {
			m.held = l.upto[x.Lane]
		}
		if l.missing == nil {
			l.missing = make(map[Key]*missing)
		}
		l.missing[x.Key] = m
	}
	m.rejected, m.reason, m.refs = x.Rejected, x.Reason, x.Refs
	for _, ref := range x.Refs {
		r := l.board.find(ref)
		// A client that has come back with some older content refuses the newest again: of what is in both, nothing has changed.
		if r == nil || x.Holds && m.held == 0 && r.said == Confirmed {
			continue
		}
		l.refuse(r, x.Key, m, now)
	}
}

// refuse tells of a rejection, if the line holds nothing older that r is in.
func (l *Line) refuse(r *record, key Key, m *missing, now time.Time) {
	if m.rejected && !r.retired && r.made(key) > m.held {
		l.board.tell(r, l.board.verdict(r), now)
	}
}

func (l *Line) catchUp(key Key, now time.Time) {
	m := l.missing[key]
	if m == nil {
		return
	}
	delete(l.missing, key)
	for _, i := range m.items {
		l.board.pass(i, now)
	}
	for _, ref := range m.refs {
		if r := l.board.find(ref); r != nil && r.state == Rejected && r.open == 0 {
			l.board.settle(r, now)
		}
	}
}

// holds says how a record stands at this line, and why it was rejected if it was.
func (l *Line) holds(r *record) (State, string) {
	state := Confirmed
	for _, n := range r.needs {
		m := l.missing[n.key]
		switch {
		case m == nil && l.upto[n.key.Lane] >= n.seq, m != nil && n.seq <= m.held:
		case m != nil && m.rejected:
			return Rejected, m.reason
		default:
			state = Waiting
		}
	}
	for lane, seq := range r.floor {
		if l.upto[lane] < seq {
			state = Waiting
		}
	}
	return state, ""
}

// Close takes the stream away: a gateway without a connected Envoy does not count.
func (l *Line) Close(now time.Time) {
	b := l.board
	b.mu.Lock()
	defer b.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	delete(b.lines, l)
	var left []*item
	for lane := range b.queues {
		left = append(left, b.queues[lane].between(l.upto[lane], math.MaxUint64)...)
	}
	var rejected []Ref
	for _, m := range l.missing {
		left = append(left, m.items...)
		rejected = append(rejected, m.refs...)
	}
	for _, i := range left {
		b.pass(i, now)
	}
	for _, ref := range rejected {
		if r := b.find(ref); r != nil && r.state == Rejected && r.open == 0 {
			b.settle(r, now)
		}
	}
}
