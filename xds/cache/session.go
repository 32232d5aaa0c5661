package cache

import (
	"strconv"
	"time"

	"github.com/entente-mesh/entente/internal/live"
)

// wildcard is the name that subscribes to everything.
const wildcard = "*"

// A Request is a discovery request as plain values. Node and type URL have been dealt with by the shell.
type Request struct {
	Type Type
	// Subscribe and Unsubscribe are the names of a delta request.
	Subscribe, Unsubscribe []string
	// Initial are a delta request's initial_resource_versions: what the client holds from an earlier stream. The session takes the map over.
	Initial map[string]string
	// Names and Version are resource_names and version_info of a state-of-the-world request.
	Names   []string
	Version string
	// Nonce is the nonce of the response that is answered; empty if none is.
	Nonce string
	// Rejected says that the request has an error_detail: the response with Nonce was refused. Reason is its message, which may hold
	// credentials; the session keeps no more than a redacted form.
	Rejected bool
	Reason   string
}

// A Response is the next thing to send.
type Response struct {
	Type  Type
	Nonce string
	// Version is system_version_info of a delta response, version_info of a state-of-the-world response.
	Version string
	// Set are the resources, to be written by Entry.Delta or Entry.State. The slice and the entries must not be changed.
	Set []*Entry
	// Removed are the names that do not exist (delta only).
	Removed []string
}

// A Confirmation is one response that the client has accepted, if it carried changes that were pushed (not what a stream begins with).
type Confirmation struct {
	Type Type
	// Since is the time of the oldest commit that the response carried.
	Since time.Time
}

// A Session is the state machine of one stream. It is used by one goroutine; it starts none, knows no clock and never blocks.
//
// The shell feeds it each request, then sends what Next gives until there is nothing more, passes Progress on, and waits for a request or
// for Wait.
//
// An idle stream costs some hundred bytes, whatever there is in the cache: of a wildcard subscription that is in sync it knows only which
// content that is. Names are kept for explicit subscriptions, for what waits to be sent, and for what the client refused.
type Session struct {
	view  View
	state bool // state of the world, not delta
	lanes [Types]*lane
	seen  uint64 // the commit that Next has caught up with
	nonce uint64 // of the newest response

	told      [Types]uint64 // what Progress has reported as held
	behind    []live.Behind
	caught    []live.Key
	confirmed []Confirmation
}

// NewDeltaSession begins a delta (incremental) stream.
func NewDeltaSession(view View) *Session { return &Session{view: view} }

// NewStateSession begins a state-of-the-world stream.
func NewStateSession(view View) *Session { return &Session{view: view, state: true} }

// Receive takes one request in. An error ends the stream: the client broke a bound.
func (s *Session) Receive(r Request) error {
	if r.Type >= Types {
		return errType
	}
	l := s.lanes[r.Type]
	first := l == nil
	if first {
		l = &lane{kind: r.Type, content: s.view.content(r.Type).types[r.Type]}
		s.lanes[r.Type] = l
	}
	if r.Nonce != "" {
		s.answer(l, r)
	}
	// "The server must honor changes to the subscription state even if the nonce is stale", says the protocol of delta; in the other
	// variant a later request has the newest names anyway.
	if s.state {
		return s.subscribeState(l, r, first)
	}
	return s.subscribeDelta(l, r, first)
}

// Next catches up with the caches and returns the next response to send, or nil when there is nothing to send now.
//
// The order is make before break: additions by type, what refers to a thing after the thing, then removals the other way round. Nothing
// waits for the confirmation of another type, since Envoy withholds that of clusters while one is warming.
func (s *Session) Next() *Response {
	s.catchUp()
	making := false
	for _, l := range s.lanes {
		if l == nil || !l.making() {
			continue
		}
		if l.open() {
			if r := s.make(l); r != nil {
				return r
			}
		}
		making = making || l.making()
	}
	for i := len(s.lanes) - 1; i >= 0 && !making; i-- {
		l := s.lanes[i]
		if l == nil || !l.breaking() {
			continue
		}
		if !l.open() {
			break // what is referred to must not go before what refers to it
		}
		if r := s.unmake(l); r != nil {
			return r
		}
	}
	for _, l := range s.lanes {
		if l != nil && l.idle() {
			l.upto = s.seen
		}
	}
	return nil
}

// Wait returns a channel that is closed when the caches have something that Next has not seen.
func (s *Session) Wait() <-chan struct{} {
	if s.view.kin == nil {
		return nil
	}
	return s.view.kin.wait(s.seen)
}

// Backlog says whether changes wait for the client to answer what was sent before.
func (s *Session) Backlog() bool {
	for _, l := range s.lanes {
		if l != nil && (l.making() || l.breaking()) {
			return true
		}
	}
	return false
}

// catchUp notes what has changed since the last time. The cost follows the changes.
func (s *Session) catchUp() {
	if s.view.kin == nil {
		return
	}
	seq := s.view.kin.seq.Load() // before the contents: what is seen is at least as new
	if seq == s.seen {
		return
	}
	for t, l := range s.lanes {
		if l == nil {
			continue
		}
		now := s.view.content(Type(t))
		if now.types[t] != l.content {
			s.note(l, now)
		}
	}
	s.seen = seq
}

// launch gives the response its nonce and remembers it until it is answered. changed are the resources that are
// new to the client; asked says that it may hold nothing older of them.
func (s *Session) launch(l *lane, r *Response, changed []*Entry, asked bool) *Response {
	s.nonce++
	r.Type, r.Nonce = l.kind, strconv.FormatUint(s.nonce, 10)
	if r.Version == "" {
		r.Version = strconv.FormatUint(s.seen, 10)
	}
	f := flight{nonce: r.Nonce, set: r.Set, removed: r.Removed, asked: asked}
	if !l.making() && !l.breaking() {
		f.upto, f.since = s.seen, l.since
		l.since = time.Time{}
	}
	l.flights = append(l.flights, f)
	for _, e := range changed {
		s.followUp(e)
	}
	return r
}

// followUp sends again what Envoy waits for after e, and, being subscribed already, does not ask for.
func (s *Session) followUp(e *Entry) {
	for _, key := range e.Follow {
		if key.Type >= Types {
			continue
		}
		if l := s.lanes[key.Type]; l != nil && l.subscribed(key.Name) && !l.ahead(key.Name) {
			l.demand(key.Name, false)
		}
	}
}
