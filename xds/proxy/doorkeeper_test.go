package proxy_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/internal/run"
	"github.com/entente-mesh/entente/xds/proxy"
)

var _ run.Task = (*proxy.Doorkeeper)(nil)

// A gatehouse is a doorkeeper and the listener that it asks, in a synctest bubble.
type gatehouse struct {
	*proxy.Doorkeeper
	answer atomic.Pointer[string] // of the private listener; nil: nobody listens
	log    bytes.Buffer           // read only while the bubble is at rest
}

func newGatehouse(t *testing.T) *gatehouse {
	t.Helper()
	g := &gatehouse{}
	g.Doorkeeper = proxy.NewDoorkeeper(proxy.DoorkeeperConfig{
		Dir: t.TempDir(), Dial: g.dial, Log: slog.New(slog.NewTextHandler(&g.log, nil)),
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return g
}

func (g *gatehouse) says(answer string) { g.answer.Store(&answer) }

// refuses makes the listener answer as a closed door with that mark does.
func (g *gatehouse) refuses(mark string) {
	g.says("HTTP/1.1 401 Unauthorized\r\n" + names.HeaderErrorMessage + ": <bob/bob-0/proof/" + mark + " $missing_credentials$ unauthorized>\r\nContent-Length: 0\r\n\r\n")
}

func (g *gatehouse) dial(context.Context) (net.Conn, error) {
	answer := g.answer.Load()
	if answer == nil {
		return nil, errors.New("nobody listens")
	}
	ours, theirs := net.Pipe()
	go func() {
		defer func() { _ = theirs.Close() }() // the end of the story
		if _, err := theirs.Read(make([]byte, 4096)); err == nil {
			_, _ = io.WriteString(theirs, *answer) // the reader may be gone
		}
	}()
	return ours, nil
}

// settle lets time pass until everything that can happen has happened several times.
func settle() {
	time.Sleep(time.Minute) // in the bubble
	synctest.Wait()
}

type door struct{ opened atomic.Int64 }

func (d *door) Open() { d.opened.Add(1) }

func (g *gatehouse) state() proxy.DoorState {
	s, _ := g.State()
	return s
}

func (g *gatehouse) isReady() bool {
	select {
	case <-g.Ready():
		return true
	default:
		return false
	}
}

func TestADoorIsOpenedWhenItsOwnEnvoyWasSeenToRefuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGatehouse(t)
		var d door
		defer g.Guard(&d, "first", false)()
		settle()
		if d.opened.Load() != 0 || g.state().Err == nil || g.isReady() {
			t.Fatalf("while nobody listens: opened %d times, %+v, ready %t", d.opened.Load(), g.state(), g.isReady())
		}
		g.refuses("first")
		settle()
		if d.opened.Load() != 1 || g.state() != (proxy.DoorState{Open: true}) || !g.isReady() {
			t.Errorf("after the proof: opened %d times, %+v, ready %t", d.opened.Load(), g.state(), g.isReady())
		}
		if g.log.Len() != 0 {
			t.Errorf("that Envoy was slow is nobody's concern: %s", &g.log)
		}
	})
}

// While one Envoy takes over from another both listen on the same socket.
func TestTheRefusalOfAnotherEnvoyOpensNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGatehouse(t)
		var before, after door
		leave := g.Guard(&before, "before", false)
		g.refuses("before")
		settle()
		defer g.Guard(&after, "after", false)()
		settle()
		if before.opened.Load() != 1 || after.opened.Load() != 0 {
			t.Fatalf("opened %d and %d times, want 1 and 0", before.opened.Load(), after.opened.Load())
		}
		if err := g.state().Err; err == nil || !strings.Contains(err.Error(), "another Envoy") || !g.state().Open {
			t.Errorf("state %+v", g.state())
		}
		leave()
		g.refuses("after")
		settle()
		if before.opened.Load() != 1 || after.opened.Load() != 1 || g.state().Err != nil {
			t.Errorf("opened %d and %d times, want 1 and 1; %+v", before.opened.Load(), after.opened.Load(), g.state())
		}
	})
}

func TestADoorThatMayBeOpenIsComplainedOfOnceAndOpenedWhenItWasMended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGatehouse(t)
		var d door
		defer g.Guard(&d, "mark", false)()
		g.says("HTTP/1.1 404 Not Found\r\n" + names.HeaderErrorMessage + ": <bob/bob-0/proof/mark $direct_response$ none>\r\nContent-Length: 0\r\n\r\n")
		settle()
		var open *proxy.DoorError
		if d.opened.Load() != 0 || !errors.As(g.state().Err, &open) || g.isReady() {
			t.Fatalf("opened %d times, %+v, ready %t", d.opened.Load(), g.state(), g.isReady())
		}
		if said := g.log.String(); strings.Count(said, "not published") != 1 || !strings.Contains(said, "status 404") {
			t.Errorf("said: %s", said)
		}
		g.refuses("mark")
		settle()
		if d.opened.Load() != 1 || !g.state().Open || g.state().Err != nil {
			t.Errorf("opened %d times, %+v", d.opened.Load(), g.state())
		}
	})
}

func TestADoorThatIsOpenIsLeftAloneAndOneThatHasLeftIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGatehouse(t)
		var open, gone door
		g.Guard(&gone, "gone", false)()
		leave := g.Guard(&open, "open", true)
		g.refuses("gone")
		settle()
		if open.opened.Load() != 0 || gone.opened.Load() != 0 || !g.state().Open {
			t.Errorf("opened %d and %d times, %+v", open.opened.Load(), gone.opened.Load(), g.state())
		}
		leave()
		settle()
		if g.state().Open {
			t.Error("open, with nobody there")
		}
	})
}

func TestMarksAreLongAndDiffer(t *testing.T) {
	t.Parallel()
	if one, other := proxy.NewMark(), proxy.NewMark(); one == other || len(one) < 20 {
		t.Errorf("marks %q and %q", one, other)
	}
}
