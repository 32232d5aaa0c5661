package cache_test

import (
	"testing"

	"github.com/entente-mesh/entente/xds/cache"
)

func TestAnEmptyFirstRequestMeansEverythingOfClustersAndListeners(t *testing.T) {
	t.Parallel()
	for _, typ := range []cache.Type{cache.Cluster, cache.Listener} {
		s := newStage(t)
		s.set(typ, "b=1", "a=1")
		s.subscribe(typ)
		all := s.want(typ.String() + " a=1 b=1")
		s.ack(all...)
		s.want()
		s.set(typ, "a=2", "c=1")
		s.ack(s.want(typ.String() + " a=2 c=1")...)
		s.remove(typ, "b")
		s.ack(s.want(typ.String() + " -b")...)
		s.want()
	}
}

// Of the other types an empty request asks for nothing, but Envoy may wait for an answer.
func TestAnEmptyFirstRequestForAnotherTypeIsAnsweredWithNothing(t *testing.T) {
	t.Parallel()
	for _, typ := range []cache.Type{cache.Endpoint, cache.Secret, cache.Filter, cache.Route} {
		s := newStage(t)
		s.set(typ, "a=1")
		s.subscribe(typ)
		s.ack(s.want(typ.String())...)
		s.want()
		s.set(typ, "a=2")
		s.want()
	}
}

func TestAWildcardOverNothingIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.subscribe(cache.Cluster)
	s.ack(s.want("cds")...)
	s.want()
	s.set(cache.Cluster, "a=1")
	s.want("cds a=1")
}

func TestAnExplicitStarMeansEverythingOfAnyType(t *testing.T) {
	t.Parallel()
	for typ := range cache.Types {
		s := newStage(t)
		s.set(typ, "a=1")
		s.subscribe(typ, "*")
		s.ack(s.want(typ.String() + " a=1")...)
		s.set(typ, "b=1")
		s.want(typ.String() + " b=1")
	}
}

func TestAfterTheStarWasUnsubscribedOnlyTheNamesStay(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Cluster, "a=1", "b=1")
	s.subscribe(cache.Cluster)
	s.ack(s.want("cds a=1 b=1")...)
	s.subscribe(cache.Cluster, "a")
	s.ack(s.want("cds a=1")...)
	s.request(cache.Request{Type: cache.Cluster, Unsubscribe: []string{"*"}})
	s.want()
	s.set(cache.Cluster, "a=2", "b=2", "c=2")
	s.ack(s.want("cds a=2")...)
	s.request(cache.Request{Type: cache.Cluster, Unsubscribe: []string{"a"}})
	s.set(cache.Cluster, "a=3")
	s.want()
	// Once there were names, an empty request is no wildcard any more.
	s.subscribe(cache.Cluster)
	s.want()
}

// The client cannot know whether the wildcard covers a name that it has given up, so it must be told.
func TestANameThatTheStarCoversIsAnsweredWhenItIsUnsubscribed(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Cluster, "a=1")
	s.subscribe(cache.Cluster, "*", "a", "missing")
	s.ack(s.want("cds a=1 -missing")...)
	s.request(cache.Request{Type: cache.Cluster, Unsubscribe: []string{"a", "missing"}})
	s.ack(s.want("cds a=1 -missing")...)
	s.request(cache.Request{Type: cache.Cluster, Unsubscribe: []string{"a", "never-subscribed"}})
	s.want()
}

func TestGivingUpTheStarInTheMiddleStillServesTheNames(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Cluster, "a=1", "z=1")
	s.request(cache.Request{Type: cache.Cluster, Subscribe: []string{"*", "z"}})
	s.request(cache.Request{Type: cache.Cluster, Unsubscribe: []string{"*"}})
	s.ack(s.want("cds z=1")...)
	s.want()
}

// An answer has no names, and looks like the first request of old.
func TestAnAnswerDoesNotBringTheStarBack(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Cluster, "a=1")
	s.subscribe(cache.Cluster)
	sent := s.want("cds a=1")
	s.request(cache.Request{Type: cache.Cluster, Unsubscribe: []string{"*"}})
	s.ack(sent...)
	s.set(cache.Cluster, "a=2")
	s.want()
}
