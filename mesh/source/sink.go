package source

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"github.com/entente-mesh/entente/internal/sorted"
	"github.com/entente-mesh/entente/mesh"
)

// An object is a pointer to an API object.
type object interface {
	comparable
	metav1.Object
}

// A sink is where a watch puts one kind of object: straight into the world's map. There is no other copy, and no queue.
type sink[T object] struct {
	world *world
	in    func(*mesh.Objects) *sorted.Map[T]
	key   func(metav1.Object) string // empty: the object has no place
	lean  func(T) T

	// Owned by the goroutine of the watch.
	keys   map[string]string // by name, where an object stands; a slice may move to another service
	synced bool
}

var _ cache.TransformingStore = (*sink[*corev1.Pod])(nil)

// Transformer makes lean copies before the objects of a first list are gathered, which may be many and large.
func (s *sink[T]) Transformer() cache.TransformFunc {
	return func(o any) (any, error) {
		t, ok := o.(T)
		if !ok {
			return nil, fmt.Errorf("the API server sent a %T", o)
		}
		return s.lean(t), nil
	}
}

// Add puts an object into its place.
func (s *sink[T]) Add(o any) error { return s.put(o) }

// Update puts an object into its place.
func (s *sink[T]) Update(o any) error { return s.put(o) }

func (s *sink[T]) put(o any) error {
	t, ok := o.(T)
	if !ok {
		return fmt.Errorf("the API server sent a %T", o)
	}
	t = s.lean(t)
	name, key := t.GetName(), s.key(t)
	before, had := s.keys[name]
	s.remember(name, key)
	s.world.write(func(objects *mesh.Objects) {
		m := s.in(objects)
		if had && before != key {
			*m = m.Without(before)
		}
		if key != "" {
			*m = m.With(key, t)
		}
	})
	return nil
}

func (s *sink[T]) remember(name, key string) {
	if s.keys == nil {
		s.keys = map[string]string{}
	}
	s.keys[name] = key
}

// Delete takes an object away.
func (s *sink[T]) Delete(o any) error {
	t, ok := o.(T)
	if !ok {
		return fmt.Errorf("the API server sent a %T", o)
	}
	key, had := s.keys[t.GetName()]
	if !had {
		return nil
	}
	delete(s.keys, t.GetName())
	s.world.write(func(objects *mesh.Objects) {
		m := s.in(objects)
		*m = m.Without(key)
	})
	return nil
}

// Replace makes the map what a list says. Objects that the world has in the same version stay the same pointers.
func (s *sink[T]) Replace(list []any, _ string) error {
	next := sorted.Map[T]{}
	now := s.current()
	s.keys = make(map[string]string, len(list))
	for _, o := range list {
		t, ok := o.(T)
		if !ok {
			return fmt.Errorf("the API server sent a %T", o)
		}
		key := s.key(t)
		s.remember(t.GetName(), key)
		if key == "" {
			continue
		}
		if was, ok := now.Get(key); ok && was.GetUID() == t.GetUID() && was.GetResourceVersion() == t.GetResourceVersion() {
			next = next.With(key, was)
			continue
		}
		next = next.With(key, s.lean(t))
	}
	s.world.write(func(objects *mesh.Objects) { *s.in(objects) = next })
	if !s.synced {
		s.synced = true
		s.world.sync()
	}
	return nil
}

// current is the map as it stands. Only this goroutine writes it.
func (s *sink[T]) current() sorted.Map[T] {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	return *s.in(&s.world.objects)
}

// Resync has nothing to do: the map is what the watch said last.
func (s *sink[T]) Resync() error { return nil }
