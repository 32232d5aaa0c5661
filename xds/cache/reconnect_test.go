package cache_test

import (
	"strings"
	"testing"

	"github.com/entente-mesh/entente/xds/cache"
)

func TestAClientThatComesBackGetsOnlyWhatDiffers(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Cluster, "changed=1", "gone=1", "same=1")
	held := map[string]string{}
	for _, name := range []string{"changed", "gone", "same"} {
		held[name] = version(s, cache.Cluster, name)
	}
	s.set(cache.Cluster, "changed=2", "added=1")
	s.remove(cache.Cluster, "gone")
	s.connect()
	s.request(cache.Request{Type: cache.Cluster, Initial: held})
	s.ack(s.want("cds added=1 changed=2", "cds -gone")...)
	s.want()
}

func TestAClientThatComesBackInSyncGetsNothing(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Cluster, "a=1", "b=1")
	s.set(cache.Endpoint, "a=1")
	s.request(cache.Request{Type: cache.Cluster, Initial: map[string]string{"a": version(s, cache.Cluster, "a"), "b": version(s, cache.Cluster, "b")}})
	s.request(cache.Request{Type: cache.Endpoint, Subscribe: []string{"a"}, Initial: map[string]string{"a": version(s, cache.Endpoint, "a")}})
	s.want()
	report, _, any := s.session.Progress()
	if !any || report.Upto[cache.Cluster] != 2 || report.Upto[cache.Endpoint] != 2 {
		t.Errorf("Progress = %v, %v; want both types confirmed up to commit 2", report, any)
	}
	s.set(cache.Endpoint, "a=2")
	s.want("eds a=2")
}

func TestAClientThatComesBackIsToldWhatIsGoneOfItsNames(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Endpoint, "same=1", "changed=2")
	s.request(cache.Request{
		Type:      cache.Endpoint,
		Subscribe: []string{"same", "changed", "gone", "never"},
		Initial:   map[string]string{"same": version(s, cache.Endpoint, "same"), "changed": "another", "gone": "old", "not-wanted": "old"},
	})
	s.ack(s.want("eds changed=2 -gone -never")...)
	s.want()
}

// While a large first answer goes out in pieces, the cache goes on changing.
func TestWhatComesBackDuringTheFirstAnswerIsNotRemoved(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.commit(large(cache.Secret, 3000))
	held := map[string]string{"gone": "old"}
	var back []string
	for _, name := range numbered("back", 50) { // wherever the walk is, it has passed by some
		held[name] = "old"
		back = append(back, name+"=new")
	}
	s.request(cache.Request{Type: cache.Secret, Subscribe: []string{"*"}, Initial: held})
	first := s.next()
	if len(first) != 1 || len(first[0].Set) == 3000 {
		t.Fatalf("%d responses, the first with %d resources; want one with a part", len(first), len(first[0].Set))
	}
	s.set(cache.Secret, back...)
	s.ack(first...)
	sent := strings.Join(s.settle(), "\n")
	if strings.Contains(sent, "-back") || strings.Count(sent, "=new") != 50 || !strings.Contains(sent, "-gone") {
		t.Errorf("not sent as they should be: the 50 that came back, once each, and the removal of the one that did not")
	}
}
