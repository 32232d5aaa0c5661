package cache_test

import (
	"testing"

	"github.com/entente-mesh/entente/xds/cache"
)

func newStateStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{TB: t, cache: cache.New(salt)}
	s.connectState()
	return s
}

func (s *stage) connectState() {
	s.Helper()
	s.session = cache.NewStateSession(view(s, s.cache, s.cache))
}

func (s *stage) name(t cache.Type, names ...string) {
	s.Helper()
	s.request(cache.Request{Type: t, Names: names})
}

func TestTheWholeStateOfClustersIsSentWithEachChange(t *testing.T) {
	t.Parallel()
	for _, typ := range []cache.Type{cache.Cluster, cache.Listener} {
		s := newStateStage(t)
		s.set(typ, "a=1", "b=1")
		s.name(typ)
		s.ack(s.want(typ.String() + " a=1 b=1")...)
		s.want()
		s.set(typ, "b=2")
		s.ack(s.want(typ.String() + " a=1 b=2")...)
		s.remove(typ, "a")
		s.ack(s.want(typ.String() + " b=2")...)
		s.remove(typ, "b")
		s.ack(s.want(typ.String())...)
		s.want()
	}
}

func TestOfTheOtherTypesOnlyWhatChangedIsSent(t *testing.T) {
	t.Parallel()
	s := newStateStage(t)
	s.set(cache.Endpoint, "a=1", "b=1", "c=1")
	s.name(cache.Endpoint, "a", "b", "missing")
	s.accept("eds a=1 b=1", "a", "b", "missing")
	s.set(cache.Endpoint, "b=2", "c=2")
	s.accept("eds b=2", "a", "b", "missing")
	s.remove(cache.Endpoint, "a") // cannot be said
	s.want()
	s.set(cache.Endpoint, "missing=1")
	s.accept("eds missing=1", "a", "b", "missing")
	s.want()
}

// The protocol cannot say that a name does not exist, but a client that waits is answered.
func TestNamesThatDoNotExistAreAnsweredWithNothing(t *testing.T) {
	t.Parallel()
	s := newStateStage(t)
	s.name(cache.Route, "missing")
	s.accept("rds", "missing")
	s.name(cache.Route, "missing")
	s.want()
}

func TestTheNamesOfTheNewestRequestAreTheSubscription(t *testing.T) {
	t.Parallel()
	s := newStateStage(t)
	s.set(cache.Endpoint, "a=1", "b=1")
	s.name(cache.Endpoint, "a")
	r := s.want("eds a=1")[0]
	s.request(cache.Request{Type: cache.Endpoint, Names: []string{"a", "b"}, Nonce: r.Nonce})
	r = s.want("eds b=1")[0]
	s.request(cache.Request{Type: cache.Endpoint, Names: []string{"b"}, Nonce: r.Nonce})
	s.set(cache.Endpoint, "a=2")
	s.want()
	s.name(cache.Endpoint, "a", "b")
	s.accept("eds a=2", "a", "b")
	s.name(cache.Endpoint)
	s.set(cache.Endpoint, "a=3", "b=3")
	s.want()
}

// accept wants one response and accepts it, with the names that a state-of-the-world client repeats.
func (s *stage) accept(text string, names ...string) {
	s.Helper()
	r := s.want(text)[0]
	s.request(cache.Request{Type: r.Type, Names: names, Nonce: r.Nonce})
}

func TestTheWildcardOfTheStateVariantFollowsTheProtocol(t *testing.T) {
	t.Parallel()
	s := newStateStage(t)
	s.set(cache.Cluster, "a=1", "b=1")
	s.name(cache.Cluster) // "*"
	s.accept("cds a=1 b=1")
	s.name(cache.Cluster, "*", "a") // "*" goes on, and a
	s.accept("cds a=1 b=1", "*", "a")
	s.name(cache.Cluster, "a") // no "*" any more
	s.set(cache.Cluster, "b=2")
	s.want()
	s.name(cache.Cluster) // nothing at all
	s.set(cache.Cluster, "a=2")
	s.want()
}

