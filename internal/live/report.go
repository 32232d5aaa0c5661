package live

import "time"

// A Lane is one type of resources. Its numbers are those of the xDS cache, whose test holds them together; live only counts by them.
type Lane uint8

// Lanes is how many lanes there are.
const Lanes = 6

// A Change is one resource that a commit set, removed, or gave other origins.
type Change struct {
	Key
	// Seq is the commit that gave the resource its content (or removed it). It is older than the commit at hand when only From changed.
	Seq uint64
	// In are the refs that the resource is made from now and was not before; Out those that it was made from and is no longer.
	In, Out []Ref
}

// A Report is what one stream has learned from its Envoy since its last Report.
type Report struct {
	// Upto says, per lane, that the Envoy holds what every commit up to this one wanted of the lane, save the names that are Behind.
	Upto [Lanes]uint64
	// Behind are names that are not so far, or that came to another reason for it.
	Behind []Behind
	// Caught are names that were Behind and no longer are.
	Caught []Key
}

// A Key names a resource by its lane.
type Key struct {
	Lane Lane
	Name string
}

// A Behind is a resource that an Envoy does not hold as it should.
type Behind struct {
	Key
	// Seq is the commit that made the content that the Envoy lacks.
	Seq uint64
	// Rejected says that the Envoy refused the content. If not, it has not asked for the resource yet.
	Rejected bool
	// Reason is why it was rejected, without anything that could be a credential.
	Reason string
	// Refs are what the rejected content was made from.
	Refs []Ref
	// Holds says that the Envoy holds an older content of the resource. If not, then nothing that it was made from works there.
	Holds bool
}

// A State is how far an object is.
type State uint8

// The states of a Ref.
const (
	Unknown   State = iota // no commit has had it, or a later one has it no more
	Waiting                // committed; not every connected Envoy has confirmed it, or none is connected
	Confirmed              // every connected Envoy holds all that was made from it
	Rejected               // an Envoy refused something that was made from it
)

// A Verdict says where a Ref stands.
type Verdict struct {
	State State
	// Waiting are the gateways that are still to confirm, in order. It is empty when no Envoy is connected at all.
	Waiting []string
	// Gateway is the one that rejected, and Reason why; the reason never shows a credential.
	Gateway, Reason string
}

// An Event tells that a Ref was confirmed by all, or rejected by one.
type Event struct {
	Ref     Ref
	Verdict Verdict
	// Took is the time from the commit to the verdict.
	Took time.Duration
}
