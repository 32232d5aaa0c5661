package cache_test

import (
	"testing"

	"github.com/entente-mesh/entente/xds/cache"
)

func followed(name, content string) cache.Resource {
	r := resource(cache.Cluster, name, content)
	r.Follow = []cache.Key{{Type: cache.Endpoint, Name: name}}
	return r
}

// A changed cluster warms again and, being subscribed already, does not ask for its endpoints.
func TestEndpointsAreSentAgainInTheTurnOfTheirChangedCluster(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Endpoint, "a=1", "b=1")
	s.commit(cache.Delta{Set: []cache.Resource{followed("a", "1"), followed("b", "1")}})
	s.subscribe(cache.Cluster)
	s.ack(s.want("cds a=1 b=1")...) // not subscribed to yet
	s.subscribe(cache.Endpoint, "a", "b")
	s.ack(s.want("eds a=1 b=1")...)
	s.commit(cache.Delta{Set: []cache.Resource{followed("a", "2")}})
	s.ack(s.want("cds a=2", "eds a=1")...)
	s.want()
}

// An alias added later has the endpoints of a cluster that is there already.
func TestEndpointsAreSentAgainForAnAddedClusterThatSharesThem(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Endpoint, "echo=1")
	s.commit(cache.Delta{Set: []cache.Resource{followed("echo", "1")}})
	s.subscribe(cache.Cluster)
	s.subscribe(cache.Endpoint, "echo")
	s.ack(s.want("cds echo=1", "eds echo=1")...)
	alias := resource(cache.Cluster, "echo:80", "1")
	alias.Follow = []cache.Key{{Type: cache.Endpoint, Name: "echo"}}
	s.commit(cache.Delta{Set: []cache.Resource{alias}})
	s.ack(s.want("cds echo:80=1", "eds echo=1")...)
	s.want()
}

func TestEndpointsThatDoNotExistAreAnsweredAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.subscribe(cache.Cluster)
	s.subscribe(cache.Endpoint, "a")
	s.ack(s.want("cds", "eds -a")...)
	s.commit(cache.Delta{Set: []cache.Resource{followed("a", "1")}})
	s.ack(s.want("cds a=1", "eds -a")...)
}

// An answer that is on its way was for the cluster before the change.
func TestEndpointsFollowEvenIfTheyAreOnTheirWay(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.commit(cache.Delta{Set: []cache.Resource{followed("a", "1"), resource(cache.Endpoint, "a", "1")}})
	s.subscribe(cache.Cluster)
	s.subscribe(cache.Endpoint, "a")
	first := s.want("cds a=1", "eds a=1")
	s.commit(cache.Delta{Set: []cache.Resource{followed("a", "2")}})
	s.want("cds a=2")
	s.ack(first[1])
	s.want("eds a=1")
}

func TestARejectedResourceFollowsAllTheSame(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.commit(cache.Delta{Set: []cache.Resource{followed("a", "1"), resource(cache.Endpoint, "a", "bad")}})
	s.subscribe(cache.Cluster)
	s.subscribe(cache.Endpoint, "a")
	all := s.want("cds a=1", "eds a=bad")
	s.ack(all[0])
	s.nack(all[1], "no")
	s.want()
	s.commit(cache.Delta{Set: []cache.Resource{followed("a", "2")}})
	s.want("cds a=2", "eds a=bad")
}
