package proxy

import "github.com/entente-mesh/entente/internal/run"

// report makes State of what the generations are doing. Only the goroutine of Run calls it.
func (p *Proxy) report() {
	c := p.config()
	before, _ := p.state.Get()
	s := State{Version: c.Binary.Version, Starts: p.past, HotRestarts: p.exchanges, Draining: len(p.retiring), Err: p.refusal}
	if p.head != nil {
		now := p.head.child.State()
		s.Live, s.PID, s.Epoch, s.Starts = now.Phase == run.Ready && now.PID != 0, now.PID, p.head.Epoch, p.past+now.Starts
		if now.Err != nil {
			s.Err = now.Err
		}
	}
	if s != before {
		p.state.Set(s)
		c.Metrics.observe(before, s)
	}
	if p.settled { // only now, so that whoever waits for it finds the state
		p.once.Do(func() { close(p.ready) })
	}
}
