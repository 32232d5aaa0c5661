package proxy_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/entente-mesh/entente/internal/lab/envoy"
	"github.com/entente-mesh/entente/xds/proxy"
)

// pretend serves as an admin interface.
func pretend(t *testing.T, answer http.HandlerFunc) *proxy.Admin {
	t.Helper()
	socket := filepath.Join(envoy.Dir(t), "admin.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: answer}
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return proxy.NewAdmin(socket)
}

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) } // a client that is gone is its own matter
}

func TestEnvoyIsReadyOnlyWhenItSaysThatItIsLive(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string // in the error; empty: ready
	}{
		"a live one": {text("LIVE\n"), ""},
		"one that starts": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "INITIALIZING", http.StatusServiceUnavailable)
		}, "INITIALIZING"},
		"one that drains":        {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "DRAINING", http.StatusServiceUnavailable) }, "DRAINING"},
		"something else":         {text("hello"), "hello"},
		"a failure":              {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "broken", http.StatusInternalServerError) }, "status 500"},
		"an answer without end":  {text(strings.Repeat("LIVE", 1<<20)), "larger than"},
		"a way somewhere else":   {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/help", http.StatusFound) }, "stopped after 10 redirects"},
		"one that says no words": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := pretend(t, c.answer).Ready(t.Context())
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestAnAdminThatIsNotThereIsAnErrorWithItsSocket(t *testing.T) {
	t.Parallel()
	err := proxy.NewAdmin("/nowhere/admin.sock").Ready(t.Context())
	if err == nil || !strings.Contains(err.Error(), "/nowhere/admin.sock") {
		t.Errorf("got %v", err)
	}
}

func TestAnAdminThatDoesNotAnswerIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		if _, err := proxy.SilentAdmin().Stats(ctx, ""); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want that the time is over", err)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("gave up after %s", took)
		}
	})
}

func TestStatisticsAreReadByNameAndHistogramsLeftOut(t *testing.T) {
	t.Parallel()
	var asked string
	admin := pretend(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.Query().Get("filter")
		text("cluster.echo.bob.svc:80.membership_total: 3\nserver.state: 0\ncluster.a: b.membership_healthy: 2\n"+
			"http.x.downstream_rq_time: P0(nan,1.0) P25(nan,2)\ncontrol_plane.identifier: \"x: 5\"\nbroken\n: 4\nminus: -1\n")(w, r)
	})
	got, err := admin.Stats(t.Context(), `a&b=\.c`)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]uint64{"cluster.echo.bob.svc:80.membership_total": 3, "server.state": 0, "cluster.a: b.membership_healthy": 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statistics (-want +got):\n%s", diff)
	}
	if asked != `a&b=\.c` {
		t.Errorf("filter %q arrived", asked)
	}
}

func TestARealEnvoyIsAskedAndTold(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := start(t, p.config("hello")).awaitReady()
	admin := r.Admin()
	if err := admin.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	info, err := admin.ServerInfo(t.Context())
	if err != nil || info.State != "LIVE" || info.Version != p.binary.Build || info.BaseID == 0 || info.Epoch != 0 {
		t.Errorf("server info %+v, %v", info, err)
	}
	stats, err := admin.Stats(t.Context(), `^server\.(live|concurrency)$`)
	if diff := cmp.Diff(map[string]uint64{"server.live": 1, "server.concurrency": 1}, stats); diff != "" || err != nil {
		t.Errorf("%v, statistics (-want +got):\n%s", err, diff)
	}
	dump, err := admin.ConfigDump(t.Context(), "")
	if err != nil || !strings.Contains(string(dump), p.socket) {
		t.Errorf("the configuration does not show the listener: %v", err)
	}
	dump, err = admin.ConfigDump(t.Context(), "static_listeners")
	if err != nil || !strings.Contains(string(dump), p.socket) || strings.Contains(string(dump), "BootstrapConfigDump") {
		t.Errorf("the listeners alone: %v\n%s", err, dump)
	}
	if _, err := admin.ConfigDump(t.Context(), "nonsense"); err == nil {
		t.Error("a field that does not exist was found")
	}
	if err := admin.ReopenLogs(t.Context()); err != nil {
		t.Error(err)
	}
	if err := admin.DrainListeners(t.Context()); err != nil {
		t.Error(err)
	}
}
