// Package proxy runs a stock Envoy and keeps it running: started, watched, replaced without a pause when its program or its bootstrap
// changes, left running when this program ends, and ended with everything that it leaves behind.
package proxy

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/entente-mesh/entente/internal/latest"
)

// A Proxy keeps one Envoy running. It is a run.Task.
//
// It is ready when Envoy says that it is live: the control plane has brought all that Envoy waits for. Hot restarts need the control plane
// too, so a Proxy belongs after it in the order of start.
type Proxy struct {
	ready chan struct{}
	once  sync.Once     // closes ready
	wake  chan struct{} // holds one: something has changed

	state latest.Value[State]

	mu     sync.Mutex
	wanted Config // guarded by mu

	// Owned by the goroutine of Run.
	head      *generation   // the newest; nil before the start
	retiring  []*generation // those that head takes over from
	deadline  time.Time     // when these are ended; zero while head is not live
	refused   *Config       // the newest configuration if it did not pass Envoy's own check
	refusal   error         // why
	past      int           // how many processes there were in the generations before head
	exchanges int           // how many hot restarts there were
	settled   bool          // head is live, and what is wanted
}

// State is what Envoy is doing.
type State struct {
	Live        bool
	PID         int     // of the newest process; 0: none
	Version     Version // of the wanted program
	Epoch       int     // counts hot restarts
	Starts      int     // how many processes this parent has started or taken over
	HotRestarts int     // how many of them were started beside a serving one
	Draining    int     // old processes that still serve what began before
	Err         error   // why a process ended, or why a new configuration is not used; nil: nothing to complain of
}

// New returns a Proxy that is not running yet, or says what is wrong with the configuration. It makes the private folder.
func New(c Config) (*Proxy, error) {
	c, err := c.prepared()
	if err != nil {
		return nil, err
	}
	if err := makePrivate(c.Dir); err != nil {
		return nil, err
	}
	p := &Proxy{wanted: c, ready: make(chan struct{}), wake: make(chan struct{}, 1)}
	p.state.Set(State{Version: c.Binary.Version})
	return p, nil
}

// String returns "Envoy".
func (p *Proxy) String() string { return "Envoy" }

// Ready is closed when Envoy is live for the first time.
func (p *Proxy) Ready() <-chan struct{} { return p.ready }

// State returns what Envoy is doing now, and a channel that is closed when that changes.
func (p *Proxy) State() (State, <-chan struct{}) { return p.state.Get() }

// Admin is the way to the newest process.
func (p *Proxy) Admin() *Admin { return NewAdmin(AdminSocket(p.config().Dir)) }

// Update changes Binary, Bootstrap, Concurrency, LogLevel and Drain to those of c, whose other fields are not looked at. If Envoy has to be
// another for it, it is replaced by a hot restart: the new process serves when it is live, the old one ends when it has drained. Update does
// not wait for that. A bootstrap that Envoy itself refuses is not used: the old process goes on, and State and the log say why.
//
// Of several updates during a hot restart the last one counts, and it waits until the old process has drained. A changed Concurrency may
// cost connections that were opened in the moment of the exchange.
func (p *Proxy) Update(c Config) error {
	p.mu.Lock()
	next := p.wanted
	next.Binary, next.Bootstrap, next.Concurrency, next.LogLevel, next.Drain = c.Binary, c.Bootstrap, c.Concurrency, c.LogLevel, c.Drain
	next, err := next.prepared()
	if err == nil {
		p.wanted = next
	}
	p.mu.Unlock()
	p.notify()
	return err
}

// Run keeps Envoy running until ctx ends, and then stops it, or leaves an adopted one running. It fails only when Envoy ends several times
// before it is live for the first time.
func (p *Proxy) Run(ctx context.Context) error {
	keeping := context.WithoutCancel(ctx) // what is left of Envoy is ended in order, after ctx
	c := p.config()
	if err := p.resume(keeping, c); err != nil {
		return err
	}
	var rotating sync.WaitGroup
	rotating.Go(func() { c.Access.keep(ctx, p.Admin(), c.Logger) })
	defer rotating.Wait()

	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		if err := p.step(ctx, keeping); err != nil && ctx.Err() == nil {
			return errors.Join(err, p.finish(keeping))
		}
		p.report()
		timer.Reset(p.patience())
		select {
		case <-ctx.Done():
		case <-p.wake:
		case <-timer.C:
		}
	}
	err := p.finish(keeping)
	p.report()
	return err
}

// all are the generations, the oldest first.
func (p *Proxy) all() []*generation {
	if p.head == nil {
		return p.retiring
	}
	return slices.Concat(p.retiring, []*generation{p.head})
}

func records(all []*generation) []record {
	var described []record
	for _, g := range all {
		described = append(described, g.record)
	}
	return described
}

// patience is how long step may wait for something to change.
func (p *Proxy) patience() time.Duration {
	if p.deadline.IsZero() || len(p.retiring) == 0 {
		return time.Hour
	}
	return max(time.Until(p.deadline)+time.Millisecond, 0)
}

func (p *Proxy) config() Config {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wanted
}

func (p *Proxy) notify() {
	select {
	case p.wake <- struct{}{}:
	default: // it is awake, or about to be
	}
}

func (p *Proxy) wasReady() bool {
	select {
	case <-p.ready:
		return true
	default:
		return false
	}
}
