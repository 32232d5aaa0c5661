package proxy

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/entente-mesh/entente/internal/child"
)

// resume takes over what the last parent has left and removes what is left of it.
func (p *Proxy) resume(ctx context.Context, c Config) error {
	records, err := readState(c.Dir)
	if err != nil {
		return err
	}
	var alive, dead []record
	for _, r := range records {
		pid, err := child.Alive(r.pidFile(c.Dir))
		switch {
		case err != nil:
			return err
		case pid != 0 && c.Adopt:
			alive = append(alive, r)
		default:
			dead = append(dead, r)
		}
	}
	for _, r := range dead {
		if err := errors.Join(child.Stop(r.pidFile(c.Dir), stopGrace), r.forget(c.Dir, alive)); err != nil {
			return fmt.Errorf("what an earlier Envoy left: %w", err)
		}
	}
	for i, r := range alive {
		g, err := newGeneration(c, r, nil, math.MaxInt, p.notify)
		if err != nil { // such as a program that was removed
			c.Logger.WarnContext(ctx, "a running Envoy cannot be taken over and is ended", "error", err)
			if err := errors.Join(child.Stop(r.pidFile(c.Dir), stopGrace), r.forget(c.Dir, alive[i+1:])); err != nil {
				return err
			}
			continue
		}
		if p.head != nil {
			p.head.retire()
			p.retiring = append(p.retiring, p.head)
		}
		p.head = g
		g.run(ctx)
	}
	if last := len(records) - 1; p.head == nil && c.Adopt && last >= 0 && records[last].Epoch == 0 && records[last].serves(c) {
		// It may run without having been written down, if its parent was killed in the moment of its start. With the same base id it
		// would be found.
		return p.start(ctx, c, records[last].Base, 0)
	}
	return p.remember()
}

// finish is the end of Run: adopted processes are left running, others ended.
func (p *Proxy) finish(ctx context.Context) error {
	all := p.all()
	c := p.config()
	if c.Adopt {
		for _, g := range all {
			g.leave()
		}
		return nil
	}
	if p.head != nil && p.head.isLive() {
		drain(ctx, p.head.admin, c.StopDrain)
	}
	var failures error
	for _, g := range slices.Backward(all) { // the newest first: at its end it looks for the one that it took over from
		if g.isGone() {
			continue // why it ended has been told
		}
		failures = errors.Join(failures, g.stop())
	}
	for _, g := range all {
		failures = errors.Join(failures, g.forget(c.Dir, nil))
	}
	p.head, p.retiring = nil, nil
	return errors.Join(failures, p.remember())
}

// remember writes down which generations there are.
func (p *Proxy) remember() error {
	dir := p.config().Dir
	all := records(p.all())
	if len(all) == 0 {
		return remove(stateFile(dir))
	}
	if err := writeState(dir, all); err != nil {
		return fmt.Errorf("write down which Envoys run: %w", err)
	}
	return nil
}
