package live_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/entente-mesh/entente/internal/live"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	cds live.Lane = iota
	eds
	sds
	ecds
)

// at is the n-th second of a test.
func at(n int) time.Time { return time.Date(2026, 3, 1, 12, 0, n, 0, time.UTC) }

func service(name, version string) live.Ref {
	return live.Ref{Kind: "Service", Namespace: "alice", Name: name, Version: version}
}

func key(lane live.Lane, name string) live.Key { return live.Key{Lane: lane, Name: name} }

// made is a resource that a ref makes from a commit on.
func made(seq uint64, lane live.Lane, name string, refs ...live.Ref) live.Change {
	return live.Change{Key: key(lane, name), Seq: seq, In: refs}
}

// left is a resource that a ref makes no longer.
func left(seq uint64, lane live.Lane, name string, refs ...live.Ref) live.Change {
	return live.Change{Key: key(lane, name), Seq: seq, Out: refs}
}

func upto(seq uint64) live.Report {
	var r live.Report
	for lane := range r.Upto {
		r.Upto[lane] = seq
	}
	return r
}

// lanes is a report of some lanes alone.
func lanes(seq uint64, which ...live.Lane) live.Report {
	var r live.Report
	for _, lane := range which {
		r.Upto[lane] = seq
	}
	return r
}

func rejects(lane live.Lane, name string, seq uint64, holds bool, refs ...live.Ref) live.Report {
	return live.Report{Behind: []live.Behind{{Key: key(lane, name), Seq: seq, Rejected: true, Reason: "no", Refs: refs, Holds: holds}}}
}

func want(t *testing.T, b *live.Board, ref live.Ref, want live.Verdict) {
	t.Helper()
	if diff := cmp.Diff(want, b.Object(ref)); diff != "" {
		t.Errorf("%v (-want +got):\n%s", ref, diff)
	}
}

