package proxy

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/entente-mesh/entente/internal/latest"
	"github.com/entente-mesh/entente/internal/run"
)

// A Door is the listeners of one connected Envoy, of which only the private one serves until Open.
type Door interface {
	// Open lets in partners and pods. It may be called again.
	Open()
}

// DoorState says whether traffic is let in.
type DoorState struct {
	Open bool  // at least one connected Envoy has open doors
	Err  error // why the last attempt to prove a door failed; nil while nobody has tried, and after a success
}

// DoorkeeperConfig says whose doors are kept. Dir and Dial are required.
type DoorkeeperConfig struct {
	// Dir is the private folder of the Envoy, as in Config. Only an adopted Envoy, which outlives this program, is remembered as proved.
	Dir string
	// Dial opens a connection to the private listener that has the same filters and routes as the one for partners.
	Dial Dial
	// Log takes the reason when a door may be open to everybody; nil discards it.
	Log *slog.Logger
}

// A Doorkeeper opens the doors of an Envoy when, and only when, that very Envoy was seen to refuse who has no token. It is a run.Task.
type Doorkeeper struct {
	// Set once in NewDoorkeeper.
	cfg   DoorkeeperConfig
	ready chan struct{}
	wake  chan struct{} // has room for one; full when there is a door to prove
	once  sync.Once     // closes ready

	state latest.Value[DoorState] // written by Run's goroutine

	mu    sync.Mutex
	doors map[*guarded]struct{} // of the connected Envoys; guarded by mu
}

// A guarded is one door and what is known of it.
type guarded struct {
	// Set once in Guard.
	door Door
	mark string
	pid  int // of the newest Envoy when it was guarded

	open bool // guarded by Doorkeeper.mu
}

// NewDoorkeeper returns a doorkeeper that has no door yet.
func NewDoorkeeper(c DoorkeeperConfig) *Doorkeeper {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Doorkeeper{cfg: c, ready: make(chan struct{}), wake: make(chan struct{}, 1), doors: map[*guarded]struct{}{}}
}

// NewMark makes a word that nobody can guess, for one door.
func NewMark() string { return rand.Text() }

// Proven says whether the newest Envoy has passed its proof, perhaps before this program began: its doors stay open when it connects again, since
// closing them would cut its streams.
func (k *Doorkeeper) Proven() bool { return Proven(k.cfg.Dir) }

// Guard takes over a door that is closed, or open because Proven said so. The private listener's refusals carry the mark, by which the doorkeeper
// knows that this Envoy answers: while one Envoy takes over from another, both listen on the same socket. The caller must call leave when the Envoy
// has gone.
func (k *Doorkeeper) Guard(door Door, mark string, open bool) (leave func()) {
	e := &guarded{door: door, mark: mark, pid: Running(k.cfg.Dir), open: open}
	k.mu.Lock()
	k.doors[e] = struct{}{}
	k.mu.Unlock()
	k.look()
	return func() {
		k.mu.Lock()
		delete(k.doors, e)
		k.mu.Unlock()
		k.look() // who is left may now be known for sure
	}
}

// look wakes Run.
func (k *Doorkeeper) look() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// String names the part.
func (k *Doorkeeper) String() string { return "proof of closed doors" }

// Ready is closed when doors were opened for the first time.
func (k *Doorkeeper) Ready() <-chan struct{} { return k.ready }

// State returns whether traffic is let in, and a channel that is closed when that may have changed.
func (k *Doorkeeper) State() (DoorState, <-chan struct{}) { return k.state.Get() }

// Run proves the door of each Envoy that connects, and opens it, until ctx ends.
func (k *Doorkeeper) Run(ctx context.Context) error {
	failures := 0
	again := time.NewTimer(0)
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.wake:
		case <-again.C:
		}
		switch err := k.proveAll(ctx); {
		case err == nil:
			failures = 0
		case ctx.Err() != nil:
			return nil
		default:
			failures++
			// Envoy gives no sign when it has opened a socket.
			again.Reset(run.Backoff{First: 5 * time.Millisecond, Most: 5 * time.Second}.Pause(failures))
		}
	}
}

// proveAll opens each closed door whose Envoy refuses who has no token.
func (k *Doorkeeper) proveAll(ctx context.Context) error {
	var failed []error
	for _, e := range k.closed() {
		if err := ProveMarked(ctx, k.cfg.Dial, e.mark); err != nil {
			failed = append(failed, err)
			continue
		}
		e.door.Open()
		k.mu.Lock()
		e.open = true
		k.mu.Unlock()
	}
	if err := k.remember(); err != nil {
		failed = append(failed, err)
	}
	err := errors.Join(failed...)
	k.say(err)
	return err
}

// closed are the doors that wait for their proof.
func (k *Doorkeeper) closed() []*guarded {
	k.mu.Lock()
	defer k.mu.Unlock()
	var closed []*guarded
	for e := range k.doors {
		if !e.open {
			closed = append(closed, e)
		}
	}
	return closed
}

// remember notes that the newest Envoy has passed, if its door is open and no other connection can be its own.
func (k *Doorkeeper) remember() error {
	newest := Running(k.cfg.Dir)
	if newest == 0 || k.Proven() {
		return nil
	}
	k.mu.Lock()
	claims, open := 0, false
	for e := range k.doors {
		if e.pid == newest {
			claims++
			open = e.open
		}
	}
	k.mu.Unlock()
	if claims != 1 || !open {
		return nil
	}
	return RememberProof(k.cfg.Dir, newest)
}

// say tells how it stands: aloud when the authentication does not work, which somebody must look into, and once.
func (k *Doorkeeper) say(err error) {
	before, _ := k.state.Get()
	now := DoorState{Open: k.anyOpen(), Err: err}
	if now.Open {
		k.once.Do(func() { close(k.ready) })
	}
	if now.Open == before.Open && sameText(now.Err, before.Err) {
		return
	}
	k.state.Set(now)
	var open *DoorError
	if errors.As(err, &open) {
		k.cfg.Log.Error("the gateway is not published", "error", err)
	}
}

func (k *Doorkeeper) anyOpen() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for e := range k.doors {
		if e.open {
			return true
		}
	}
	return false
}

func sameText(a, b error) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Error() == b.Error()
}
