package cache_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/xds/cache"
)

func TestARejectedResourceIsNotSentAgainUntilItChanges(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Route, "a=1")
	s.subscribe(cache.Route, "a")
	s.ack(s.want("rds a=1")...)
	s.set(cache.Route, "a=bad")
	s.nack(s.want("rds a=bad")[0], "no such cluster")
	s.want()
	s.set(cache.Route, "b=1")
	s.want()
	s.set(cache.Route, "a=good")
	s.ack(s.want("rds a=good")...)
	s.want()
}

func TestARejectedContentThatComesBackBeforeAnotherWasSentIsNotSent(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Route, "a=bad")
	s.subscribe(cache.Route, "a")
	s.nack(s.want("rds a=bad")[0], "no")
	s.set(cache.Route, "a=good")
	s.set(cache.Route, "a=bad")
	s.want()
	// After another content was sent it is a change like any other.
	s.set(cache.Route, "a=good")
	s.ack(s.want("rds a=good")...)
	s.set(cache.Route, "a=bad")
	s.want("rds a=bad")
}

func TestARejectedResourceIsSentAgainWhenTheClientAsksForIt(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Route, "a=bad")
	s.subscribe(cache.Route, "a")
	s.nack(s.want("rds a=bad")[0], "no")
	s.subscribe(cache.Route, "a")
	s.want("rds a=bad")
}

// Envoy refuses a response as a whole, although it may have applied some of it. Which resource was bad must be found out, else the good
// ones beside it would be lost, and their objects marked.
func TestTheRejectedResourceIsFoundAmongThoseSentWithIt(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	service := func(name string) live.Ref { return live.Ref{Kind: "Service", Name: name, Version: "1"} }
	var d cache.Delta
	for _, name := range []string{"a", "b", "bad", "d", "e"} {
		d.Set = append(d.Set, from(resource(cache.Cluster, name, "1"), service(name)))
	}
	s.commit(d)
	s.subscribe(cache.Cluster)
	held := map[string]bool{}
	for rounds := 0; ; rounds++ {
		all := s.next()
		if len(all) == 0 {
			break
		}
		if rounds > 20 {
			t.Fatal("the stream repeats for ever")
		}
		for _, r := range all {
			if slices.ContainsFunc(r.Set, func(e *cache.Entry) bool { return e.Name == "bad" }) {
				s.nack(r, "bad is bad")
				continue
			}
			s.ack(r)
			for _, e := range r.Set {
				held[e.Name] = true
			}
		}
	}
	if len(held) != 4 {
		t.Errorf("the client holds %v, want all but the bad one", held)
	}
	report, _, _ := s.session.Progress()
	want := live.Behind{
		Key: live.Key{Lane: live.Lane(cache.Cluster), Name: "bad"}, Seq: 1, Rejected: true, Reason: "bad is bad", Refs: []live.Ref{service("bad")},
	}
	if len(report.Behind) != 1 || report.Behind[0].Reason != want.Reason || report.Behind[0].Key != want.Key || !slices.Equal(report.Behind[0].Refs, want.Refs) {
		t.Errorf("Behind = %+v, want %+v", report.Behind, want)
	}
	if report.Upto[cache.Cluster] != 1 {
		t.Errorf("Upto = %d, want 1: everything else is confirmed", report.Upto[cache.Cluster])
	}
	s.set(cache.Cluster, "bad=good")
	s.ack(s.want("cds bad=good")...)
	report, _, _ = s.session.Progress()
	if !slices.Equal(report.Caught, []live.Key{want.Key}) {
		t.Errorf("Caught = %v, want %v", report.Caught, want.Key)
	}
}

func TestARejectedRemovalEndsThere(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Cluster, "a=1")
	s.subscribe(cache.Cluster)
	s.ack(s.want("cds a=1")...)
	s.remove(cache.Cluster, "a")
	s.nack(s.want("cds -a")[0], "still in use")
	s.want()
}

