package main

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
)

// An observer watches one namespace and notes when each of the objects that the load creates comes into sight.
type observer struct {
	client   dynamic.ResourceInterface
	numbers  map[string]int // of the objects, by name
	seen     []time.Time    // by number; the zero time until it came. One goroutine owns it until run has returned.
	missing  int            // how many have not come
	from     string         // the resource version after which the next watch begins
	reopened int            // how often the server ended the watch
}

// observe begins where the namespace is now; it watches once run is called.
func observe(ctx context.Context, client dynamic.ResourceInterface, names []string) (*observer, error) {
	list, err := client.List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return nil, fmt.Errorf("list before the load: %w", err)
	}
	o := &observer{client: client, numbers: make(map[string]int, len(names)), seen: make([]time.Time, len(names)), missing: len(names), from: list.GetResourceVersion()}
	for i, name := range names {
		o.numbers[name] = i
	}
	return o, nil
}

// run watches until all objects were seen. The API server ends watches that fall behind: then it goes on from the last event, as every
// client of Kubernetes must. It closes open once the server has answered the first time.
func (o *observer) run(ctx context.Context, open chan<- struct{}) error {
	for o.missing > 0 {
		w, err := o.client.Watch(ctx, metav1.ListOptions{ResourceVersion: o.from, AllowWatchBookmarks: true})
		if err != nil {
			return fmt.Errorf("watch: %w", err)
		}
		if open != nil {
			close(open)
			open = nil
		}
		err = o.drain(ctx, w)
		w.Stop()
		if err != nil {
			return err
		}
		o.reopened++
	}
	o.reopened-- // the last one was ended here
	return nil
}

// drain takes events until the server ends the watch, or all objects were seen.
func (o *observer) drain(ctx context.Context, w watch.Interface) error {
	for o.missing > 0 {
		select {
		case e, ok := <-w.ResultChan():
			if !ok {
				return nil
			}
			if err := o.take(e, time.Now()); err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("watch: %d of %d objects have not come: %w", o.missing, len(o.seen), context.Cause(ctx))
		}
	}
	return nil
}

func (o *observer) take(e watch.Event, now time.Time) error {
	if e.Type == watch.Error {
		return fmt.Errorf("watch: %w", apierrors.FromObject(e.Object))
	}
	object, ok := e.Object.(*unstructured.Unstructured)
	if !ok {
		return fmt.Errorf("watch: unexpected object %T", e.Object)
	}
	o.from = object.GetResourceVersion()
	number, wanted := o.numbers[object.GetName()]
	if e.Type == watch.Added && wanted && o.seen[number].IsZero() {
		o.seen[number] = now
		o.missing--
	}
	return nil
}