func TestAStateClientThatComesBackInSyncIsNotSentItsClusters(t *testing.T) {
	t.Parallel()
	s := newStateStage(t)
	s.set(cache.Cluster, "a=1", "b=1")
	s.name(cache.Cluster)
	r := s.want("cds a=1 b=1")[0]
	s.ack(r)
	s.connectState()
	s.request(cache.Request{Type: cache.Cluster, Version: r.Version})
	s.want()
	s.set(cache.Cluster, "b=2")
	s.ack(s.want("cds a=1 b=2")...)
	s.connectState()
	s.request(cache.Request{Type: cache.Cluster, Version: r.Version})
	s.want("cds a=1 b=2")
}

// What is removed stays until everything new has been sent.
func TestTheStateVariantMakesBeforeItBreaks(t *testing.T) {
	t.Parallel()
	s := newStateStage(t)
	s.set(cache.Cluster, "old=1")
	s.set(cache.Route, "r=to-old")
	s.name(cache.Cluster)
	s.name(cache.Route, "r")
	all := s.want("cds old=1", "rds r=to-old")
	s.request(cache.Request{Type: cache.Cluster, Nonce: all[0].Nonce})
	s.request(cache.Request{Type: cache.Route, Nonce: all[1].Nonce, Names: []string{"r"}})
	s.commit(cache.Delta{
		Set:    []cache.Resource{resource(cache.Cluster, "new", "1"), resource(cache.Route, "r", "to-new")},
		Delete: []cache.Key{{Type: cache.Cluster, Name: "old"}},
	})
	s.want("cds new=1 old=1", "rds r=to-new", "cds new=1")
}

func TestEndpointsFollowAChangedClusterInTheStateVariant(t *testing.T) {
	t.Parallel()
	s := newStateStage(t)
	s.commit(cache.Delta{Set: []cache.Resource{followed("a", "1"), followed("b", "1"), resource(cache.Endpoint, "a", "1"), resource(cache.Endpoint, "b", "1")}})
	s.name(cache.Cluster)
	s.name(cache.Endpoint, "a", "b")
	all := s.want("cds a=1 b=1", "eds a=1 b=1")
	s.request(cache.Request{Type: cache.Cluster, Nonce: all[0].Nonce})
	s.request(cache.Request{Type: cache.Endpoint, Nonce: all[1].Nonce, Names: []string{"a", "b"}})
	s.commit(cache.Delta{Set: []cache.Resource{followed("a", "2")}})
	s.want("cds a=2 b=1", "eds a=1")
}

func TestARejectedStateIsNotSentAgainUntilItChanges(t *testing.T) {
	t.Parallel()
	s := newStateStage(t)
	s.set(cache.Listener, "a=1")
	s.name(cache.Listener)
	s.ack(s.want("lds a=1")...)
	s.set(cache.Listener, "b=bad")
	s.nack(s.want("lds a=1 b=bad")[0], "no")
	s.want()
	report, _, _ := s.session.Progress()
	if len(report.Behind) != 1 || report.Behind[0].Name != "b" {
		t.Errorf("Behind = %v, want b alone: a is held", report.Behind)
	}
	s.remove(cache.Listener, "b")
	s.ack(s.want("lds a=1")...)
	if report, _, _ = s.session.Progress(); len(report.Caught) != 1 {
		t.Errorf("Caught = %v, want b", report.Caught)
	}
}

func TestAnExplicitStarWorksForEveryTypeOfTheStateVariant(t *testing.T) {
	t.Parallel()
	s := newStateStage(t)
	s.set(cache.Secret, "a=1", "b=1")
	s.name(cache.Secret, "*")
	s.accept("sds a=1 b=1", "*")
	s.set(cache.Secret, "b=2")
	s.accept("sds b=2", "*")
	s.name(cache.Secret, "a") // asked for by name for the first time
	s.accept("sds a=1", "a")
	s.set(cache.Secret, "b=3")
	s.want()
}
