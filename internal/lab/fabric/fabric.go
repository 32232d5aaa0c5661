// Package fabric joins network namespaces as the machines of one network: a bridge in the current network namespace, a firewall
// that lets TCP port 1080 through and nothing else, and, per pair of machines, partition, delay and loss.
//
// It must be used from a process that is in the outer network namespace with all its threads and has all rights there. What
// it makes lives as long as that namespace.
package fabric

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
)

// ends are two nodes by index, the smaller first.
type ends struct{ a, b int }

// Error says which step failed.
type Error struct {
	// Step is one of the Step constants.
	Step string
	// Err is the reason.
	Err error
}

func (e *Error) Error() string { return e.Step + ": " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// The steps, as users read them.
const (
	StepBridge   = "make the bridge"
	StepLink     = "make a node's link"
	StepFirewall = "load the firewall"
	StepRelay    = "open the relay of a delayed or lossy link"
)

// Fabric is the network between nodes, which are numbered from 0.
//
// Links that are perfect or cut are a matter of the bridge and its firewall, in the kernel. A link with delay or partial loss
// is blocked there, and a relay in this process carries its frames instead, from packet socket to packet socket. The kernel's
// own netem would do the same, but many kernels come without it, it shapes a whole port and not a pair, and one way that works
// everywhere is better than two.
type Fabric struct {
	// Set once.
	ports []port
	seed  uint64
	// Guarded by mu, which is held over the kernel's work on purpose: changes happen one after the other.
	mu     sync.Mutex
	state  map[ends]Condition
	relays map[ends]*relay
}

// New joins the network namespaces that are open as these files and returns when their links carry traffic. Errors are of
// type *[Error]. The seed makes losses repeatable.
func New(namespaces []int, seed uint64) (*Fabric, error) {
	ports, err := connect(namespaces)
	if err != nil {
		return nil, err
	}
	if err := loadFirewall(nil); err != nil {
		return nil, &Error{Step: StepFirewall, Err: err}
	}
	return &Fabric{ports: ports, seed: seed, state: map[ends]Condition{}, relays: map[ends]*relay{}}, nil
}

// Set replaces the condition of the link between two nodes, or leaves it as it was when it fails. Errors of the system are of
// type *[Error].
func (f *Fabric) Set(a, b int, c Condition) error {
	at := ends{min(a, b), max(a, b)}
	if at.a < 0 || at.b >= len(f.ports) || at.a == at.b {
		return fmt.Errorf("no link between nodes %d and %d", a, b)
	}
	if err := c.Check(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var next *relay
	if c.relayed() {
		dice := rand.New(rand.NewPCG(f.seed, uint64(at.a)<<8|uint64(at.b)))
		r, err := newRelay(f.ports[at.a], f.ports[at.b], c, dice)
		if err != nil {
			return &Error{Step: StepRelay, Err: err}
		}
		next = r
	}
	before := f.state[at]
	f.state[at] = c
	if err := loadFirewall(blocked(f.state, f.ports)); err != nil {
		f.state[at] = before
		if next != nil {
			next.stop()
		}
		return &Error{Step: StepFirewall, Err: err}
	}
	if last := f.relays[at]; last != nil {
		last.stop()
	}
	delete(f.relays, at)
	if next != nil {
		f.relays[at] = next
	}
	return nil
}

// blocked are the pairs that the bridge must not connect, in a steady order.
func blocked(state map[ends]Condition, ports []port) []pair {
	var pairs []pair
	for at, c := range state {
		if c.blocked() {
			a, b := ports[at.a].name, ports[at.b].name
			pairs = append(pairs, pair{a, b}, pair{b, a})
		}
	}
	slices.SortFunc(pairs, func(x, y pair) int {
		return cmp.Or(cmp.Compare(x.from, y.from), cmp.Compare(x.to, y.to))
	})
	return pairs
}
