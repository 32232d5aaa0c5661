//go:build lite

package scheduler

import (
	"context"
	"errors"
)

// ErrLite is what New returns in a binary without the scheduler.
var ErrLite = errors.New("this binary was built without the scheduler (build tag lite): run the full binary beside this cluster")

// Available says whether this binary has a scheduler.
func Available() bool { return false }

// Scheduler is the kube-scheduler, which this binary does not have.
type Scheduler struct{}

// New always fails with ErrLite, or with what is wrong in the configuration.
func New(c Config) (*Scheduler, error) {
	if _, err := c.complete(); err != nil {
		return nil, err
	}
	return nil, ErrLite
}

// Run always fails with ErrLite.
func (*Scheduler) Run(context.Context) error { return ErrLite }

// Ready is never closed.
func (*Scheduler) Ready() <-chan struct{} { return nil }

// Leading is always false.
func (*Scheduler) Leading() bool { return false }

// String names the part.
func (*Scheduler) String() string { return "scheduler" }
