package serve

import (
	"sync"
	"sync/atomic"
)

// spare is how many of a crew stay while there is nothing to do.
const spare = 64

// A crew is the goroutines that work on streams. A goroutine's stack grows with its deepest call and hardly shrinks again, so one that lives
// as long as its stream, waiting nearly all the time, had better not call deep: thousands of streams share the few stacks of a crew.
//
// A turn that is stuck because its client does not read keeps one goroutine of the crew busy and no other stream waiting: the crew is as
// large as it must be.
type crew struct {
	turns   chan *stream // without a buffer: to one who waits
	waiting atomic.Int32 // how many wait
	members sync.WaitGroup
}

func newCrew() *crew { return &crew{turns: make(chan *stream)} }

// work has somebody do a turn of the stream. How it ended comes through the stream's done channel.
func (c *crew) work(st *stream) {
	select {
	case c.turns <- st:
	default:
		c.members.Go(func() { c.member(st) })
	}
}

// member works on one stream after the other until enough others wait for work.
func (c *crew) member(st *stream) {
	var out response
	for st != nil {
		st.done <- st.turn(&out)
		st, out = nil, response{} // not to be held while there is nothing to do
		if c.waiting.Add(1) <= spare {
			st = <-c.turns
		}
		c.waiting.Add(-1)
	}
}

// dismiss ends the crew. Nobody may call work any more.
func (c *crew) dismiss() {
	close(c.turns)
	c.members.Wait()
}
