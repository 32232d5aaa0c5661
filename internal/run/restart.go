package run

import (
	"context"
	"sync"
	"time"
)

// Restarting is a Task that runs another one and, when that fails, builds and runs a new one after a growing pause. Its
// failures so never stop the group that it stands in.
type Restarting struct {
	name    string
	backoff Backoff
	build   func() (Task, error)
	observe func(Event)
	ready   chan struct{}
	once    sync.Once
}

// Restart returns a task that is restarted until its context ends. A Task's Run is called only once, so each life is a
// new task from build, whose error counts as a failure too.
//
// It is ready, for good, when one life has been ready: those that were added after it must bear its absence. The
// observer, which may be nil, is told of each life; it is called by several goroutines and must not block.
func Restart(name string, backoff Backoff, build func() (Task, error), observe func(Event)) *Restarting {
	if observe == nil {
		observe = func(Event) {}
	}
	return &Restarting{name: name, backoff: backoff, build: build, observe: observe, ready: make(chan struct{})}
}

// String returns the task's name.
func (r *Restarting) String() string { return r.name }

// Ready is closed when a life of the task has been ready for the first time.
func (r *Restarting) Ready() <-chan struct{} { return r.ready }

// Run runs one life after the other until ctx ends. It returns what the last one did when it was asked to stop.
func (r *Restarting) Run(ctx context.Context) error {
	for failures := 0; ; {
		began := time.Now()
		r.observe(Event{Task: r.name, Phase: Started})
		err := ending(ctx, r.live(ctx, began))
		lived := time.Since(began)
		if ctx.Err() != nil {
			r.observe(Event{Task: r.name, Phase: Stopped, Took: lived, Err: err})
			return err
		}
		failures = r.backoff.Failures(failures, lived)
		pause := r.backoff.Pause(failures)
		r.observe(Event{Task: r.name, Phase: Waiting, Took: lived, Retry: pause, Err: err})
		if !sleep(ctx, pause) {
			r.observe(Event{Task: r.name, Phase: Stopped})
			return nil
		}
	}
}

// live builds a task and runs it to its end.
func (r *Restarting) live(ctx context.Context, began time.Time) error {
	task, err := r.build()
	if err != nil {
		return err
	}
	var watch sync.WaitGroup
	returned := make(chan struct{})
	watch.Go(func() {
		select {
		case <-task.Ready():
			r.once.Do(func() { close(r.ready) })
			r.observe(Event{Task: r.name, Phase: Ready, Took: time.Since(began)})
		case <-returned:
		}
	})
	defer watch.Wait()
	defer close(returned)
	return task.Run(ctx)
}

// sleep waits for d, and says whether it could do so to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