func events(t *testing.T, b *live.Board, want ...live.Event) {
	t.Helper()
	got, _ := b.Events()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestAnObjectIsConfirmedWhenAllOfItIsByAll(t *testing.T) {
	t.Parallel()
	var b live.Board
	one, two := b.Connect("one"), b.Connect("two")
	echo := service("echo", "1")
	b.Commit(1, at(1), []live.Change{made(1, cds, "echo", echo), made(1, eds, "echo", echo)})
	want(t, &b, echo, live.Verdict{State: live.Waiting, Waiting: []string{"one", "two"}})
	one.Report(upto(1), at(2))
	two.Report(lanes(1, eds), at(3))
	want(t, &b, echo, live.Verdict{State: live.Waiting, Waiting: []string{"two"}})
	events(t, &b)
	two.Report(lanes(1, cds), at(4))
	want(t, &b, echo, live.Verdict{State: live.Confirmed})
	events(t, &b, live.Event{Ref: echo, Verdict: live.Verdict{State: live.Confirmed}, Took: 3 * time.Second})
	events(t, &b)
}

func TestNothingIsConfirmedWhileNoEnvoyIsConnected(t *testing.T) {
	t.Parallel()
	var b live.Board
	echo := service("echo", "1")
	b.Commit(1, at(1), []live.Change{made(1, cds, "echo", echo)})
	want(t, &b, echo, live.Verdict{State: live.Waiting})
	b.Connect("one").Report(upto(1), at(2))
	want(t, &b, echo, live.Verdict{State: live.Confirmed})
	events(t, &b, live.Event{Ref: echo, Verdict: live.Verdict{State: live.Confirmed}, Took: time.Second})
}

func TestAGatewayThatGoesDoesNotCount(t *testing.T) {
	t.Parallel()
	var b live.Board
	one, two := b.Connect("one"), b.Connect("two")
	echo := service("echo", "1")
	b.Commit(1, at(1), []live.Change{made(1, cds, "echo", echo)})
	one.Report(upto(1), at(2))
	two.Close(at(3))
	two.Close(at(3))
	two.Report(upto(1), at(4))
	want(t, &b, echo, live.Verdict{State: live.Confirmed})
	events(t, &b, live.Event{Ref: echo, Verdict: live.Verdict{State: live.Confirmed}, Took: 2 * time.Second})
	one.Close(at(5))
	want(t, &b, echo, live.Verdict{State: live.Waiting})
	if diff := cmp.Diff([]string(nil), b.Gateways()); diff != "" {
		t.Errorf("Gateways (-want +got):\n%s", diff)
	}
}

// A gateway that comes counts from the first, but what was confirmed before is not announced again.
func TestAGatewayThatComesCountsUntilItHasCaughtUp(t *testing.T) {
	t.Parallel()
	var b live.Board
	echo := service("echo", "1")
	first := b.Connect("first")
	b.Commit(1, at(1), []live.Change{made(1, cds, "echo", echo)})
	first.Report(upto(1), at(2))
	events(t, &b, live.Event{Ref: echo, Verdict: live.Verdict{State: live.Confirmed}, Took: time.Second})
	second, third := b.Connect("second"), b.Connect("second") // as while its Envoy is replaced
	want(t, &b, echo, live.Verdict{State: live.Waiting, Waiting: []string{"second"}})
	if diff := cmp.Diff([]string{"first", "second"}, b.Gateways()); diff != "" {
		t.Errorf("Gateways (-want +got):\n%s", diff)
	}
	_, changed := b.Await(echo)
	second.Report(upto(1), at(3))
	select {
	case <-changed:
		t.Error("it changed before all had confirmed")
	default:
	}
	third.Report(upto(1), at(4))
	<-changed
	want(t, &b, echo, live.Verdict{State: live.Confirmed})
	events(t, &b)
}

func TestAwaitEndsWithTheVerdict(t *testing.T) {
	t.Parallel()
	var b live.Board
	token := live.CredentialRef("alice", "bob-alice", 7)
	v, changed := b.Await(token)
	if v.State != live.Unknown {
		t.Fatalf("a token that nobody has seen is %+v", v)
	}
	b.Commit(1, at(1), []live.Change{made(1, ecds, "shard-A", token)})
	<-changed
	if v, changed = b.Await(token); v.State != live.Waiting {
		t.Fatalf("a committed token is %+v", v)
	}
	one := b.Connect("one")
	<-changed
	v, changed = b.Await(token)
	if diff := cmp.Diff(live.Verdict{State: live.Waiting, Waiting: []string{"one"}}, v); diff != "" {
		t.Fatalf("a committed token (-want +got):\n%s", diff)
	}
	one.Report(lanes(1, ecds), at(2)) // not the clusters, whose confirmation Envoy may withhold
	<-changed
	if v := b.Credential("alice", "bob-alice", 7); v.State != live.Confirmed {
		t.Errorf("Credential = %+v, want it confirmed", v)
	}
	// One that comes later is waited for, too.
	two := b.Connect("two")
	v, changed = b.Await(token)
	if diff := cmp.Diff(live.Verdict{State: live.Waiting, Waiting: []string{"two"}}, v); diff != "" {
		t.Fatalf("with another gateway (-want +got):\n%s", diff)
	}
	two.Report(lanes(1, ecds), at(3))
	<-changed
	if v, changed = b.Await(token); v.State != live.Confirmed {
		t.Errorf("Await = %+v, want it confirmed", v)
	}
	b.Commit(2, at(4), []live.Change{left(2, ecds, "shard-A", token)})
	<-changed
	if v := b.Credential("alice", "bob-alice", 7); v.State != live.Unknown {
		t.Errorf("a revoked token is %+v, want it unknown", v)
	}
}

func TestTwoRevisionsOfATokenStandSideBySide(t *testing.T) {
	t.Parallel()
	var b live.Board
	one := b.Connect("one")
	old, next := live.CredentialRef("alice", "r", 1), live.CredentialRef("alice", "r", 2)
	b.Commit(1, at(1), []live.Change{made(1, ecds, "shard-A", old)})
	one.Report(upto(1), at(2))
	b.Commit(2, at(3), []live.Change{made(2, ecds, "shard-B", next)})
	want(t, &b, old, live.Verdict{State: live.Confirmed})
	want(t, &b, next, live.Verdict{State: live.Waiting, Waiting: []string{"one"}})
	b.Commit(3, at(4), []live.Change{left(3, ecds, "shard-A", old)})
	one.Report(upto(2), at(5))
	want(t, &b, next, live.Verdict{State: live.Confirmed})
	want(t, &b, old, live.Verdict{})
}

func TestARejectionNamesGatewayAndReason(t *testing.T) {
	t.Parallel()
	var b live.Board
	one, two := b.Connect("one"), b.Connect("two")
	echo := service("echo", "1")
	b.Commit(1, at(1), []live.Change{made(1, cds, "echo", echo)})
	_, changed := b.Await(echo)
	report := rejects(cds, "echo", 1, false, echo)
	report.Upto = upto(1).Upto
	one.Report(report, at(2))
	<-changed
	rejected := live.Verdict{State: live.Rejected, Waiting: []string{"two"}, Gateway: "one", Reason: "no"}
	want(t, &b, echo, rejected)
	events(t, &b, live.Event{Ref: echo, Verdict: rejected, Took: time.Second})
	two.Report(upto(1), at(3))
	want(t, &b, echo, live.Verdict{State: live.Rejected, Gateway: "one", Reason: "no"})
	// Another content of the same resource is taken.
	one.Report(live.Report{Upto: upto(2).Upto, Caught: []live.Key{key(cds, "echo")}}, at(4))
	want(t, &b, echo, live.Verdict{State: live.Confirmed})
	events(t, &b, live.Event{Ref: echo, Verdict: live.Verdict{State: live.Confirmed}, Took: 3 * time.Second})
}

func TestARejectionGoesWithItsGateway(t *testing.T) {
	t.Parallel()
	var b live.Board
	one, two := b.Connect("one"), b.Connect("two")
	echo := service("echo", "1")
	b.Commit(1, at(1), []live.Change{made(1, cds, "echo", echo)})
	report := rejects(cds, "echo", 1, false, echo)
	report.Upto = upto(1).Upto
	one.Report(report, at(2))
	two.Report(upto(1), at(3))
	one.Close(at(4))
	want(t, &b, echo, live.Verdict{State: live.Confirmed})
}

// One route table is made from many objects. When its newest content is refused the old one stays in force, and with it the old objects.
func TestOnlyWhatCameWithTheRejectedContentIsRejected(t *testing.T) {
	t.Parallel()
	var b live.Board
	one := b.Connect("one")
	good, bad := service("good", "1"), service("bad", "1")
	b.Commit(1, at(1), []live.Change{made(1, sds, "table", good)})
	one.Report(upto(1), at(2))
	b.Commit(2, at(3), []live.Change{made(2, sds, "table", bad)})
	report := rejects(sds, "table", 2, true, good, bad)
	report.Upto = upto(2).Upto
	one.Report(report, at(4))
	want(t, &b, good, live.Verdict{State: live.Confirmed})
	want(t, &b, bad, live.Verdict{State: live.Rejected, Gateway: "one", Reason: "no"})
	events(t, &b,
		live.Event{Ref: good, Verdict: live.Verdict{State: live.Confirmed}, Took: time.Second},
		live.Event{Ref: bad, Verdict: live.Verdict{State: live.Rejected, Gateway: "one", Reason: "no"}, Took: time.Second})
	// A new state of the good object is in the refused content, too.
	newer := service("good", "2")
	b.Commit(2, at(5), []live.Change{{Key: key(sds, "table"), Seq: 2, In: []live.Ref{newer}, Out: []live.Ref{good}}})
	want(t, &b, newer, live.Verdict{State: live.Rejected, Gateway: "one", Reason: "no"})
	events(t, &b, live.Event{Ref: newer, Verdict: live.Verdict{State: live.Rejected, Gateway: "one", Reason: "no"}})
	// An Envoy that comes back with the old table, and refuses the new one again, makes no new events.
	again := b.Connect("one")
	one.Close(at(6))
	again.Report(report, at(7))
	events(t, &b)
	// One that starts with nothing has nothing of it.
	fresh := b.Connect("fresh")
	fresh.Report(rejects(sds, "table", 2, false, newer, bad), at(8))
	want(t, &b, newer, live.Verdict{State: live.Rejected, Gateway: "fresh", Reason: "no"})
}

func TestWhatAnEnvoyHasNotAskedForYetIsWaitedFor(t *testing.T) {
	t.Parallel()
	var b live.Board
	one := b.Connect("one")
	token := live.CredentialRef("alice", "r", 1)
	b.Commit(1, at(1), []live.Change{made(1, sds, "egress-token/bob", token)})
	report := live.Report{Upto: upto(1).Upto, Behind: []live.Behind{{Key: key(sds, "egress-token/bob"), Seq: 1}}}
	one.Report(report, at(2))
	want(t, &b, token, live.Verdict{State: live.Waiting, Waiting: []string{"one"}})
	_, changed := b.Await(token)
	one.Report(live.Report{Upto: upto(1).Upto, Caught: []live.Key{key(sds, "egress-token/bob")}}, at(3))
	<-changed
	want(t, &b, token, live.Verdict{State: live.Confirmed})
}

func TestANewStateOfAnObjectWaitsForWhatItNoLongerMakes(t *testing.T) {
	t.Parallel()
	var b live.Board
	one := b.Connect("one")
	open, restricted := service("echo", "open"), service("echo", "restricted")
	b.Commit(1, at(1), []live.Change{made(1, cds, "echo.alice.svc", open), made(1, eds, "echo", open)})
	one.Report(upto(1), at(2))
	b.Commit(2, at(3), []live.Change{
		left(2, cds, "echo.alice.svc", open),
		{Key: key(eds, "echo"), Seq: 1, In: []live.Ref{restricted}, Out: []live.Ref{open}},
	})
	want(t, &b, open, live.Verdict{})
	one.Report(lanes(2, eds), at(4))
	want(t, &b, restricted, live.Verdict{State: live.Waiting, Waiting: []string{"one"}})
	one.Report(lanes(2, cds), at(5))
	want(t, &b, restricted, live.Verdict{State: live.Confirmed})
}

func TestTheAbsenceOfAnObjectIsConfirmedToo(t *testing.T) {
	t.Parallel()
	var b live.Board
	one := b.Connect("one")
	echo, gone := service("echo", "1"), service("echo", "")
	want(t, &b, gone, live.Verdict{State: live.Confirmed})
	b.Commit(1, at(1), []live.Change{made(1, cds, "echo", echo), made(1, eds, "echo", echo)})
	want(t, &b, gone, live.Verdict{})
	one.Report(upto(1), at(2))
	b.Commit(2, at(3), []live.Change{left(2, cds, "echo", echo), left(2, eds, "echo", echo)})
	v, changed := b.Await(gone)
	if v.State != live.Waiting {
		t.Fatalf("the absence is %+v, want it waiting", v)
	}
	one.Report(lanes(2, cds), at(4))
	want(t, &b, gone, live.Verdict{State: live.Waiting, Waiting: []string{"one"}})
	one.Report(lanes(2, eds), at(5))
	<-changed
	want(t, &b, gone, live.Verdict{State: live.Confirmed})
	// It comes back before its going was confirmed: then that is still waited for.
	b.Commit(3, at(6), []live.Change{made(3, cds, "echo", echo)})
	one.Report(upto(3), at(7))
	b.Commit(4, at(8), []live.Change{left(4, cds, "echo", echo)})
	b.Commit(5, at(9), []live.Change{made(5, eds, "echo", echo)})
	one.Report(lanes(5, eds), at(10))
	want(t, &b, echo, live.Verdict{State: live.Waiting, Waiting: []string{"one"}})
	one.Report(lanes(5, cds), at(11))
	want(t, &b, echo, live.Verdict{State: live.Confirmed})
}

func TestReachedWaitsForEverybodyAndEverything(t *testing.T) {
	t.Parallel()
	var b live.Board
	v, changed := b.Reached(1)
	if v.State != live.Waiting {
		t.Fatalf("with no Envoy at all: %+v", v)
	}
	one := b.Connect("one")
	<-changed
	two := b.Connect("two")
	b.Commit(1, at(1), []live.Change{made(1, cds, "echo", service("echo", "1"))})
	v, changed = b.Reached(1)
	if diff := cmp.Diff(live.Verdict{State: live.Waiting, Waiting: []string{"one", "two"}}, v); diff != "" {
		t.Fatalf("Reached (-want +got):\n%s", diff)
	}
	one.Report(upto(1), at(2))
	two.Close(at(3))
	<-changed
	if v, _ = b.Reached(1); v.State != live.Confirmed {
		t.Errorf("Reached = %+v, want it confirmed", v)
	}
	// A refusal is an answer.
	b.Commit(2, at(4), []live.Change{made(2, cds, "bad", service("bad", "1"))})
	_, changed = b.Reached(2)
	report := rejects(cds, "bad", 2, false, service("bad", "1"))
	report.Upto = upto(2).Upto
	one.Report(report, at(5))
	<-changed
}

// The board is told of everything by everybody at once, and may be asked meanwhile.
func TestTheBoardMayBeUsedByAll(t *testing.T) {
	t.Parallel()
	const streams, commits = 20, 200
	var b live.Board
	var wg sync.WaitGroup
	var seen [commits + 1]chan struct{}
	for seq := range seen {
		seen[seq] = make(chan struct{})
	}
	wg.Go(func() {
		for seq := uint64(1); seq <= commits; seq++ {
			c := made(seq, eds, "echo", service("echo", fmt.Sprint(seq)))
			if seq > 1 {
				c.Out = []live.Ref{service("echo", fmt.Sprint(seq-1))}
			}
			b.Commit(seq, at(0), []live.Change{c})
			close(seen[seq]) // a stream sees a commit after the board
		}
	})
	for i := range streams {
		wg.Go(func() {
			line := b.Connect(fmt.Sprint(i % 5))
			for seq := uint64(1); seq <= commits; seq++ {
				<-seen[seq]
				if seq%50 == 0 && i%2 == 0 {
					line.Close(at(1))
					line = b.Connect(fmt.Sprint(i % 5))
				}
				line.Report(upto(seq), at(1))
				b.Await(service("echo", fmt.Sprint(seq)))
			}
		})
	}
	last := service("echo", fmt.Sprint(commits))
	for v, changed := b.Await(last); v.State != live.Confirmed; v, changed = b.Await(last) {
		<-changed
	}
	wg.Wait()
	want(t, &b, last, live.Verdict{State: live.Confirmed})
}
