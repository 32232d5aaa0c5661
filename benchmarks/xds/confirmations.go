package main

import (
	"context"
	"fmt"
	"sync"
)

// confirmations counts what clients accept, for servers that do not keep account of it themselves.
type confirmations struct {
	mu sync.Mutex
	// Guarded by mu.
	missing int
	done    chan struct{} // closed when missing comes to 0
}

// expect begins to count anew.
func (c *confirmations) expect(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.missing, c.done = n, make(chan struct{})
	if n == 0 {
		close(c.done)
	}
}

// one takes a confirmation in. Those that nobody expects, as at the beginning of a stream, do not count.
func (c *confirmations) one() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.missing == 0 {
		return
	}
	if c.missing--; c.missing == 0 {
		close(c.done)
	}
}

func (c *confirmations) wait(ctx context.Context) error {
	c.mu.Lock()
	done := c.done
	c.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		c.mu.Lock()
		defer c.mu.Unlock()
		return fmt.Errorf("%d streams have not confirmed a change: %w", c.missing, context.Cause(ctx))
	}
}
