package serve_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
)

// A frozen connection takes everything and delivers nothing, as one does whose other end has lost its power.
type frozen struct {
	net.Conn
	once   sync.Once
	freeze chan struct{}
	closed chan struct{}
}

func (f *frozen) Read(b []byte) (int, error) {
	n, err := f.Conn.Read(b)
	select {
	case <-f.freeze:
		<-f.closed
		return 0, net.ErrClosed
	default:
		return n, err
	}
}

func (f *frozen) Write(b []byte) (int, error) {
	select {
	case <-f.freeze:
		return len(b), nil
	default:
		return f.Conn.Write(b)
	}
}

func (f *frozen) Close() error {
	f.once.Do(func() { close(f.closed) })
	return nil // the other end must not see it
}

func TestAHalfOpenStreamEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDomains("alice")
		s := start(t, d, nil)
		var conn *frozen
		straight := s.dial
		s.dial = func(ctx context.Context) (net.Conn, error) {
			inner, err := straight(ctx)
			conn = &frozen{Conn: inner, freeze: make(chan struct{}), closed: make(chan struct{})}
			t.Cleanup(func() { _ = inner.Close() }) // the server closed its end long ago
			return conn, err
		}
		c := s.connect(t)
		c.subscribe(nil)
		d.set(t, "alice", time.Second, "a")
		c.ack(c.receive())
		synctest.Wait()
		if got := s.metrics.Stats().Streams; got != 1 {
			t.Fatalf("%d streams, want 1", got)
		}

		close(conn.freeze)
		time.Sleep(30*time.Second + 9*time.Second)
		if got := s.metrics.Stats().Streams; got != 1 {
			t.Errorf("%d streams before the server's patience ended, want 1", got)
		}
		time.Sleep(2 * time.Second)
		if got := s.metrics.Stats().Streams; got != 0 {
			t.Errorf("%d streams afterwards, want 0", got)
		}
		if got := d.caches["alice"].Board().Gateways(); len(got) != 0 {
			t.Errorf("gateways %v still count, want none", got)
		}
	})
}

// Envoy pings every 30 s by our bootstrap; a server that takes that for an attack would hang up within two minutes.
func TestAQuietStreamThatPingsLivesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDomains("alice")
		c := start(t, d, nil).connect(t, pinging(10*time.Second))
		c.subscribe(nil)
		time.Sleep(time.Hour)
		d.set(t, "alice", time.Second, "a")
		c.ack(c.receive())
		c.cancel()
		if got := c.end(); got.Code() != codes.Canceled {
			t.Errorf("the stream ended with %v, want our own %v", got, codes.Canceled)
		}
	})
}
