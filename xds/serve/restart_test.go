package serve_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/test/bufconn"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/xds/serve"
)

// The new server is another process as far as the client can tell: another cache, filled from the same objects, with the same salt.
func TestAfterARestartAClientGetsOnlyWhatHasChanged(t *testing.T) {
	t.Parallel()
	before := newDomains("alice")
	before.set(t, "alice", time.Second, "a", "b", "c", "gone")
	old := start(t, before, nil)
	c := old.connect(t)
	c.subscribe(nil)
	first := c.receive()
	c.ack(first)
	held := versions(first)
	before.until(t, "alice", service("a", time.Second), live.Confirmed)

	old.shutdown()
	if got := c.end(); got.Code() != codes.Unavailable {
		t.Errorf("the stream ended with %v, want %v", got, codes.Unavailable)
	}

	after := newDomains("alice")
	after.set(t, "alice", time.Minute, "b")
	after.set(t, "alice", time.Second, "a", "c", "new")
	again := start(t, after, nil)
	old.dial = again.dial // the address stays, and gRPC connects to it by itself
	next := open(t, c.conn)
	next.subscribe(held)
	r := next.receive()
	if diff := cmp.Diff([]string{"b", "new"}, names(r)); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
	next.ack(r)
	r = next.receive()
	if diff := cmp.Diff([]string{"gone"}, r.GetRemovedResources()); diff != "" || len(r.GetResources()) != 0 {
		t.Errorf("response %v, want only that gone is removed", r)
	}
	next.ack(r)
	// What the client brought counts without being sent.
	after.until(t, "alice", service("a", time.Second), live.Confirmed)
}

func TestAClientThatHoldsEverythingIsSentNothing(t *testing.T) {
	t.Parallel()
	d := newDomains("alice")
	d.set(t, "alice", time.Second, "a", "b")
	s := start(t, d, nil)
	c := s.connect(t)
	c.subscribe(nil)
	first := c.receive()
	c.ack(first)
	c.cancel()
	c.end()

	next := open(t, c.conn)
	next.subscribe(versions(first))
	d.until(t, "alice", service("b", time.Second), live.Confirmed)
	d.set(t, "alice", time.Minute, "b")
	if diff := cmp.Diff([]string{"b"}, names(next.receive())); diff != "" {
		t.Errorf("the first response (-want +got):\n%s", diff)
	}
}

// A client that neither reads nor leaves must not hold the process up.
func TestAStreamThatDoesNotEndIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDomains("alice")
		d.setBig(t, "0")
		s := start(t, d, nil)
		c := s.connect(t, grpc.WithStaticStreamWindowSize(64<<10))
		c.subscribe(nil)
		synctest.Wait() // the server is in the middle of sending now
		began := time.Now()
		s.shutdown()
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("the stop took %v, want the 5s that are given to streams", took)
		}
		if got := c.end(); got.Code() != codes.Unavailable {
			t.Errorf("the stream ended with %v, want %v", got, codes.Unavailable)
		}
		if n := d.unreleased(); n != 0 {
			t.Errorf("%d views were not released", n)
		}
	})
}

func TestAServerWhoseListenerBreaksSaysSo(t *testing.T) {
	t.Parallel()
	listener := bufconn.Listen(1)
	s := serve.New(serve.Config{Listener: listener, Authenticator: trusting{}, Views: newDomains()})
	ended := make(chan error, 1)
	go func() { ended <- s.Run(t.Context()) }()
	<-s.Ready()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "serve xDS on bufconn") {
		t.Errorf("Run returned %v, want an error that names the listener", err)
	}
}
