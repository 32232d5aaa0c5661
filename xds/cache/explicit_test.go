package cache_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/entente-mesh/entente/xds/cache"
)

func TestOnlySubscribedNamesAreSent(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Endpoint, "a=1", "b=1")
	s.subscribe(cache.Endpoint, "a")
	s.ack(s.want("eds a=1")...)
	s.set(cache.Endpoint, "a=2", "b=2")
	s.ack(s.want("eds a=2")...)
	s.subscribe(cache.Endpoint, "b")
	s.ack(s.want("eds b=2")...)
	s.remove(cache.Endpoint, "a")
	s.ack(s.want("eds -a")...)
	s.want()
}

// Envoy waits 15 s for a name that is not answered.
func TestAnUnknownNameIsAnsweredAtOnceAndRemembered(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Secret, "a=1")
	s.subscribe(cache.Secret, "a", "later", "never")
	s.ack(s.want("sds a=1 -later -never")...)
	s.want()
	s.set(cache.Secret, "later=1")
	s.ack(s.want("sds later=1")...)
	s.remove(cache.Secret, "later")
	s.ack(s.want("sds -later")...)
	s.set(cache.Secret, "later=1")
	s.want("sds later=1")
}

func TestAnUnsubscribedNameIsNotSentAndNotAnswered(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Endpoint, "a=1", "b=1")
	s.subscribe(cache.Endpoint, "a", "b")
	s.ack(s.want("eds a=1 b=1")...)
	s.request(cache.Request{Type: cache.Endpoint, Unsubscribe: []string{"a", "phantom"}})
	s.want()
	s.set(cache.Endpoint, "a=2")
	s.remove(cache.Endpoint, "a")
	s.want()
}

// A change that waited for an answer must not follow a name that was given up meanwhile.
func TestAnUnsubscribedNameTakesWhatWaitedForItAlong(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Endpoint, "a=1", "b=1")
	s.subscribe(cache.Endpoint, "a", "b")
	sent := s.want("eds a=1 b=1")
	s.set(cache.Endpoint, "a=2", "b=2")
	s.want()
	s.request(cache.Request{Type: cache.Endpoint, Unsubscribe: []string{"a"}})
	s.ack(sent...)
	s.want("eds b=2")
}

// go-control-plane #1450: the client may have forgotten what it subscribes to again, so it is sent although it has not changed.
func TestANameThatIsSubscribedAgainIsSentAgain(t *testing.T) {
	t.Parallel()
	for _, again := range []bool{false, true} {
		t.Run(fmt.Sprintf("unsubscribed before: %v", again), func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.set(cache.Endpoint, "a=1")
			s.subscribe(cache.Endpoint, "a")
			s.ack(s.want("eds a=1")...)
			if again {
				s.request(cache.Request{Type: cache.Endpoint, Unsubscribe: []string{"a"}})
			}
			s.subscribe(cache.Endpoint, "a")
			s.ack(s.want("eds a=1")...)
			s.want()
		})
	}
}

func TestUnsubscribeComesBeforeSubscribeInOneRequest(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Endpoint, "a=1")
	s.subscribe(cache.Endpoint, "a")
	s.ack(s.want("eds a=1")...)
	s.request(cache.Request{Type: cache.Endpoint, Unsubscribe: []string{"a"}, Subscribe: []string{"a"}})
	s.ack(s.want("eds a=1")...)
	s.set(cache.Endpoint, "a=2")
	s.want("eds a=2")
}

func TestTheNumberOfNamesIsBounded(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	err := s.session.Receive(cache.Request{Type: cache.Endpoint, Subscribe: numbered("n", 1<<18+1)})
	if err == nil || !strings.Contains(err.Error(), "the most that one stream may have") {
		t.Errorf("Receive: error %v, want one that names the bound", err)
	}
	if err := s.session.Receive(cache.Request{Type: cache.Types}); err == nil {
		t.Error("Receive of an unknown type: no error")
	}
}
