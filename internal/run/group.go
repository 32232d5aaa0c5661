package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
)

// ErrEnded is the failure of a task whose Run returned nil although nobody had asked it to stop.
var ErrEnded = errors.New("ended without being asked")

// A Group runs tasks that need each other, as one Task.
//
// A task starts when all that it was added after are ready, and is asked to stop only when all that were added after it
// have returned. Since a task can only be added after tasks that are there already, there are no cycles.
//
// The group ends when its context does, or when one task fails: the rest is stopped in order, and Run returns the first
// failure with the task's name. A task that panics takes the process down: the group recovers nothing.
type Group struct {
	name    string
	observe func(Event)
	ready   chan struct{}
	members []*member // in the order of Add: what a member needs stands before it
	err     error     // the first misuse of Add; Run returns it
}

// A member is a task and its place among the others. It is set up by Add; the channels and the context are Run's.
type member struct {
	task   Task
	needs  []*member       // must be ready before it starts
	users  []*member       // must have returned before it is asked to stop
	ready  chan struct{}   // closed when the task is ready and the observer knows
	done   chan struct{}   // closed when the task has returned, or will never start
	gone   chan struct{}   // closed when the task and all its users, and theirs, have returned
	ctx    context.Context // ends when the task is asked to stop
	cancel context.CancelFunc
}

// NewGroup returns an empty group. The observer, which may be nil, is called for each event of each task, one event at a
// time and in the order in which they happened; while it works, the tasks that have something to tell wait for it.
func NewGroup(name string, observe func(Event)) *Group {
	if observe == nil {
		observe = func(Event) {}
	}
	return &Group{name: name, observe: observe, ready: make(chan struct{})}
}

// Add puts a task into the group. It will start when all tasks in after, which must have been added before, are ready.
// Add must not be called once Run has been.
func (g *Group) Add(task Task, after ...Task) {
	m := &member{task: task, ready: make(chan struct{}), done: make(chan struct{}), gone: make(chan struct{})}
	if g.find(task) != nil && g.err == nil {
		g.err = fmt.Errorf("%s was added twice", task)
	}
	for _, needed := range after {
		n := g.find(needed)
		if n == nil {
			if g.err == nil {
				g.err = fmt.Errorf("%s was added after %s, which was not there yet: add that first", task, needed)
			}
			continue
		}
		m.needs = append(m.needs, n)
		n.users = append(n.users, m)
	}
	g.members = append(g.members, m)
}

func (g *Group) find(task Task) *member {
	i := slices.IndexFunc(g.members, func(m *member) bool { return m.task == task })
	if i < 0 {
		return nil
	}
	return g.members[i]
}

// String returns the group's name.
func (g *Group) String() string { return g.name }

// Ready is closed when every task of the group is ready.
func (g *Group) Ready() <-chan struct{} { return g.ready }

// Run starts the tasks in order, waits for the end of ctx or the first failure, and stops them in the opposite order.
// When it returns, every task has returned. An orderly stop on ctx returns nil.
func (g *Group) Run(ctx context.Context) error {
	if g.err != nil {
		return fmt.Errorf("%s: %w", g.name, g.err)
	}
	stop, cancel := context.WithCancel(ctx)
	defer cancel()

	events := make(chan Event)
	var tasks errgroup.Group
	for _, m := range g.members {
		// A task outlives ctx until its users are gone, so it gets the values of ctx and an end of its own.
		m.ctx, m.cancel = context.WithCancel(context.WithoutCancel(ctx))
		tasks.Go(func() error {
			defer cancel() // whether it failed or was stopped: when one has returned, all go
			return m.run(stop, events)
		})
		tasks.Go(func() error {
			m.askToStop(stop)
			return nil
		})
	}
	tasks.Go(func() error {
		g.awaitReady(stop)
		<-stop.Done() // keeps a group without tasks running until it is stopped
		return nil
	})

	failure := make(chan error, 1)
	go func() { // ends with the tasks, and Run waits for it by draining events
		failure <- tasks.Wait()
		close(events)
	}()
	for e := range events {
		g.observe(e)
	}
	return <-failure
}

// awaitReady closes the group's own Ready when all tasks are ready.
func (g *Group) awaitReady(stop context.Context) {
	for _, m := range g.members {
		select {
		case <-m.ready:
		case <-stop.Done():
			return
		}
	}
	close(g.ready)
}

// askToStop ends the task's context when the group stops and all users of the task are gone. A user that failed by itself
// is gone only when its own users are, since they may still be on their way through it to this task.
func (m *member) askToStop(stop context.Context) {
	<-stop.Done()
	for _, u := range m.users {
		<-u.gone
	}
	m.cancel()
	<-m.done
	close(m.gone)
}

// run waits for what the task needs and then is the task's life. It returns nil if the task was never started.
func (m *member) run(stop context.Context, events chan<- Event) error {
	defer close(m.done)
	for _, n := range m.needs {
		select {
		case <-n.ready:
		case <-stop.Done():
		}
	}
	if stop.Err() != nil {
		return nil
	}
	name := m.task.String()
	events <- Event{Task: name, Phase: Started}

	began, asked := time.Now(), time.Time{}
	var watch errgroup.Group
	returned := make(chan struct{})
	watch.Go(func() error {
		m.announce(began, returned, events)
		return nil
	})
	watch.Go(func() error {
		select {
		case <-m.ctx.Done():
			asked = time.Now()
		case <-returned:
		}
		return nil
	})
	err := ending(m.ctx, m.task.Run(m.ctx))
	close(returned)
	_ = watch.Wait() // its goroutines return no errors

	if asked.IsZero() {
		asked = began
	}
	events <- Event{Task: name, Phase: Stopped, Took: time.Since(asked), Err: err}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// announce tells, once, that the task is ready, unless it returns before it is.
func (m *member) announce(began time.Time, returned <-chan struct{}, events chan<- Event) {
	select {
	case <-m.task.Ready():
		events <- Event{Task: m.task.String(), Phase: Ready, Took: time.Since(began)}
		close(m.ready)
	case <-returned:
	}
}

// ending judges what a task's Run returned: an orderly stop, for which the context's own error is as good as nil, or a
// failure, which nil is when the task was not asked.
func ending(ctx context.Context, err error) error {
	switch {
	case ctx.Err() == nil && err == nil:
		return ErrEnded
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return nil
	}
	return err
}
