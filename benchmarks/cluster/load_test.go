package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
)

// A fakeAPI is one namespace of a server that takes its time and that ends each watch after some events.
type fakeAPI struct {
	dynamic.ResourceInterface // what the load does not use
	createTakes               time.Duration
	watchLags                 time.Duration
	perWatch                  int // events until a watch is ended; 0 means never
	refuse                    string

	mu      sync.Mutex
	objects []unstructured.Unstructured // guarded by mu, as are the following; the index + 1 is the resource version
	changed chan struct{}               // closed at the next object
	watches int
}

func (f *fakeAPI) List(context.Context, metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := &unstructured.UnstructuredList{}
	list.SetResourceVersion(strconv.Itoa(len(f.objects)))
	return list, nil
}

func (f *fakeAPI) Create(_ context.Context, o *unstructured.Unstructured, _ metav1.CreateOptions, _ ...string) (*unstructured.Unstructured, error) {
	if o.GetName() == f.refuse {
		return nil, fmt.Errorf("no room for %s", o.GetName())
	}
	time.Sleep(f.createTakes)
	f.mu.Lock()
	defer f.mu.Unlock()
	o.SetResourceVersion(strconv.Itoa(len(f.objects) + 1))
	f.objects = append(f.objects, *o)
	close(f.changed)
	f.changed = make(chan struct{})
	return o, nil
}

func (f *fakeAPI) Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	from, err := strconv.Atoi(o.ResourceVersion)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.watches++
	f.mu.Unlock()
	ctx, stop := context.WithCancel(ctx)
	w := &fakeWatch{events: make(chan watch.Event), stop: stop}
	go f.feed(ctx, w.events, from)
	return w, nil
}

func (f *fakeAPI) feed(ctx context.Context, events chan<- watch.Event, from int) {
	defer close(events)
	for sent := 0; f.perWatch == 0 || sent < f.perWatch; sent++ {
		object, ok := f.await(ctx, from+sent)
		if !ok || until(ctx, time.Now().Add(f.watchLags)) != nil {
			return
		}
		select {
		case events <- watch.Event{Type: watch.Added, Object: &object}:
		case <-ctx.Done():
			return
		}
	}
}

// await waits for an object that was not created yet.
func (f *fakeAPI) await(ctx context.Context, number int) (unstructured.Unstructured, bool) {
	for {
		f.mu.Lock()
		changed := f.changed
		if number < len(f.objects) {
			defer f.mu.Unlock()
			return f.objects[number], true
		}
		f.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return unstructured.Unstructured{}, false
		}
	}
}

type fakeWatch struct {
	events chan watch.Event
	stop   func()
}

func (w *fakeWatch) ResultChan() <-chan watch.Event { return w.events }
func (w *fakeWatch) Stop()                          { w.stop() }

func testLoad(f *fakeAPI, n int) *load {
	f.changed = make(chan struct{})
	l := &load{kind: kinds()[0], client: f}
	for i := range n {
		l.names = append(l.names, fmt.Sprintf("object-%d", i))
	}
	return l
}

func TestFloodCreatesEachObjectOnceAndTimesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeAPI{createTakes: 10 * time.Millisecond, watchLags: time.Millisecond}
		found, err := testLoad(f, 40).flood(t.Context(), 4)
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for _, o := range f.objects {
			names[o.GetName()] = true
		}
		if len(f.objects) != 40 || len(names) != 40 {
			t.Errorf("want 40 objects, got %d with %d names", len(f.objects), len(names))
		}
		if want := 100 * time.Millisecond; found.took != want {
			t.Errorf("40 objects of 10 ms by 4 workers: want %v, got %v", want, found.took)
		}
		for i, d := range found.created {
			if d != 10*time.Millisecond {
				t.Errorf("object %d: created after %v, want 10ms", i, d)
			}
			if w := found.watched[i]; w <= d {
				t.Errorf("object %d: seen after %v, before it was created", i, w)
			}
		}
	})
}

func TestAWatchThatTheServerEndsGoesOnFromItsLastEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeAPI{createTakes: time.Millisecond, perWatch: 3}
		found, err := testLoad(f, 10).flood(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if found.reopened != 3 || f.watches != 4 {
			t.Errorf("10 events at 3 a watch: want 4 watches, 3 of them after an end, got %d and %d", f.watches, found.reopened)
		}
	})
}

func TestPaceDoesNotWaitForASlowServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeAPI{createTakes: time.Second}
		found, err := testLoad(f, 50).pace(t.Context(), 50)
		if err != nil {
			t.Fatal(err)
		}
		if want := 1980 * time.Millisecond; found.took != want {
			t.Errorf("50 objects at 50/s, each of a second: want %v, got %v", want, found.took)
		}
		for i, d := range found.created {
			if d != time.Second {
				t.Errorf("object %d: created %v after it was due, want 1s", i, d)
			}
		}
	})
}

func TestACreateThatFailsEndsTheLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeAPI{refuse: "object-3"}
		if _, err := testLoad(f, 10).flood(t.Context(), 2); err == nil || !strings.Contains(err.Error(), "no room for object-3") {
			t.Errorf("want the server's reason, got %v", err)
		}
	})
}

func TestEventsThatNeverComeAreAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeAPI{watchLags: 24 * time.Hour}
		_, err := testLoad(f, 2).flood(t.Context(), 1)
		if !errors.Is(err, errPatience) || !strings.Contains(err.Error(), "2 of 2 objects") {
			t.Errorf("want what is missing, got %v", err)
		}
	})
}

func TestAnErrorEventEndsTheWatch(t *testing.T) {
	t.Parallel()
	o := &observer{missing: 1}
	status := &metav1.Status{Status: metav1.StatusFailure, Reason: metav1.StatusReasonExpired, Message: "too old"}
	if err := o.take(watch.Event{Type: watch.Error, Object: status}, time.Now()); err == nil || !strings.Contains(err.Error(), "too old") {
		t.Errorf("want the server's words, got %v", err)
	}
}
