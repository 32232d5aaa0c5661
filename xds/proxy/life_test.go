package proxy_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/entente-mesh/entente/internal/child"
	"github.com/entente-mesh/entente/xds/bootstrap"
	"github.com/entente-mesh/entente/xds/proxy"
)

func TestAnEnvoyServesAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	config := p.config("hello")
	config.OOMScore = 321
	r := start(t, config).awaitReady()
	s, _ := r.State()
	if s.PID == 0 {
		t.Error("a live Envoy has no process")
	}
	pid := s.PID
	s.PID = 0
	if diff := cmp.Diff(proxy.State{Live: true, Version: p.binary.Version, Starts: 1}, s); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	c := p.client()
	defer c.CloseIdleConnections()
	if word, err := ask(t.Context(), c); word != "hello" || err != nil {
		t.Errorf("got %q, %v, want hello", word, err)
	}
	mustBePrivate(t, p, pid)
	memory := p.memory(t)
	if err := r.stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	p.mustBeEmpty(t, memory)
}

// mustBePrivate: nobody else can reach Envoy's inside, and Envoy knows nothing of our environment.
func mustBePrivate(t *testing.T, p place, pid int) {
	t.Helper()
	if info, err := os.Stat(p.dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the private folder is %v, %v, want rwx------", info.Mode(), err)
	}
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		t.Fatal(err)
	}
	sockets := 0
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s is %s, want only its owner to have access", e.Name(), info.Mode())
		}
		if info.Mode().Type() == os.ModeSocket {
			sockets++
		}
	}
	if sockets != 5 { // admin, and four for hot restarts
		t.Errorf("%d sockets in the private folder, want 5", sockets)
	}
	if score, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/oom_score_adj"); err != nil || string(score) != "321\n" {
		t.Errorf("OOM score %q, %v, want 321", score, err)
	}
	environment, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil || len(environment) > 0 {
		t.Errorf("Envoy's environment: %q, %v, want none", environment, err)
	}
}

func TestACrashedEnvoyIsStartedAgain(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	registry := prometheus.NewRegistry()
	config := p.config("hello")
	config.Metrics = proxy.NewMetrics(registry)
	r := start(t, config).awaitReady()
	first, _ := r.State()
	kill(t, first.PID)
	second := r.await("live again", func(s proxy.State) bool { return s.Live && s.PID != first.PID })
	if second.Starts != 2 || second.Epoch != 0 || second.Err == nil {
		t.Errorf("state %+v, want 2 starts, epoch 0 and why the first ended", second)
	}
	c := p.client()
	defer c.CloseIdleConnections()
	if word, err := ask(t.Context(), c); word != "hello" || err != nil {
		t.Errorf("got %q, %v, want hello", word, err)
	}
	if err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP entente_envoy_starts_total Envoys that were started or taken over.
# TYPE entente_envoy_starts_total counter
entente_envoy_starts_total 2
# HELP entente_envoy_live 1 while the newest Envoy of this node is live.
# TYPE entente_envoy_live gauge
entente_envoy_live 1
`), "entente_envoy_starts_total", "entente_envoy_live"); err != nil {
		t.Error(err)
	}
	memory := p.memory(t)
	if err := r.stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	p.mustBeEmpty(t, memory)
}

func TestAnEnvoyThatCannotStartIsAnErrorWithItsOwnWords(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	config := p.config("hello")
	config.Bootstrap = []byte(strings.Replace(string(config.Bootstrap), `"prefix":"/"`, `"prefix_of_what":"/"`, 1))
	r := start(t, config)
	err := r.wait()
	var failed *child.StartError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "prefix_of_what") {
		t.Errorf("got %v, want a StartError with Envoy's words on prefix_of_what", err)
	}
	p.mustBeEmpty(t, nil)
}

func TestTwoEnvoysShareAMachine(t *testing.T) {
	t.Parallel()
	one, two := newPlace(t), newPlace(t)
	r1, r2 := start(t, one.config("one")), start(t, two.config("two"))
	r1.awaitReady()
	r2.awaitReady()
	for word, p := range map[string]place{"one": one, "two": two} {
		c := p.client()
		defer c.CloseIdleConnections()
		if got, err := ask(t.Context(), c); got != word || err != nil {
			t.Errorf("got %q, %v, want %s", got, err, word)
		}
	}
	if err := r1.stop(); err != nil {
		t.Error(err)
	}
	c := two.client()
	defer c.CloseIdleConnections()
	if got, err := ask(t.Context(), c); got != "two" || err != nil {
		t.Errorf("after the end of the other: got %q, %v", got, err)
	}
}

// An Envoy that its control plane has told nothing would answer every request with a reset, or, at a hot restart, close all listeners.
func TestAnEnvoyThatWasToldNothingIsNotReadyAndIsNotEnded(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	config := p.config("")
	var err error
	config.Bootstrap, err = bootstrap.Make(bootstrap.Config{
		Domain: "alice", Gateway: "gateway-0", Admin: proxy.AdminSocket(p.dir), Socket: filepath.Join(filepath.Dir(p.dir), "xds.sock"),
	})
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, config)
	waiting := r.await("started", func(s proxy.State) bool { return s.PID != 0 })
	r.awaitAnswer(t)
	if info, err := r.Admin().ServerInfo(t.Context()); err != nil || info.State == "LIVE" || info.NodeID != "kuscia-gateway-alice-gateway-0" {
		t.Errorf("server info %+v, %v, want one that is not live", info, err)
	}
	if err := r.Admin().Ready(t.Context()); err == nil || !strings.Contains(err.Error(), "not live") {
		t.Errorf("ready: %v, want that it is not live", err)
	}
	// What waits in vain is replaced at once when it is to be another.
	if err := r.Update(p.config("told")); err != nil {
		t.Fatal(err)
	}
	s := r.awaitReady().await("live", func(s proxy.State) bool { return s.Live })
	if s.PID == waiting.PID || s.Starts != 2 || s.HotRestarts != 0 {
		t.Errorf("state %+v, want another process, and no hot restart", s)
	}
	memory := p.memory(t)
	if err := r.stop(); err != nil {
		t.Error(err)
	}
	p.mustBeEmpty(t, memory)
}

// awaitAnswer waits until the admin interface of an Envoy that is not live answers.
func (r *running) awaitAnswer(t *testing.T) {
	t.Helper()
	for {
		if _, err := r.Admin().ServerInfo(t.Context()); err == nil {
			return
		}
		if err := t.Context().Err(); err != nil {
			t.Fatal(err)
		}
	}
}
