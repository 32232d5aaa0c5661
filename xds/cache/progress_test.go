package cache_test

import (
	"slices"
	"testing"
	"time"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/xds/cache"
)

func (s *stage) upto() [cache.Types]uint64 {
	s.Helper()
	s.want()
	report, _, _ := s.session.Progress()
	return report.Upto
}

func TestTheDurationCountsFromTheOldestCommitThatWasPushed(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Endpoint, "a=0")
	s.subscribe(cache.Endpoint, "a")
	first := s.want("eds a=0")
	s.set(cache.Endpoint, "a=1") // 1 s
	s.next()
	s.set(cache.Endpoint, "a=2") // 2 s
	s.ack(first...)
	if _, confirmed, _ := s.session.Progress(); len(confirmed) > 0 {
		t.Errorf("confirmed %v, want nothing: the stream began with it", confirmed)
	}
	s.ack(s.want("eds a=2")...)
	_, confirmed, _ := s.session.Progress()
	if want := []cache.Confirmation{{Type: cache.Endpoint, Since: start.Add(time.Second)}}; !slices.Equal(confirmed, want) {
		t.Errorf("confirmed %v, want %v", confirmed, want)
	}
	s.remove(cache.Endpoint, "a") // 3 s
	s.ack(s.want("eds -a")...)
	_, confirmed, _ = s.session.Progress()
	if want := []cache.Confirmation{{Type: cache.Endpoint, Since: start.Add(3 * time.Second)}}; !slices.Equal(confirmed, want) {
		t.Errorf("confirmed %v, want %v", confirmed, want)
	}
}

func TestNothingIsReportedTwice(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Endpoint, "a=0")
	s.subscribe(cache.Endpoint, "a")
	s.settle()
	if _, _, any := s.session.Progress(); !any {
		t.Error("Progress reports nothing")
	}
	if report, confirmed, any := s.session.Progress(); any {
		t.Errorf("Progress reports %v, %v again", report, confirmed)
	}
}

// A commit that concerns nothing that the client wants is held by it at once.
func TestACommitThatDoesNotConcernTheStreamIsHeldAtOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Endpoint, "a=1")
	s.subscribe(cache.Endpoint, "a")
	s.settle()
	s.set(cache.Endpoint, "other=1")
	s.set(cache.Cluster, "other=1")
	if got := s.upto()[cache.Endpoint]; got != 3 {
		t.Errorf("Upto = %d, want 3", got)
	}
}

// The client asks for a new cluster's endpoints after it has got the cluster. Until then they are not "held because not wanted".
func TestWhatTheClientHasYetToAskForIsBehind(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Cluster, "a=1")
	s.set(cache.Endpoint, "a=1")
	s.subscribe(cache.Cluster)
	s.subscribe(cache.Endpoint, "a")
	s.settle()
	s.upto()
	s.commit(cache.Delta{Set: []cache.Resource{followed("b", "1"), resource(cache.Endpoint, "b", "1"), resource(cache.Endpoint, "a", "2")}})
	all := s.want("cds b=1", "eds a=2")
	s.ack(all[1])
	s.want()
	report, _, _ := s.session.Progress()
	if want := (live.Key{Lane: live.Lane(cache.Endpoint), Name: "b"}); report.Upto[cache.Endpoint] != 3 || len(report.Behind) != 1 ||
		report.Behind[0].Key != want || report.Behind[0].Rejected {
		t.Fatalf("Progress = %+v, want endpoints up to 3 save %v", report, want)
	}
	s.subscribe(cache.Endpoint, "b") // before the cluster is confirmed
	s.ack(s.want("eds b=1")...)
	if report, _, _ = s.session.Progress(); len(report.Caught) != 1 {
		t.Errorf("Caught = %v, want b", report.Caught)
	}
}

func TestWhatTheClientWillNotAskForIsHeldWithWhatCouldNameIt(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.subscribe(cache.Cluster)
	s.subscribe(cache.Endpoint, "a")
	s.settle()
	s.commit(cache.Delta{Set: []cache.Resource{resource(cache.Cluster, "b", "1"), resource(cache.Endpoint, "b", "1")}})
	sent := s.want("cds b=1")
	if report, _, _ := s.session.Progress(); len(report.Behind) != 1 {
		t.Fatalf("Behind = %v, want the endpoints of b", report.Behind)
	}
	s.ack(sent...)
	s.want()
	if report, _, _ := s.session.Progress(); len(report.Caught) != 1 || report.Upto[cache.Cluster] != 1 {
		t.Errorf("Progress = %+v, want the endpoints of b no longer missed", report)
	}
	// And if they go before that, they are not missed either.
	s.set(cache.Endpoint, "c=1")
	s.want()
	s.session.Progress()
	s.remove(cache.Endpoint, "c")
	s.want()
	if report, _, _ := s.session.Progress(); len(report.Behind) != 0 {
		t.Errorf("Behind = %v, want nothing", report.Behind)
	}
}

// A type that was never asked for is one that the confirmed clusters and listeners do not need.
func TestATypeThatWasNotAskedForFollowsWhatCouldNameIt(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Cluster, "a=1")
	s.set(cache.Secret, "s=1")
	s.subscribe(cache.Cluster)
	sent := s.want("cds a=1")
	report, _, any := s.session.Progress()
	if any {
		t.Errorf("Progress = %v, want nothing before the cluster is confirmed", report)
	}
	s.ack(sent...)
	if got, want := s.upto(), ([cache.Types]uint64{cache.Cluster: 2, cache.Endpoint: 2, cache.Secret: 2}); got != want {
		t.Errorf("Upto = %v, want %v", got, want)
	}
	s.subscribe(cache.Listener)
	listeners := s.want("lds")
	if got := s.upto(); got[cache.Listener] != 0 || got[cache.Route] != 0 || got[cache.Secret] != 0 {
		t.Errorf("Upto = %v, want nothing of what listeners name", got)
	}
	s.ack(listeners...)
	if got, want := s.upto(), ([cache.Types]uint64{2, 2, 2, 2, 2, 2}); got != want {
		t.Errorf("Upto = %v, want %v", got, want)
	}
}

func TestTheWaitEndsWithTheNextCommit(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.set(cache.Endpoint, "a=1")
	<-s.session.Wait() // the stream has not looked yet
	s.want()
	select {
	case <-s.session.Wait():
		t.Error("Wait is over although there is nothing new")
	default:
	}
	wait := s.session.Wait()
	s.set(cache.Endpoint, "a=2")
	<-wait
}

func TestAViewOfNothingAnswersAndNeverWakes(t *testing.T) {
	t.Parallel()
	s := &stage{TB: t, cache: cache.New(nil), session: cache.NewDeltaSession(cache.View{})}
	s.subscribe(cache.Cluster)
	s.subscribe(cache.Endpoint, "a")
	s.ack(s.want("cds", "eds -a")...)
	if s.session.Wait() != nil {
		t.Error("Wait() is a channel, want none")
	}
}
