package cache_test

import (
	"fmt"
	"testing"

	"github.com/entente-mesh/entente/xds/cache"
)

// Bugs that other control planes have or had, by the number of the report, told in our words. Each is a story that must end well here.

// go-control-plane #1318: of two endpoint names only one exists, and only that is answered. When the other appears, the stream must be sent it,
// although it asked long ago, and must not be sent its unchanged clusters.
func TestRegressionGoControlPlane1318(t *testing.T) {
	t.Parallel()
	for _, state := range []bool{false, true} {
		t.Run(fmt.Sprintf("state of the world: %v", state), func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			ask := func(r cache.Request, names ...string) {
				if state {
					r.Names = names
				} else if r.Nonce == "" {
					r.Subscribe = names
				}
				s.request(r)
			}
			unknown := " -bar"
			if state {
				s.connectState()
				unknown = ""
			}
			s.set(cache.Cluster, "aggregate=1", "bar=1", "foo=1")
			s.set(cache.Endpoint, "foo=1")
			ask(cache.Request{Type: cache.Cluster}, "aggregate")
			ask(cache.Request{Type: cache.Cluster, Nonce: s.want("cds aggregate=1")[0].Nonce}, "aggregate")
			ask(cache.Request{Type: cache.Cluster}, "aggregate", "foo", "bar")
			ask(cache.Request{Type: cache.Cluster, Nonce: s.want("cds aggregate=1 bar=1 foo=1")[0].Nonce}, "aggregate", "foo", "bar")
			ask(cache.Request{Type: cache.Endpoint}, "foo", "bar")
			ask(cache.Request{Type: cache.Endpoint, Nonce: s.want("eds foo=1" + unknown)[0].Nonce}, "foo", "bar")
			s.want()
			s.set(cache.Endpoint, "bar=1")
			s.want("eds bar=1")
		})
	}
}

// go-control-plane #612: over delta ADS, after the first filter was sent, later versions of it were never sent on some streams, and sent many times on
// others. Each change must be sent once.
func TestRegressionGoControlPlane612(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Filter, "inbound-auth/A=0", "inbound-auth/B=0")
	s.subscribe(cache.Cluster)
	s.subscribe(cache.Listener)
	s.ack(s.want("cds", "lds")...)
	s.subscribe(cache.Filter, "inbound-auth/A")
	s.subscribe(cache.Filter, "inbound-auth/B")
	s.ack(s.want("ecds inbound-auth/A=0 inbound-auth/B=0")...)
	for i := range 10 {
		s.set(cache.Filter, fmt.Sprintf("inbound-auth/A=%d", i+1))
		s.ack(s.want(fmt.Sprintf("ecds inbound-auth/A=%d", i+1))...)
		s.want()
	}
}

// kgateway #14688 (go-control-plane #1356): the cache has an endpoint resource that the client does not ask for, because it has not taken the cluster. That
// withheld the answer for all its other names, and then forgot that they had been asked for.
func TestRegressionKgateway14688(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Cluster, "bad=1", "good=1")
	s.set(cache.Endpoint, "bad=1", "good=1")
	s.subscribe(cache.Cluster)
	sent := s.want("cds bad=1 good=1")
	s.nack(sent[0], "bad is bad")
	s.nack(s.want("cds bad=1")[0], "bad is bad")
	s.ack(s.want("cds good=1")...)
	s.subscribe(cache.Endpoint, "good") // and not bad
	s.ack(s.want("eds good=1")...)
	s.set(cache.Endpoint, "bad=2", "good=2")
	s.ack(s.want("eds good=2")...)
	s.set(cache.Endpoint, "good=3")
	s.want("eds good=3")
}

// go-control-plane #962: what the client has refused was sent again at once, refused again, and so on for ever.
func TestRegressionGoControlPlane962(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Listener, "a=bad", "b=1")
	s.subscribe(cache.Listener)
	for range 3 { // both, then each alone
		for _, r := range s.next() {
			if line(r) == "lds b=1" {
				s.ack(r)
			} else {
				s.nack(r, "no")
			}
		}
	}
	s.want()
	s.set(cache.Listener, "b=2")
	s.ack(s.want("lds b=2")...)
	s.want()
}

// go-control-plane #488: a name that did not exist when it was asked for was answered as removed, and then never sent when it came.
func TestRegressionGoControlPlane488(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.subscribe(cache.Endpoint, "foo")
	s.ack(s.want("eds -foo")...)
	s.set(cache.Endpoint, "foo=1")
	s.want("eds foo=1")
}

// go-control-plane #583: a name that was given up and is asked for again, unchanged, was not sent.
func TestRegressionGoControlPlane583(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Endpoint, "foo=1", "bar=1")
	s.subscribe(cache.Endpoint, "foo", "bar")
	s.ack(s.want("eds bar=1 foo=1")...)
	s.request(cache.Request{Type: cache.Endpoint, Unsubscribe: []string{"foo"}})
	s.subscribe(cache.Endpoint, "foo")
	s.want("eds foo=1")
}

// Envoy #3355: Envoy has given up a name while the answer was on its way, and goes on with an older nonce. Its next subscription counts all the same.
func TestRegressionEnvoy3355(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Endpoint, "a=1", "b=1")
	s.subscribe(cache.Endpoint, "a")
	old := s.want("eds a=1")[0]
	s.ack(old)
	s.remove(cache.Endpoint, "a")
	newer := s.want("eds -a")[0]
	s.request(cache.Request{Type: cache.Endpoint, Unsubscribe: []string{"a"}, Subscribe: []string{"b"}, Nonce: old.Nonce})
	s.ack(newer)
	s.want("eds b=1")
}

// go-control-plane #927: a first wildcard request to a cache without any resource was not answered, and Envoy's start waited 15 s for each type. An
// answer with nothing in it must come at once, and no second one.
func TestRegressionGoControlPlane927(t *testing.T) {
	t.Parallel()
	for _, typ := range []cache.Type{cache.Cluster, cache.Listener} {
		s := newStage(t)
		s.subscribe(typ)
		s.ack(s.want(typ.String())...)
		s.want()
		s.set(typ, "a=1")
		s.ack(s.want(typ.String() + " a=1")...)
		s.want()
	}
}
