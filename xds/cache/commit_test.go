package cache_test

import (
	"strings"
	"testing"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/xds/cache"
)

func TestACommitWithoutEffectIsNoCommit(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	seq := s.set(cache.Cluster, "a=1")
	wait := s.cache.Wait(seq)
	cases := map[string]cache.Delta{
		"nothing at all":                       {},
		"the same content again":               {Set: []cache.Resource{resource(cache.Cluster, "a", "1")}},
		"the removal of what does not exist":   {Delete: []cache.Key{{Type: cache.Cluster, Name: "b"}, {Type: cache.Route, Name: "a"}}},
		"the same content from another object": {Set: []cache.Resource{from(resource(cache.Cluster, "a", "1"), live.Ref{Kind: "Service", Name: "x"})}},
	}
	for name, d := range cases {
		if got := s.commit(d); got != seq {
			t.Errorf("%s: Commit = %d, want the old %d", name, got, seq)
		}
	}
	select {
	case <-wait:
		t.Error("it woke the streams")
	default:
	}
	if got := s.set(cache.Cluster, "a=2"); got != seq+1 {
		t.Errorf("a change: Commit = %d, want %d", got, seq+1)
	}
	<-wait
}

func from(r cache.Resource, refs ...live.Ref) cache.Resource {
	r.From = refs
	return r
}

func TestACommitIsAllOrNothing(t *testing.T) {
	t.Parallel()
	good, bad := resource(cache.Cluster, "good", "1"), resource(cache.Cluster, "bad", "1")
	misnamed, mistyped := bad, bad
	misnamed.Name = "other"
	mistyped.Type = cache.Route
	nameless := resource(cache.Cluster, "", "1")
	star := resource(cache.Cluster, "*", "1")
	empty := bad
	empty.Body = nil
	cases := []struct {
		name  string
		delta cache.Delta
		says  string
	}{
		{"a resource that is named otherwise than its body", cache.Delta{Set: []cache.Resource{good, misnamed}}, `its body is named "bad"`},
		{"a resource without a name", cache.Delta{Set: []cache.Resource{good, nameless}}, "not empty"},
		{"a resource with the name that means everything", cache.Delta{Set: []cache.Resource{good, star}}, `not "*"`},
		{"a body of another type", cache.Delta{Set: []cache.Resource{good, mistyped}}, "is not what rds carries"},
		{"no body", cache.Delta{Set: []cache.Resource{good, empty}}, "is not what cds carries"},
		{"a resource twice", cache.Delta{Set: []cache.Resource{good, bad, good}}, "once only"},
		{"a resource set and removed", cache.Delta{Set: []cache.Resource{good}, Delete: []cache.Key{good.Key}}, "once only"},
		{"a removal of no type", cache.Delta{Set: []cache.Resource{good}, Delete: []cache.Key{{Type: cache.Types, Name: "x"}}}, "no such type"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			all := cache.New(salt)
			seq, err := all.Commit(c.delta, start)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Commit: error %v, want one that says %q", err, c.says)
			}
			if seq != 0 || all.Seq() != 0 || all.All(cache.Cluster).Len() != 0 {
				t.Errorf("something of it was committed: seq %d, %d clusters", seq, all.All(cache.Cluster).Len())
			}
		})
	}
}

func TestVersionsFollowTheContentAlone(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Cluster, "a=1", "b=1")
	first := version(s, cache.Cluster, "a")
	s.set(cache.Cluster, "a=2")
	if second := version(s, cache.Cluster, "a"); second == first {
		t.Error("another content has the same version")
	}
	s.set(cache.Cluster, "a=1")
	if again := version(s, cache.Cluster, "a"); again != first {
		t.Errorf("the same content has version %q, before it was %q", again, first)
	}
	restarted := newStage(t)
	restarted.set(cache.Cluster, "a=1")
	if after := version(restarted, cache.Cluster, "a"); after != first {
		t.Errorf("after a restart the same content has version %q, before it was %q", after, first)
	}
}

// A token or a small password could be found by trying, were its plain hash shown in Envoy's admin interface.
func TestVersionsOfSecretsTellNothingWithoutTheSalt(t *testing.T) {
	t.Parallel()
	secret := func(c *cache.Cache, name string) string {
		t.Helper()
		r := resource(cache.Secret, name, "token")
		r.Secret = true
		if _, err := c.Commit(cache.Delta{Set: []cache.Resource{r}}, start); err != nil {
			t.Fatal(err)
		}
		return c.Get(r.Key).Version
	}
	a := secret(cache.New(salt), "a")
	if again := secret(cache.New(salt), "a"); again != a {
		t.Error("the version changes over a restart with the same salt")
	}
	if other := secret(cache.New([]byte("another salt, long enough too")), "a"); other == a {
		t.Error("the version does not depend on the salt")
	}
	if same := secret(cache.New(salt), "b"); same == a {
		t.Error("two secrets with the same content can be known as such")
	}
	r := resource(cache.Secret, "a", "token")
	r.Secret = true
	if _, err := cache.New(nil).Commit(cache.Delta{Set: []cache.Resource{r}}, start); err == nil || !strings.Contains(err.Error(), "needs a cache with a salt") {
		t.Errorf("without a salt: error %v, want a refusal", err)
	}
}

func TestWaitWakesForCommitsBeside(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	gateway := s.cache.Beside()
	wait := s.cache.Wait(0)
	if _, err := gateway.Commit(cache.Delta{Set: []cache.Resource{resource(cache.Listener, "external", "1")}}, start); err != nil {
		t.Fatal(err)
	}
	<-wait
	<-s.cache.Wait(0) // a commit that is there already
	if s.cache.Seq() != 1 || gateway.Seq() != 1 {
		t.Errorf("Seq() = %d and %d, want 1 in both", s.cache.Seq(), gateway.Seq())
	}
	if s.cache.All(cache.Listener).Len() != 0 {
		t.Error("the listener is in the wrong cache")
	}
}

func TestAViewOverUnrelatedCachesIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := cache.NewView(cache.New(salt), cache.New(salt)); err == nil {
		t.Error("NewView: no error")
	}
	domain := cache.New(salt)
	gateway := domain.Beside()
	s := &stage{TB: t, cache: domain, session: cache.NewDeltaSession(view(t, domain, gateway))}
	s.set(cache.Listener, "of-another-gateway=1")
	s.subscribe(cache.Listener)
	s.want("lds")
}
