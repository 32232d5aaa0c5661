package live

import (
	"cmp"
	"slices"
	"time"
)

// An item is one resource of one commit that one ref waits for.
type item struct {
	key  Key
	seq  uint64
	left int // lines that have not confirmed it
	of   *record
	done bool
}

// A queue has the items of a lane, in the order of their commits.
type queue struct {
	items  []*item
	loose  bool // not in order
	limit  int  // at how many items to look for those that nobody needs any more
	passed []*item
}

func (q *queue) add(i *item) {
	if n := len(q.items); n > 0 && q.items[n-1].seq > i.seq {
		q.loose = true
	}
	if q.items = append(q.items, i); len(q.items) > max(q.limit, 64) {
		q.items = slices.DeleteFunc(q.items, (*item).over)
		q.limit = 2 * len(q.items)
	}
}

// over says that nobody needs the item. A line that answers nothing would otherwise pile them up.
func (i *item) over() bool { return i.done || i.of.retired }

// between are the items after one commit up to another. The slice holds until the next call.
func (q *queue) between(after, upto uint64) []*item {
	if q.loose {
		slices.SortStableFunc(q.items, func(a, b *item) int { return cmp.Compare(a.seq, b.seq) })
		q.loose = false
	}
	first, _ := slices.BinarySearchFunc(q.items, after+1, func(i *item, seq uint64) int { return cmp.Compare(i.seq, seq) })
	q.passed = q.passed[:0]
	for _, i := range q.items[first:] {
		if i.seq > upto {
			break
		}
		if !i.over() {
			q.passed = append(q.passed, i)
		}
	}
	return q.passed
}

// tidy drops what is over, once that is most of it.
func (q *queue) tidy() {
	first := 0
	for first < len(q.items) && q.items[first].over() {
		first++
	}
	if first == len(q.items) {
		q.items, q.passed = nil, nil
	} else if first > len(q.items)/2 {
		q.items = slices.Clone(q.items[first:])
	}
}

// wait opens an item: r waits until every line has confirmed the resource at this commit or a newer one. With no line connected there is
// nobody to wait for: Connect opens the items. It says whether a line has refused the content already.
func (b *Board) wait(r *record, key Key, seq uint64, at time.Time) (refused bool) {
	if r.open == 0 {
		r.since, r.state = at, Waiting
	}
	if len(b.lines) == 0 {
		return false
	}
	i := &item{key: key, seq: seq, of: r}
	if seq == b.unseen {
		i.left = len(b.lines)
	} else {
		refused = b.count(i)
	}
	if i.left > 0 {
		r.open++
		b.queues[key.Lane].add(i)
	}
	return refused
}

// count finds the lines that an item has to wait for.
func (b *Board) count(i *item) (refused bool) {
	for l := range b.lines {
		switch m := l.missing[i.key]; {
		case l.upto[i.key.Lane] < i.seq:
			i.left++
		case m != nil && i.seq > m.held:
			i.left++
			m.add(i)
			refused = refused || m.rejected
		}
	}
	return refused
}

// waitAgain opens the items of all that r needs and some line lacks.
func (b *Board) waitAgain(r *record, at time.Time) {
	for _, n := range r.needs {
		b.wait(r, n.key, n.seq, at)
	}
	for lane, seq := range r.floor {
		if seq > 0 {
			b.wait(r, Key{Lane: Lane(lane)}, seq, at)
		}
	}
}

// pass notes that one line has confirmed an item, or has gone.
func (b *Board) pass(i *item, now time.Time) {
	if i.left--; i.left > 0 || i.done || len(b.lines) == 0 {
		return
	}
	i.done = true
	if i.of.open--; i.of.open == 0 {
		b.settle(i.of, now)
	}
}
