// Package latest hands the newest value of something from one writer to many readers: writers never wait, slow readers skip.
package latest

import "sync"

// A Value holds the newest T. The zero Value holds the zero T and is ready for use. It must not be copied after first use.
//
// T is shared by every reader, so it must not be changed after it was given to Set.
type Value[T any] struct {
	mu sync.Mutex
	// Guarded by mu.
	value T
	next  chan struct{} // closed by the next Set; nil until a reader asked for it
}

// Get returns the newest value and a channel that is closed as soon as a newer one has been set. A reader that was slow
// finds the newest value only: what was set in between is gone.
func (v *Value[T]) Get() (T, <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.next == nil {
		v.next = make(chan struct{})
	}
	return v.value, v.next
}

// Set replaces the value and wakes every reader that waits. It never waits for a reader.
func (v *Value[T]) Set(value T) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.value = value
	if v.next != nil {
		close(v.next)
		v.next = nil
	}
}
