package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// A load creates objects of one kind, each under a name of its own, while somebody watches.
type load struct {
	kind   kind
	client dynamic.ResourceInterface
	names  []string
}

// A loaded is what a load has found, by the number of the object. Durations count from the moment at which the client sent the object,
// or at pace from the moment at which it was due: a server that falls behind cannot hide it.
type loaded struct {
	took     time.Duration   // until the last object was acknowledged
	created  []time.Duration // until it was acknowledged
	watched  []time.Duration // until the watcher held it
	reopened int             // how often the server ended the watch
}

func newLoad(ctx context.Context, c *rest.Config, k kind, prefix string, n int) (*load, error) {
	client, err := dynamic.NewForConfig(c)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	if err := ensureNamespace(ctx, client, k.namespace); err != nil {
		return nil, err
	}
	l := &load{kind: k, client: client.Resource(k.resource).Namespace(k.namespace), names: make([]string, n)}
	for i := range l.names {
		l.names[i] = fmt.Sprintf("%s-%05d", prefix, i)
	}
	return l, nil
}

// flood creates all objects as fast as a number of workers can, each waiting for its answer.
func (l *load) flood(ctx context.Context, workers int) (loaded, error) {
	return l.watched(ctx, func(ctx context.Context, create func(ctx context.Context, number int, due time.Time) error) error {
		var next atomic.Int64
		failed := make([]error, workers)
		var all sync.WaitGroup
		for i := range workers {
			all.Go(func() {
				for failed[i] == nil {
					number := int(next.Add(1)) - 1
					if number >= len(l.names) {
						return
					}
					failed[i] = create(ctx, number, time.Now())
				}
			})
		}
		all.Wait()
		return errors.Join(failed...)
	})
}

// pace creates the objects at a steady rate, whether earlier ones are answered or not.
func (l *load) pace(ctx context.Context, perSecond int) (loaded, error) {
	return l.watched(ctx, func(ctx context.Context, create func(ctx context.Context, number int, due time.Time) error) error {
		failed := make([]error, len(l.names))
		begun, gap := time.Now(), time.Second/time.Duration(perSecond)
		var all sync.WaitGroup
		for i := range l.names {
			due := begun.Add(time.Duration(i) * gap)
			if err := until(ctx, due); err != nil {
				break // the join below says it
			}
			all.Go(func() { failed[i] = create(ctx, i, due) })
		}
		all.Wait()
		return errors.Join(append(failed, ctx.Err())...)
	})
}

// until waits for a moment.
func until(ctx context.Context, moment time.Time) error {
	timer := time.NewTimer(time.Until(moment))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// watched lets a driver create the objects while an observer watches, and waits for both.
func (l *load) watched(ctx context.Context, drive func(ctx context.Context, create func(ctx context.Context, number int, due time.Time) error) error) (loaded, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errPatience)
	defer cancel()
	o, err := observe(ctx, l.client, l.names)
	if err != nil {
		return loaded{}, err
	}
	open, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- o.run(ctx, open) }()
	select {
	case <-open:
	case err := <-ended:
		return loaded{}, err
	}

	due := make([]time.Time, len(l.names))
	found := loaded{created: make([]time.Duration, len(l.names)), watched: make([]time.Duration, len(l.names))}
	begun := time.Now()
	err = drive(ctx, func(ctx context.Context, number int, when time.Time) error {
		due[number] = when
		_, err := l.client.Create(ctx, l.kind.object(l.names[number]), metav1.CreateOptions{})
		found.created[number] = time.Since(when)
		return err
	})
	found.took = time.Since(begun)
	if err != nil {
		cancel()
		<-ended // it has nothing to add
		return loaded{}, fmt.Errorf("create %s objects: %w", l.kind.title, err)
	}
	if err := <-ended; err != nil {
		return loaded{}, err
	}
	for i, seen := range o.seen {
		found.watched[i] = seen.Sub(due[i])
	}
	found.reopened = o.reopened
	return found, nil
}
