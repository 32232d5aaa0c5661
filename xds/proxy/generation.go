package proxy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/entente-mesh/entente/internal/child"
	"github.com/entente-mesh/entente/internal/run"
)

const (
	// stopGrace is how long Envoy may take to end after it was told to. It needs 5 ms.
	stopGrace = 5 * time.Second
	// forever is long enough.
	forever = 100 * 365 * 24 * time.Hour
)

// A generation is one Envoy from its start, or from being taken over, to its end.
type generation struct {
	record
	conf    Config
	child   *child.Child
	admin   *Admin
	changed func() // told of every change; does not block

	cancel context.CancelFunc // ends the care for it
	done   chan struct{}      // closed when that has ended, after err was set
	err    error

	retiring atomic.Bool // it is not started again when it ends
	served   atomic.Bool // it was live at least once
	answers  atomic.Bool // its running process has answered that it is not live
	mute     atomic.Bool // see Config.muteAfter
}

// newGeneration makes the generation and its bootstrap file. It starts nothing.
func newGeneration(conf Config, r record, text []byte, tries int, changed func()) (*generation, error) {
	g := &generation{record: r, conf: conf, admin: NewAdmin(AdminSocket(conf.Dir)), changed: changed, done: make(chan struct{})}
	if text != nil {
		if err := replaceFile(r.bootstrapFile(conf.Dir), text); err != nil {
			return nil, err
		}
	}
	cc := child.Config{
		Name: "Envoy", Path: r.Path, Args: r.Args, Env: []string{}, Dir: conf.Dir,
		Mode: child.Bound, Log: conf.Log, Logger: conf.Logger,
		// Envoy waits for its control plane as long as it takes, so it is never stopped for being slow.
		Ready: g.probe(), ReadyTimeout: forever, Tries: tries, Backoff: conf.Backoff,
		StopGrace: stopGrace, Observe: g.observe,
	}
	if conf.Adopt {
		// An Envoy that can hot restart has the kernel end it with its parent.
		cc.Mode, cc.PIDFile, cc.Detached = child.Adopted, r.pidFile(conf.Dir), true
	}
	var err error
	g.child, err = child.New(cc)
	return g, err
}

// run takes care of the generation until ctx ends, or it has ended and is not to be started again.
func (g *generation) run(ctx context.Context) {
	ctx, g.cancel = context.WithCancel(ctx)
	go func() { // whoever runs the generation waits for done
		defer g.changed()
		defer close(g.done)
		defer g.cancel()
		g.err = g.child.Run(ctx)
	}()
}

// probe is how the child finds out that Envoy is live. Envoy has no way to tell, so it is asked: often at first, ever more rarely later.
//
// The answer must come from this generation: during a hot restart the old process answers until the new one has taken the socket.
func (g *generation) probe() func(context.Context) error {
	var began time.Time // of the questions to one process
	var pid int
	return func(ctx context.Context) error {
		now := g.child.State()
		if now.PID != pid {
			pid, began = now.PID, time.Now()
			g.answers.Store(false)
		}
		info, err := g.admin.ServerInfo(ctx)
		if err == nil && (info.BaseID != g.Base || info.Epoch != g.Epoch) {
			err = fmt.Errorf("base id %d epoch %d answers instead of base id %d epoch %d", info.BaseID, info.Epoch, g.Base, g.Epoch)
		}
		if err != nil {
			if now.TakenOver && time.Since(began) > g.conf.muteAfter && !g.mute.Swap(true) {
				g.changed()
			}
			return err
		}
		g.mute.Store(false)
		if info.State == live {
			return nil
		}
		if !g.answers.Swap(true) {
			g.changed()
		}
		return fmt.Errorf("not live: %s", quote(info.State))
	}
}

// observe is told of each change of the child's state.
func (g *generation) observe(s child.State) {
	switch s.Phase {
	case run.Started:
		g.answers.Store(false)
		g.setOOMScore(s.PID)
	case run.Ready:
		g.served.Store(true)
	case run.Waiting:
		g.answers.Store(false)
		if g.retiring.Load() {
			g.cancel()
		}
	case run.Stopped:
	}
	g.changed()
}

// retire lets the generation end when it does so by itself.
func (g *generation) retire() {
	g.retiring.Store(true)
	if g.child.State().Phase == run.Waiting { // it ended before, and observe has not seen the mark
		g.cancel()
	}
}

// stop ends the generation, and returns when nothing of its processes is left.
func (g *generation) stop() error {
	g.leave()
	if !g.conf.Adopt {
		return g.err
	}
	return child.Stop(g.pidFile(g.conf.Dir), stopGrace)
}

// leave ends the care for the generation. An adopted one runs on.
func (g *generation) leave() {
	g.cancel()
	<-g.done
}

func (g *generation) isLive() bool {
	s := g.child.State()
	return s.Phase == run.Ready && s.PID != 0 // a process that has just ended is ready for a moment longer
}

// isGone says that the generation has ended for good.
func (g *generation) isGone() bool {
	select {
	case <-g.done:
		return true
	default:
		return false
	}
}

// isUnknown: it was taken over, and what it does is not known yet.
func (g *generation) isUnknown() bool {
	s := g.child.State()
	return s.Phase == 0 || s.Phase == run.Started && s.TakenOver && !g.answers.Load() && !g.mute.Load()
}

// setOOMScore is for the child itself: what it asks of the kernel is a preference, so that it was refused is not worth more than a word.
func (g *generation) setOOMScore(pid int) {
	if g.conf.OOMScore == 0 || pid == 0 {
		return
	}
	file := "/proc/" + strconv.Itoa(pid) + "/oom_score_adj"
	if err := os.WriteFile(file, []byte(strconv.Itoa(g.conf.OOMScore)), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
		g.conf.Logger.Debug("Envoy's OOM score is left as it was", "error", err)
	}
}
