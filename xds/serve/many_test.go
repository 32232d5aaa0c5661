package serve_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"

	"github.com/entente-mesh/entente/internal/live"
)

// Two thousand streams over two hundred connections: each gets each change once, and a change counts when the last has confirmed it.
func TestThousandsOfStreamsGetEachChange(t *testing.T) {
	t.Parallel()
	const connections, each, changes = 200, 10, 3
	d := newDomains("alice")
	d.set(t, "alice", time.Second, "a", "b", "c")
	s := start(t, d, nil)
	var joined, running sync.WaitGroup
	joined.Add(connections * each)
	for range connections {
		first := s.connect(t)
		for i := range each {
			c := first
			if i > 0 {
				c = open(t, first.conn)
			}
			c.subscribe(nil)
			running.Go(func() {
				err := confirm(c, 1)
				joined.Done()
				if err = errors.Join(err, confirm(c, changes)); err != nil {
					t.Error(err)
				}
			})
		}
	}
	joined.Wait()
	for i := range changes {
		timeout := time.Duration(i+2) * time.Second
		d.set(t, "alice", timeout, "a")
		d.until(t, "alice", service("a", timeout), live.Confirmed)
	}
	running.Wait()
	got := s.metrics.Stats()
	if want := uint64(connections * each * (1 + changes)); len(got.Types) != 1 || got.Types[0].Pushes != want {
		t.Errorf("pushes %+v, want %d of clusters", got.Types, want)
	}
}

// confirm takes n responses and accepts each.
func confirm(c *client, n int) error {
	for range n {
		r, err := c.stream.Recv()
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		if err := c.stream.Send(&discoveryv3.DeltaDiscoveryRequest{TypeUrl: r.GetTypeUrl(), ResponseNonce: r.GetNonce()}); err != nil {
			return fmt.Errorf("confirm: %w", err)
		}
	}
	return nil
}
