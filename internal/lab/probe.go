package lab

import (
	"context"
	"errors"
	"time"
)

// Verdict is what a probe found out.
type Verdict int

const (
	// Unknown says that the probe could not tell.
	Unknown Verdict = iota
	// Yes says that it works here.
	Yes
	// No says that this machine refuses.
	No
)

// String is the verdict as users read it.
func (v Verdict) String() string {
	switch v {
	case Yes:
		return "yes"
	case No:
		return "no"
	default:
		return "could not tell"
	}
}

// Support is what labs can do on this machine for this user.
type Support struct {
	// Labs is whether nodes and partitions work; LabsReason says why not.
	Labs       Verdict
	LabsReason error
	// Relay is whether links can have delay and partial loss; RelayReason says why not.
	Relay       Verdict
	RelayReason error
}

// Probe finds out what works by doing it: it builds a lab of two nodes with a delayed link and takes it away again.
func Probe(ctx context.Context, c Config) Support {
	c.Nodes = []string{"probe-a", "probe-b"}
	l, err := Start(ctx, c)
	if err != nil {
		return Support{Labs: verdictOf(err), LabsReason: err, Relay: verdictOf(err), RelayReason: err}
	}
	err = l.nodes[0].Link(l.nodes[1]).Set(ctx, Condition{Delay: time.Millisecond})
	s := Support{Labs: Yes, Relay: verdictOf(err), RelayReason: err}
	if err := l.Close(); err != nil {
		s.Labs, s.LabsReason = Unknown, err
	}
	return s
}

// verdictOf sorts the outcome of an attempt.
func verdictOf(err error) Verdict {
	if err == nil {
		return Yes
	}
	if _, ok := errors.AsType[*RefusedError](err); ok {
		return No
	}
	return Unknown
}
