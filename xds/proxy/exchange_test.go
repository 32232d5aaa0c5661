package proxy_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/entente-mesh/entente/xds/proxy"
)

func TestAHotRestartLosesNoRequest(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := start(t, p.config("old")).awaitReady()
	old, _ := r.State()
	memory := p.memory(t)
	l := p.startLoad(t, 4, 2)
	if err := r.Update(p.config("new")); err != nil {
		t.Fatal(err)
	}
	both := r.await("the new one is live", func(s proxy.State) bool { return s.Live && s.Epoch == 1 })
	if both.PID == old.PID || both.Draining != 1 {
		t.Errorf("state %+v, want another process and the old one draining", both)
	}
	s := r.await("the old one has ended", func(s proxy.State) bool { return s.Draining == 0 })
	if s.Starts != 2 || s.HotRestarts != 1 || s.Err != nil {
		t.Errorf("state %+v, want 2 starts, 1 hot restart and no complaint", s)
	}
	asked, words, failures := l.result()
	if failures != nil {
		t.Errorf("of %d requests some failed: %v", asked, failures)
	}
	if words["old"] == 0 || words["new"] == 0 || words["old"]+words["new"] != int(asked) {
		t.Errorf("%d requests, answers %v, want both words and no other", asked, words)
	}
	t.Logf("%d requests during the hot restart: %v", asked, words)
	if got := p.processes(t); len(got) != 1 || got[0] != s.PID {
		t.Errorf("processes %v, want only %d", got, s.PID)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	p.mustBeEmpty(t, memory)
}

func TestAConfigurationThatEnvoyRefusesChangesNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := start(t, p.config("old")).awaitReady()
	old, _ := r.State()
	bad := p.config("new")
	bad.Bootstrap = []byte(strings.Replace(string(bad.Bootstrap), `"prefix":"/"`, `"prefix_of_what":"/"`, 1))
	if err := r.Update(bad); err != nil {
		t.Fatal(err)
	}
	s := r.await("refused", func(s proxy.State) bool { return s.Err != nil })
	if s.PID != old.PID || !s.Live || !strings.Contains(s.Err.Error(), "prefix_of_what") {
		t.Errorf("state %+v, want the old process, and Envoy's words on prefix_of_what", s)
	}
	if err := r.Admin().Ready(t.Context()); err != nil {
		t.Errorf("the old one has lost its admin interface: %v", err)
	}
	if err := r.Update(p.config("old")); err != nil {
		t.Fatal(err)
	}
	if err := r.Update(p.config("better")); err != nil {
		t.Fatal(err)
	}
	r.await("a good one is used", func(s proxy.State) bool { return s.Live && s.Epoch == 1 && s.Err == nil })
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	p.mustBeEmpty(t, nil)
}

func TestAnUpdateThatIsWrongInItselfIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := start(t, p.config("old")).awaitReady()
	bad := p.config("new")
	bad.Bootstrap = []byte(`{}`)
	if err := r.Update(bad); err == nil || !strings.Contains(err.Error(), "admin.sock") {
		t.Errorf("got %v, want that the admin interface is elsewhere", err)
	}
}

// The one that took over has told the one before to end, so there is nobody left to take over from.
func TestACrashAfterAHotRestartIsHealed(t *testing.T) {
	t.Parallel()
	for name, draining := range map[string]bool{"while the old one drains": true, "when the old one has ended": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			r := start(t, p.config("old")).awaitReady()
			if err := r.Update(p.config("new")); err != nil {
				t.Fatal(err)
			}
			s := r.await("hot restart", func(s proxy.State) bool { return s.Live && s.Epoch == 1 && (s.Draining > 0) == draining })
			kill(t, s.PID)
			s = r.await("live again", func(now proxy.State) bool { return now.Live && now.PID != s.PID })
			if s.Epoch != 0 || s.Starts < 3 {
				t.Errorf("state %+v, want epoch 0, since it starts from nothing, and a third start", s)
			}
			c := p.client()
			defer c.CloseIdleConnections()
			if word, err := ask(t.Context(), c); word != "new" || err != nil {
				t.Errorf("got %q, %v, want new", word, err)
			}
			if err := r.stop(); err != nil {
				t.Error(err)
			}
			p.mustBeEmpty(t, nil)
		})
	}
}

// Of updates during a hot restart the last one counts.
func TestUpdatesDuringAHotRestartWaitForItsEnd(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := start(t, p.config("one")).awaitReady()
	for _, word := range []string{"two", "three", "four"} {
		if err := r.Update(p.config(word)); err != nil {
			t.Fatal(err)
		}
		if word == "two" {
			r.await("two is live", func(s proxy.State) bool { return s.Epoch == 1 && s.Live })
		}
	}
	s := r.await("four is live", func(s proxy.State) bool { return s.Epoch == 2 && s.Live })
	c := p.client()
	defer c.CloseIdleConnections()
	if word, err := ask(t.Context(), c); word != "four" || err != nil {
		t.Errorf("got %q, %v, want four", word, err)
	}
	if s.Starts != 3 {
		t.Errorf("%d starts, want 3: nobody was started for three", s.Starts)
	}
}

// Builds that do not know each other's memory would crash in a hot restart.
func TestBuildsThatDoNotKnowEachOtherAreExchangedOneAfterTheOther(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := start(t, p.config("old")).awaitReady()
	next := p.config("new")
	next.Drain = time.Second
	next.Binary.Build, next.Binary.HotRestart = "another", "another"
	if err := r.Update(next); err != nil {
		t.Fatal(err)
	}
	s := r.await("the new one is live", func(s proxy.State) bool { return s.Live && s.Starts == 2 })
	if s.Epoch != 0 || s.HotRestarts != 0 || s.Draining != 0 {
		t.Errorf("state %+v, want no hot restart", s)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	p.mustBeEmpty(t, nil)
}

func TestAStopLetsRequestsEnd(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	config := p.config("hello")
	config.StopDrain = patience
	r := start(t, config).awaitReady()
	c := p.client()
	defer c.CloseIdleConnections()
	if _, err := ask(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	r.end()
	// Envoy serves until its drain time is over, and asks to close in its answers; then the client finds nobody.
	served := 0
	for {
		word, err := ask(context.WithoutCancel(t.Context()), c)
		if err != nil {
			break
		}
		if word != "hello" {
			t.Fatalf("got %q, want hello", word)
		}
		served++
	}
	if served < 20 { // a stop without a drain comes after 5 ms
		t.Errorf("%d requests were served after the stop began, want many", served)
	}
	if err := r.wait(); err != nil {
		t.Error(err)
	}
	p.mustBeEmpty(t, nil)
}
