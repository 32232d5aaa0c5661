package cluster

import (
	"context"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"github.com/entente-mesh/entente/cluster/scheduler"
)

// scheduling is the part that runs the scheduler. It is built when the API server can be asked which Kubernetes it is, because a
// scheduler must behave like its server's version.
type scheduling struct {
	rest   func() *rest.Config
	config Config
	ready  chan struct{}
}

func newScheduling(rest func() *rest.Config, cfg Config) *scheduling {
	return &scheduling{rest: rest, config: cfg, ready: make(chan struct{})}
}

// String names the part.
func (s *scheduling) String() string { return "scheduler" }

// Ready is closed when the scheduler leads, or has seen that another process does.
func (s *scheduling) Ready() <-chan struct{} { return s.ready }

// Run schedules until ctx ends.
func (s *scheduling) Run(ctx context.Context) error {
	client := s.rest()
	server, err := serverVersion(client)
	if err != nil {
		return err
	}
	task, err := scheduler.New(scheduler.Config{
		REST:          client,
		ServerVersion: server,
		Embedded:      s.config.Kind == Embedded,
		Plugins:       s.config.Plugins,
		Lease:         scheduler.Lease{Identity: s.config.Identity},
		Log:           s.config.Log,
	})
	if err != nil {
		return err
	}
	var parts errgroup.Group
	ctx, cancel := context.WithCancel(ctx)
	parts.Go(func() error {
		select {
		case <-task.Ready():
			close(s.ready)
		case <-ctx.Done():
		}
		return nil
	})
	err = task.Run(ctx)
	cancel()
	_ = parts.Wait() // it returns no error
	return err
}
