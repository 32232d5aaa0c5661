package cache_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/entente-mesh/entente/xds/cache"
)

// large is n resources of about 1 kB each.
func large(t cache.Type, n int) cache.Delta {
	var d cache.Delta
	for _, name := range numbered("n", n) {
		d.Set = append(d.Set, resource(t, name, strings.Repeat("x", 1000)))
	}
	return d
}

func TestASlowClientSkipsWhatIsInBetween(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Endpoint, "a=0", "b=0")
	s.subscribe(cache.Endpoint, "a", "b", "c")
	first := s.want("eds a=0 b=0 -c")
	for i := range 100 {
		s.set(cache.Endpoint, fmt.Sprintf("a=%d", i+1))
		s.set(cache.Endpoint, "c=1")
		s.remove(cache.Endpoint, "c") // it never was there
		s.want()
	}
	s.ack(first...)
	s.ack(s.want("eds a=100")...)
	s.want()
}

func TestARemovalThatWasTakenBackIsNotSent(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Endpoint, "a=1")
	s.subscribe(cache.Endpoint, "a")
	first := s.want("eds a=1")
	s.remove(cache.Endpoint, "a")
	s.set(cache.Endpoint, "a=2")
	s.ack(first...)
	s.ack(s.want("eds a=2")...)
	s.remove(cache.Endpoint, "a")
	s.want("eds -a")
}

func TestLargeAnswersGoOutInPieces(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]cache.Request{
		"everything":  {Type: cache.Secret, Subscribe: []string{"*"}},
		"many names":  {Type: cache.Secret, Subscribe: numbered("n", 5000)},
		"another way": {Type: cache.Cluster},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.commit(large(r.Type, 5000))
			s.request(r)
			names, pieces := map[string]int{}, 0
			for all := s.next(); len(all) > 0; all = s.next() {
				for _, r := range all {
					size := 0
					for _, e := range r.Set {
						size += len(e.Delta())
						names[e.Name]++
					}
					if pieces++; size > 1<<20+2000 {
						t.Errorf("a response of %d bytes", size)
					}
					if report, _, _ := s.session.Progress(); report.Upto != ([cache.Types]uint64{}) {
						t.Errorf("Upto = %v before the last piece is confirmed", report.Upto)
					}
				}
				s.ack(all...)
			}
			if pieces < 4 || len(names) != 5000 {
				t.Errorf("%d pieces with %d names, want at least 4 with 5000", pieces, len(names))
			}
			for name, times := range names {
				if times != 1 {
					t.Errorf("%s was sent %d times", name, times)
				}
			}
			if report, _, _ := s.session.Progress(); report.Upto[r.Type] != 1 {
				t.Errorf("Upto = %v, want 1", report.Upto)
			}
		})
	}
}

func TestLargeRemovalsGoOutInPieces(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	var create, remove cache.Delta
	for _, name := range numbered(strings.Repeat("n", 1000), 3000) {
		create.Set = append(create.Set, resource(cache.Secret, name, ""))
		remove.Delete = append(remove.Delete, cache.Key{Type: cache.Secret, Name: name})
	}
	s.commit(create)
	s.subscribe(cache.Secret, "*")
	s.settle()
	s.commit(remove)
	pieces, names := 0, 0
	for all := s.next(); len(all) > 0; all = s.next() {
		pieces += len(all)
		for _, r := range all {
			names += len(r.Removed)
		}
		s.ack(all...)
	}
	if pieces < 3 || names != 3000 {
		t.Errorf("%d pieces with %d names, want at least 3 with 3000", pieces, names)
	}
}

// What changes while a large answer goes out must be sent once, in its newest form, wherever the walk is.
func TestChangesDuringALargeAnswerAreSentOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.commit(large(cache.Secret, 3000))
	s.subscribe(cache.Secret, "*")
	first := s.next()
	gone := map[string]bool{}
	for _, e := range first[0].Set {
		gone[e.Name] = true
	}
	var behind, ahead []string // the walk has passed by the one, and is still to come to the other
	for _, name := range numbered("n", 3000) {
		if gone[name] {
			behind = append(behind, name)
		} else {
			ahead = append(ahead, name)
		}
	}
	s.set(cache.Secret, behind[0]+"=behind the walk", ahead[0]+"=before the walk", "a=added", "z=added")
	s.remove(cache.Secret, behind[1], ahead[1])
	s.ack(first...)
	got := map[string]int{}
	for all := s.next(); len(all) > 0; all = s.next() {
		for _, r := range all {
			for _, e := range r.Set {
				if text := content(e); !strings.HasPrefix(text, "xxx") {
					got[e.Name+"="+text]++
				}
			}
			for _, name := range r.Removed {
				got["-"+name]++
			}
		}
		s.ack(all...)
	}
	for _, text := range []string{behind[0] + "=behind the walk", ahead[0] + "=before the walk", "a=added", "z=added", "-" + behind[1]} {
		if got[text] != 1 {
			t.Errorf("%q was sent %d times, want once", text, got[text])
		}
		delete(got, text)
	}
	if len(got) > 0 {
		t.Errorf("sent besides: %v", got)
	}
}
