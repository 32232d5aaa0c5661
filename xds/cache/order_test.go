package cache_test

import (
	"testing"

	"github.com/entente-mesh/entente/xds/cache"
)

func TestWhatRefersToAThingComesAfterItAndGoesBeforeIt(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	var create, replace cache.Delta
	for typ := cache.Types; typ > 0; typ-- {
		create.Set = append(create.Set, resource(typ-1, "old", "1"))
		replace.Set = append(replace.Set, resource(typ-1, "new", "1"))
		replace.Delete = append(replace.Delete, cache.Key{Type: typ - 1, Name: "old"})
	}
	s.commit(create)
	for typ := cache.Types; typ > 0; typ-- {
		s.subscribe(typ-1, "*")
	}
	s.ack(s.want("cds old=1", "eds old=1", "sds old=1", "ecds old=1", "lds old=1", "rds old=1")...)
	s.commit(replace)
	made := s.want("cds new=1", "eds new=1", "sds new=1", "ecds new=1", "lds new=1", "rds new=1")
	s.ack(made...)
	s.want("rds -old", "lds -old", "ecds -old", "sds -old", "eds -old", "cds -old")
}

func TestOneTypeNeverWaitsForTheAnswerOfAnother(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Cluster, "a=1")
	s.set(cache.Endpoint, "a=1")
	s.subscribe(cache.Cluster)
	s.want("cds a=1") // Envoy withholds the answer while the cluster is warming
	s.subscribe(cache.Endpoint, "a")
	s.ack(s.want("eds a=1")...)
	s.subscribe(cache.Listener)
	s.ack(s.want("lds")...)
	s.set(cache.Endpoint, "a=2")
	s.want("eds a=2")
}

// A cluster must go although another one is warming: else a service that was closed would stay open for as long.
func TestClustersGoOnWhileAnswersAreWithheld(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Cluster, "open=1", "warming=1")
	s.subscribe(cache.Cluster)
	s.want("cds open=1 warming=1")
	s.remove(cache.Cluster, "open")
	s.want("cds -open")
	s.set(cache.Cluster, "next=1")
	s.want("cds next=1")
	if s.session.Backlog() {
		t.Error("Backlog() = true, want false")
	}
}

// A removal that another type's addition waits for must not overtake it: the old route would point to nothing.
func TestRemovalsWaitForAdditionsThatCouldNotBeSentYet(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Cluster, "old=1")
	s.set(cache.Route, "r=to-old")
	s.subscribe(cache.Cluster)
	s.subscribe(cache.Route, "r")
	all := s.want("cds old=1", "rds r=to-old")
	s.ack(all[0]) // the route is still unanswered
	s.commit(cache.Delta{
		Set:    []cache.Resource{resource(cache.Cluster, "new", "1"), resource(cache.Route, "r", "to-new")},
		Delete: []cache.Key{{Type: cache.Cluster, Name: "old"}},
	})
	s.want("cds new=1")
	if !s.session.Backlog() {
		t.Error("Backlog() = false although a route waits")
	}
	s.ack(all[1])
	s.want("rds r=to-new", "cds -old")
}
