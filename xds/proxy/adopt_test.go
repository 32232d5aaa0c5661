package proxy_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/entente-mesh/entente/xds/proxy"
)

// adopted is a configuration whose Envoy outlives its parent; the test ends it.
func (p place) adopted(t *testing.T, word string) proxy.Config {
	t.Helper()
	c := p.config(word)
	c.Adopt = true
	t.Cleanup(func() {
		if err := proxy.Stop(t.Context(), p.dir, 0); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestAnAdoptedEnvoyServesOnWhileItsParentIsAway(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	config := p.adopted(t, "hello")
	first := start(t, config).awaitReady()
	memory := p.memory(t)
	before, _ := first.State()
	l := p.startLoad(t, 2, 2)
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	second := start(t, config).awaitReady()
	after, _ := second.State()
	if after.PID != before.PID || after.Starts != 1 || after.HotRestarts != 0 {
		t.Errorf("state %+v, want process %d taken over", after, before.PID)
	}
	// It is watched again.
	asked, words, failures := l.result()
	if failures != nil || words["hello"] != int(asked) {
		t.Errorf("%d requests, answers %v, failures %v", asked, words, failures)
	}
	kill(t, after.PID)
	second.await("started again", func(s proxy.State) bool { return s.Live && s.PID != before.PID })
	if err := second.stop(); err != nil {
		t.Fatal(err)
	}
	if err := proxy.Stop(t.Context(), p.dir, 0); err != nil {
		t.Fatal(err)
	}
	p.mustBeEmpty(t, memory)
}

func TestAParentWithAnotherConfigurationReplacesTheAdoptedOneWithoutAPause(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	first := start(t, p.adopted(t, "old")).awaitReady()
	before, _ := first.State()
	memory := p.memory(t)
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	l := p.startLoad(t, 4, 2)
	second := start(t, p.adopted(t, "new")).awaitReady()
	s, _ := second.State()
	if s.Epoch != 1 || s.HotRestarts != 1 || s.PID == before.PID {
		t.Errorf("state %+v, want a hot restart", s)
	}
	// The parent may go while the old one drains: the next one finds both.
	if err := second.stop(); err != nil {
		t.Fatal(err)
	}
	third := start(t, p.adopted(t, "new")).awaitReady()
	s = third.await("the old one has ended", func(s proxy.State) bool { return s.Draining == 0 })
	if s.Epoch != 1 || s.HotRestarts != 0 || s.Starts != 1 {
		t.Errorf("state %+v, want epoch 1 taken over", s)
	}
	asked, words, failures := l.result()
	if failures != nil || words["old"] == 0 || words["new"] == 0 {
		t.Errorf("%d requests, answers %v, failures %v", asked, words, failures)
	}
	if err := third.stop(); err != nil {
		t.Fatal(err)
	}
	if err := proxy.Stop(t.Context(), p.dir, time.Second); err != nil {
		t.Fatal(err)
	}
	p.mustBeEmpty(t, memory)
}

// A new process that ended early has taken the admin interface from the old one, which serves on without. The next parent gives it a
// successor.
func TestAnAdoptedEnvoyWithoutAdminIsReplaced(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	config := p.adopted(t, "hello")
	first := start(t, config).awaitReady()
	before, _ := first.State()
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(proxy.AdminSocket(p.dir)); err != nil {
		t.Fatal(err)
	}
	l := p.startLoad(t, 2, 2)
	second := start(t, proxy.Impatient(config, 100*time.Millisecond)).awaitReady()
	s, _ := second.State()
	if s.PID == before.PID || s.Epoch != 1 || s.HotRestarts != 1 {
		t.Errorf("state %+v, want a successor", s)
	}
	if err := second.Admin().Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if asked, words, failures := l.result(); failures != nil || words["hello"] != int(asked) {
		t.Errorf("%d requests, answers %v, failures %v", asked, words, failures)
	}
}

func TestWhatAKilledEnvoyLeftIsRemovedAtTheNextStart(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	config := p.adopted(t, "hello")
	first := start(t, config).awaitReady()
	memory := p.memory(t)
	s, _ := first.State()
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	kill(t, s.PID)
	config.Adopt = false
	second := start(t, config).awaitReady()
	if _, err := os.Stat(memory[0]); err == nil {
		t.Errorf("%s is still there", memory[0])
	}
	files, err := filepath.Glob(filepath.Join(p.dir, "hr_*"))
	if err != nil || len(files) != 4 {
		t.Errorf("sockets for hot restarts %v, %v, want those of one process", files, err)
	}
	if err := second.stop(); err != nil {
		t.Error(err)
	}
	p.mustBeEmpty(t, memory)
}

func TestAParentThatKeepsNobodyEndsWhatWasAdopted(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	config := p.adopted(t, "hello")
	first := start(t, config).awaitReady()
	before, _ := first.State()
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	config.Adopt = false
	second := start(t, config).awaitReady()
	if got, _ := second.State(); got.PID == before.PID || len(p.processes(t)) != 1 {
		t.Errorf("state %+v, processes %v, want only a new one", got, p.processes(t))
	}
}

func TestAStopOfNothingIsNoError(t *testing.T) {
	t.Parallel()
	if err := proxy.Stop(t.Context(), t.TempDir(), time.Hour); err != nil {
		t.Error(err)
	}
}

func TestAStateThatCannotBeUnderstoodIsNotPassedOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "envoy.state"), []byte("no JSON"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := proxy.Stop(t.Context(), dir, 0); err == nil {
		t.Error("processes that may still run were forgotten")
	}
}