func TestAnAnswerToAnUnknownNonceIsNoAnswer(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Route, "a=1", "b=1")
	s.subscribe(cache.Route, "a")
	sent := s.want("rds a=1")[0]
	for _, nonce := range []string{"0", "17", "x", sent.Nonce + " "} {
		s.request(cache.Request{Type: cache.Route, Nonce: nonce, Rejected: true, Reason: "late"})
		s.request(cache.Request{Type: cache.Route, Nonce: nonce})
	}
	s.set(cache.Route, "a=2")
	s.want() // the first is still unanswered
	s.ack(sent)
	s.nack(sent, "answered already")
	second := s.want("rds a=2")[0]
	s.ack(sent) // that is no answer to the second
	s.set(cache.Route, "a=3")
	s.want()
	s.ack(second)
	s.want("rds a=3")
	if report, _, _ := s.session.Progress(); len(report.Behind) > 0 {
		t.Errorf("Behind = %v, want nothing", report.Behind)
	}
}

// "The server must honor changes to the subscription state even if the nonce is stale."
func TestAStaleNonceDoesNotStopASubscription(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Route, "a=1", "b=1")
	s.subscribe(cache.Route, "a")
	sent := s.want("rds a=1")
	s.ack(sent...)
	s.request(cache.Request{Type: cache.Route, Nonce: sent[0].Nonce, Subscribe: []string{"b"}})
	s.want("rds b=1")
}

func TestAnAnswerMayCarryASubscription(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Endpoint, "a=1", "b=1")
	s.subscribe(cache.Endpoint, "a")
	r := s.want("eds a=1")[0]
	s.request(cache.Request{Type: cache.Endpoint, Nonce: r.Nonce, Subscribe: []string{"b"}, Unsubscribe: []string{"a"}})
	s.ack(s.want("eds b=1")...)
	s.set(cache.Endpoint, "a=2", "b=2")
	s.want("eds b=2")
}

func TestReasonsNeverShowCredentials(t *testing.T) {
	t.Parallel()
	const token = "q83vEjRWeJq83vEjRWeJ"
	cases := []struct {
		name, reason string
		secret       bool
		want         string
	}{
		{"nothing is kept of what is said about a secret", "Duplicate credential key: '" + token + "'", true, "rejected by Envoy; its message is withheld because the resource holds credentials"},
		{"what looks like a key is masked", "invalid value '" + token + "' in field", false, "invalid value '…' in field"},
		{"base64 is masked", "got YWJjZGVm+Zw==.", false, "got …."},
		{"a long word is masked even without digits", "got " + strings.Repeat("abcdefg", 5), false, "got …"},
		{"the resource's own name stays", "cluster alice-to-bob-0123456789 unknown", false, "cluster alice-to-bob-0123456789 unknown"},
		{"ordinary words stay", "RouteConfiguration: unknown cluster 'svc'", false, "RouteConfiguration: unknown cluster 'svc'"},
		{"control characters go", "a\nb\x1b[31m", false, "a b [31m"},
		{"broken text is repaired", "a\xff b", false, "a? b"},
		{"no reason is a reason too", " ", false, "rejected by Envoy without a reason"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			r := resource(cache.Secret, "alice-to-bob-0123456789", "x")
			r.Secret = c.secret
			s.commit(cache.Delta{Set: []cache.Resource{r}})
			s.subscribe(cache.Secret, r.Name)
			s.nack(s.next()[0], c.reason)
			report, _, _ := s.session.Progress()
			if len(report.Behind) != 1 || report.Behind[0].Reason != c.want {
				t.Errorf("Behind = %+v, want the reason %q", report.Behind, c.want)
			}
		})
	}
}

func FuzzReasonsAreShortAndPrintable(f *testing.F) {
	f.Add("Duplicate credential key: 'q83vEjRWeJq83vEjRWeJq83vEjRWeJ=='")
	f.Add(strings.Repeat("ä\n", 1000))
	f.Fuzz(func(t *testing.T, reason string) {
		s := newStage(t)
		s.set(cache.Route, "a=1")
		s.subscribe(cache.Route, "a")
		s.nack(s.next()[0], reason)
		report, _, _ := s.session.Progress()
		got := report.Behind[0].Reason
		if len(got) > 400 || got == "" || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("the reason is %q", got)
		}
		for word := range strings.FieldsFuncSeq(got, func(r rune) bool {
			return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/=_-", r)
		}) {
			if len(word) >= 28 {
				t.Errorf("%q is left in the reason", word)
			}
		}
	})
}
