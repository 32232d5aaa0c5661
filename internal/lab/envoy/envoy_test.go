package envoy_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/entente-mesh/entente/internal/lab/envoy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestARealEnvoyServesUntilTheTestEnds(t *testing.T) {
	t.Parallel()
	var pid int
	t.Run("an Envoy", func(t *testing.T) {
		dir := envoy.Dir(t)
		socket := filepath.Join(dir, "hello.sock")
		e := envoy.Start(t, envoy.Options{Dir: dir, Bootstrap: hello(socket)})
		pid = e.PID()

		if got := get(t, socket); got != "hello" {
			t.Errorf("got %q, want hello", got)
		}
		e.Await("one request was counted", `^http\.hello\.downstream_rq_2xx$`, func(s map[string]int64) bool {
			return s["http.hello.downstream_rq_2xx"] == 1
		})
		if !json.Valid(e.ConfigDump()) || !strings.Contains(string(e.ConfigDump()), socket) {
			t.Errorf("the configuration does not show the listener: %s", e.ConfigDump())
		}
		if !strings.Contains(e.Clusters(), "nowhere::") {
			t.Errorf("no cluster in %q", e.Clusters())
		}
		if !strings.Contains(e.Log(), "starting main dispatch loop") {
			t.Errorf("no start in the log:\n%s", e.Log())
		}
	})
	if pid == 0 {
		t.Skip("no Envoy was started, for the reason above")
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("Envoy %d is still there: %v", pid, err)
	}
}

func TestEnvoyEndsWhenItIsToldTo(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*envoy.Envoy){"stopped": (*envoy.Envoy).Stop, "killed": (*envoy.Envoy).Kill} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := envoy.Start(t, envoy.Options{Bootstrap: []byte(`{}`)})
			end(e)
			if err := syscall.Kill(e.PID(), 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("Envoy %d is still there: %v", e.PID(), err)
			}
		})
	}
}

// hello is an Envoy that answers every request on a unix socket by itself.
func hello(socket string) []byte {
	const typed = "type.googleapis.com/envoy.extensions.filters."
	type m = map[string]any
	manager := m{
		"@type": typed + "network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "hello",
		"http_filters": []m{{"name": "router", "typed_config": m{"@type": typed + "http.router.v3.Router"}}},
		"route_config": m{"virtual_hosts": []m{{"name": "all", "domains": []string{"*"}, "routes": []m{
			{"match": m{"prefix": "/"}, "direct_response": m{"status": 200, "body": m{"inline_string": "hello"}}},
		}}}},
	}
	text, err := json.Marshal(m{"static_resources": m{
		"clusters": []m{{"name": "nowhere", "connect_timeout": "1s"}},
		"listeners": []m{{
			"name": "hello", "address": m{"pipe": m{"path": socket}},
			"filter_chains": []m{{"filters": []m{{"name": "http", "typed_config": manager}}}},
		}},
	}})
	if err != nil {
		panic(err) // maps of strings always marshal
	}
	return text
}

func get(t *testing.T, socket string) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	answer, err := client.Get("http://hello/")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		t.Fatal(err)
	}
	return string(body)
}
