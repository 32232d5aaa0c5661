//go:build !lite

package scheduler

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/klog/v2"
)

// The lease's times. A killed process is followed after leaseDuration at most; renewing writes every retryPeriod, a third as
// often as Kubernetes does by default, because an idle laptop's disk matters here.
const (
	leaseDuration = 15 * time.Second
	renewDeadline = 10 * time.Second
	retryPeriod   = 5 * time.Second
)

// Available says whether this binary has a scheduler.
func Available() bool { return true }

// Scheduler schedules while it leads. Its methods may be called from several goroutines; Run is called once.
type Scheduler struct {
	config Config // set once in New

	ready     chan struct{}
	readyOnce sync.Once
	leading   atomic.Bool
}

// New checks the configuration and, unless the API server runs in this process, sets Kubernetes' process-wide version. It
// does not call the API server.
func New(c Config) (*Scheduler, error) {
	c, err := c.complete()
	if err != nil {
		return nil, err
	}
	if !c.Embedded {
		if err := takeGlobals(c.ServerVersion); err != nil {
			return nil, err
		}
	}
	return &Scheduler{config: c, ready: make(chan struct{})}, nil
}

// Run leads or stands by until ctx ends. On a clean stop it first ends its own work and then gives the lease back, so that
// the next process leads at once. A lost lease ends a term, not the run: the next term starts from what is there.
func (s *Scheduler) Run(ctx context.Context) error {
	ctx = klog.NewContext(ctx, klog.Background().WithValues("part", s.String()))
	for ctx.Err() == nil {
		if err := s.term(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// Ready is closed when this process leads and knows all pods and nodes, or when it has seen that another one leads.
func (s *Scheduler) Ready() <-chan struct{} { return s.ready }

// Leading says whether this process schedules now.
func (s *Scheduler) Leading() bool { return s.leading.Load() }

// String names the part.
func (s *Scheduler) String() string { return "scheduler" }

func (s *Scheduler) becomeReady() { s.readyOnce.Do(func() { close(s.ready) }) }

// term waits for the lease, leads while it is held, and returns when it is not held any more.
func (s *Scheduler) term(ctx context.Context) error {
	lock, err := s.lock()
	if err != nil {
		return err
	}
	// The lease outlives the work: it is given back when lead has returned.
	hold, release := context.WithCancel(context.WithoutCancel(ctx))
	defer release()
	begin := make(chan context.Context)
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, Name: s.config.Lease.Name, ReleaseOnCancel: true,
		LeaseDuration: leaseDuration, RenewDeadline: renewDeadline, RetryPeriod: retryPeriod,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(held context.Context) {
				select {
				case begin <- held:
				case <-hold.Done():
				}
			},
			OnStoppedLeading: func() {}, // lead notices by its context
			OnNewLeader:      s.observe,
		},
	})
	if err != nil {
		return fmt.Errorf("lease %s: %w", lock.Describe(), err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		elector.Run(hold)
	}()
	select {
	case held := <-begin:
		term, end := context.WithCancel(held)
		stop := context.AfterFunc(ctx, end)
		err = s.lead(term)
		stop()
		end()
		if err == nil && ctx.Err() == nil {
			s.config.Log.Warn("scheduler lost its lease and stands by", "lease", lock.Describe())
		}
	case <-ctx.Done():
	}
	release()
	<-ended
	return err
}

// observe notes who leads.
func (s *Scheduler) observe(identity string) {
	if identity == s.config.Lease.Identity || identity == "" {
		return
	}
	s.config.Log.Info("scheduler stands by", "leader", identity)
	s.becomeReady()
}

func (s *Scheduler) lock() (resourcelock.Interface, error) {
	l := s.config.Lease
	config := rest.CopyConfig(s.config.REST)
	config.WarningHandler = rest.NoWarnings{}
	lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, l.Namespace, l.Name,
		resourcelock.ResourceLockConfig{Identity: l.Identity}, config, renewDeadline)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lease %s/%s", l.Namespace, l.Name), err)
	}
	return lock, nil
}
