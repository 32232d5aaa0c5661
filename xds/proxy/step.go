package proxy

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/entente-mesh/entente/internal/run"
)

const (
	// overtime is how much longer than Envoy's own measure an old process may live after a hot restart before it is ended.
	overtime = 10 * time.Second
	// startTries is how often an Envoy that ends before it is live for the first time is started.
	startTries = 3
)

// step does what the present state asks for, one thing at a time: it is called again when something has changed.
func (p *Proxy) step(ctx, keeping context.Context) error {
	if err := p.reap(keeping); err != nil {
		return err
	}
	c := p.config()
	switch h := p.head; {
	case h == nil:
		return p.cold(keeping, c)
	case h.isGone():
		p.head = nil
		return errors.Join(h.err, h.forget(c.Dir, records(p.retiring)), p.remember())
	case h.Epoch > 0 && p.isLost(h):
		// Its arguments name a process to take over from, which is no more.
		c.Logger.WarnContext(ctx, "Envoy ended and is started from nothing", "pid", h.child.State().PID, "error", h.child.State().Err)
		return p.replace(keeping, c, p.cold)
	case h.serves(c) && !h.mute.Load():
		p.settle(h)
		return nil
	case h.isUnknown():
		return nil
	case h.isLive() || h.mute.Load():
		return p.exchange(ctx, keeping, c)
	case h.Epoch > 0 && len(p.retiring) > 0: // it starts, and the one before still serves
		return p.replace(keeping, c, func(ctx context.Context, c Config) error { return p.start(ctx, c, h.Base, h.Epoch) })
	default: // it starts, and nobody serves
		return p.replace(keeping, c, p.cold)
	}
}

// isLost says whether a generation of a later epoch cannot be started again as it was. Until it is live it needs the process before it;
// once it was, that has been told to end.
func (p *Proxy) isLost(h *generation) bool {
	s := h.child.State()
	switch {
	case s.Phase == 0:
		return false
	case h.served.Load():
		return s.Phase != run.Ready
	default:
		return len(p.retiring) == 0 && (!s.TakenOver || s.PID == 0)
	}
}

// settle is the end of a start: what head took over from may go when it has drained.
func (p *Proxy) settle(h *generation) {
	if !h.isLive() {
		return
	}
	p.settled = true
	if len(p.retiring) > 0 && p.deadline.IsZero() {
		p.deadline = time.Now().Add(h.conf.parentShutdown() + overtime)
	}
}

// exchange replaces a serving Envoy by another one without a pause.
func (p *Proxy) exchange(ctx, keeping context.Context, c Config) error {
	h := p.head
	if len(p.retiring) > 0 { // Envoy could do with three at a time, but then ends the oldest before its time
		p.settle(h)
		return nil
	}
	if p.refused != nil && p.refused.record(0, 0).serves(c) {
		p.settle(h)
		return nil
	}
	if err := c.validate(ctx); err != nil {
		p.refused, p.refusal = &c, err
		c.Logger.ErrorContext(ctx, "Envoy refuses its new configuration, the old one stays", "error", err)
		return nil
	}
	p.refused, p.refusal = nil, nil
	if h.HotRestart != c.Binary.HotRestart {
		c.Logger.WarnContext(ctx, "Envoy cannot be replaced without a pause: the versions do not know each other", "old", h.Build, "new", c.Binary.Build)
		drain(ctx, h.admin, c.Drain)
		return p.replace(keeping, c, p.cold)
	}
	c.Logger.InfoContext(ctx, "Envoy is replaced by a hot restart", "old", h.Build, "new", c.Binary.Build, "epoch", h.Epoch+1)
	h.retire()
	p.retiring = append(p.retiring, h)
	p.exchanges++
	return p.start(keeping, c, h.Base, h.Epoch+1)
}

// replace ends head and puts what then makes in its place.
func (p *Proxy) replace(ctx context.Context, c Config, then func(context.Context, Config) error) error {
	h := p.head
	if err := h.stop(); err != nil {
		return fmt.Errorf("end Envoy: %w", err)
	}
	if err := h.forget(c.Dir, records(p.retiring)); err != nil {
		return fmt.Errorf("what Envoy left: %w", err)
	}
	return then(ctx, c)
}

// cold starts an Envoy that takes over from nobody.
func (p *Proxy) cold(ctx context.Context, c Config) error {
	base, err := newBase()
	if err != nil {
		return err
	}
	return p.start(ctx, c, base, 0)
}

func (p *Proxy) start(ctx context.Context, c Config, base uint32, epoch int) error {
	tries := startTries
	if p.wasReady() || epoch > 0 {
		tries = math.MaxInt
	}
	g, err := newGeneration(c, c.record(base, epoch), c.Bootstrap, tries, p.notify)
	if err != nil {
		return err
	}
	if p.head != nil {
		p.past += p.head.child.State().Starts
	}
	p.head, p.deadline, p.settled = g, time.Time{}, false
	if err := p.remember(); err != nil {
		return err
	}
	g.run(ctx)
	return nil
}

// reap forgets the old processes that have ended, and ends those that should have.
func (p *Proxy) reap(ctx context.Context) error {
	var left []*generation
	for i, g := range p.retiring {
		late := !p.deadline.IsZero() && time.Now().After(p.deadline)
		if !g.isGone() && !late {
			left = append(left, g)
			continue
		}
		if late {
			g.conf.Logger.WarnContext(ctx, "an old Envoy has not ended in its time and is ended", "pid", g.child.State().PID)
		}
		if err := g.stop(); err != nil && late { // else it is how it ended, which no longer matters
			return fmt.Errorf("end an old Envoy: %w", err)
		}
		others := records(slices.Concat(left, p.retiring[i+1:], []*generation{p.head}))
		if err := g.forget(g.conf.Dir, others); err != nil {
			return fmt.Errorf("what an old Envoy left: %w", err)
		}
	}
	if len(left) == len(p.retiring) {
		return nil
	}
	p.retiring = left
	return p.remember()
}
