package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/controllers/gateway"
	"github.com/entente-mesh/entente/internal/lab/envoy"
)

func status(kind v1alpha1.GatewayTarget, name string, total, healthy int) v1alpha1.GatewayEndpointStatus {
	return v1alpha1.GatewayEndpointStatus{Name: name, Type: kind, TotalEndpointsCount: total, HealthyEndpointsCount: healthy}
}

// bootstrap is that of an Envoy with one cluster of each shape of name that alice's gateway has. Nothing listens behind them: without
// health checks all endpoints count as healthy.
func bootstrap() []byte {
	var clusters []string
	for _, c := range []struct {
		name      string
		endpoints int
	}{
		{"alice-to-bob", 1},
		{"hs/alice-to-bob", 1},
		{"apiserver.alice.svc", 1},
		{"transit", 1},
		{"web.alice.svc", 2},
		{"web.alice.svc:80", 2},
		{"svc/private", 2},
		{"alice-to-carol-http", 2},
	} {
		const endpoint = `{"endpoint":{"address":{"socket_address":{"address":"127.0.0.1","port_value":1}}}}`
		endpoints := strings.TrimSuffix(strings.Repeat(endpoint+",", c.endpoints), ",")
		clusters = append(clusters, fmt.Sprintf(`{"name":%q,"type":"STATIC","connect_timeout":"1s",
			"load_assignment":{"cluster_name":"x","endpoints":[{"lb_endpoints":[%s]}]}}`, c.name, endpoints))
	}
	return fmt.Appendf(nil, `{"node":{"id":"a","cluster":"b"},"static_resources":{"clusters":[%s]}}`, strings.Join(clusters, ","))
}

// recorded is what stats.json, the answer of a real Envoy with this bootstrap, says about alice.
func recorded() []v1alpha1.GatewayEndpointStatus {
	return []v1alpha1.GatewayEndpointStatus{
		status(v1alpha1.GatewayTargetDomainRoute, "alice-to-bob", 1, 1),
		status(v1alpha1.GatewayTargetDomainRoute, "alice-to-carol-http", 2, 2),
		status(v1alpha1.GatewayTargetService, "apiserver", 1, 1),
		status(v1alpha1.GatewayTargetEndpoints, "private", 2, 2),
		status(v1alpha1.GatewayTargetEndpoints, "web", 2, 2),
	}
}

func file(tb testing.TB, name string) []byte {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func TestARecordedAnswerOfEnvoyIsRead(t *testing.T) {
	t.Parallel()
	got, err := gateway.ParseStats(file(t, "stats.json"), "alice")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(recorded(), got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

func TestARealEnvoyIsAskedAndUnderstood(t *testing.T) {
	t.Parallel()
	e := envoy.Start(t, envoy.Options{Bootstrap: bootstrap()})
	stats := gateway.Envoy{Domain: "alice", Ask: func(_ context.Context, path string) ([]byte, error) {
		answer := e.Ask(path)
		if strings.Count(answer, `"name"`) != strings.Count(answer, "membership_") {
			t.Errorf("Envoy was asked for more than it should be:\n%s", answer)
		}
		return []byte(answer), nil
	}}
	got, err := stats.NetworkStatus(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(recorded(), got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

func TestTheNameOfAClusterSaysWhatItIs(t *testing.T) {
	t.Parallel()
	const none = v1alpha1.GatewayTarget("")
	for _, c := range []struct {
		cluster string
		kind    v1alpha1.GatewayTarget
		name    string
	}{
		{"web.alice.svc", v1alpha1.GatewayTargetEndpoints, "web"},
		{"svc/web", v1alpha1.GatewayTargetEndpoints, "web"},
		{"kusciaapi.alice.svc", v1alpha1.GatewayTargetService, "kusciaapi"},
		{"svc/reporter", v1alpha1.GatewayTargetService, "reporter"},
		{"alice-to-bob", v1alpha1.GatewayTargetDomainRoute, "alice-to-bob"},
		{"alice-to-bob-grpc", v1alpha1.GatewayTargetDomainRoute, "alice-to-bob-grpc"},
		{"alice-to-", none, ""},
		{"bob-to-alice", none, ""},
		{"web.bob.svc", none, ""},
		{"web.alice.svc_80", none, ""},
		{"hs/alice-to-bob", none, ""},
		{"alice-to-bob/x", none, ""},
		{".alice.svc", none, ""},
		{"svc/", none, ""},
		{"svc/a/b", none, ""},
		{"svc/" + strings.Repeat("a", 64), none, ""},
		{"xds", none, ""},
		{"transit", none, ""},
		{"", none, ""},
	} {
		answer := fmt.Sprintf(`{"stats":[{"name":"cluster.%s.membership_total","value":3},{"name":"cluster.%s.membership_healthy","value":2}]}`, c.cluster, c.cluster)
		got, err := gateway.ParseStats([]byte(answer), "alice")
		if err != nil {
			t.Fatal(err)
		}
		want := []v1alpha1.GatewayEndpointStatus{}
		if c.kind != none {
			want = append(want, status(c.kind, c.name, 3, 2))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("cluster %q (-want +got):\n%s", c.cluster, diff)
		}
	}
}

func TestOddGaugesHarmNoOthers(t *testing.T) {
	t.Parallel()
	got, err := gateway.ParseStats([]byte(`{"stats":[
		{"histograms":{}},
		{"name":"server.state","value":0},
		{"name":"cluster.membership_total","value":7},
		{"name":"cluster.a.alice.svc.membership_total","value":"many"},
		{"name":"cluster.b.alice.svc.membership_total","value":-1},
		{"name":"cluster.c.alice.svc.membership_total","value":16777217},
		{"name":"cluster.d.alice.svc.membership_total","value":2},
		{"name":"cluster.d.alice.svc.membership_excluded","value":9},
		{"name":"cluster.svc/d.membership_total","value":0},
		{"name":"cluster.d.alice.svc.membership_healthy","value":5}
	],"more":1}`), "alice")
	if err != nil {
		t.Fatal(err)
	}
	want := []v1alpha1.GatewayEndpointStatus{status(v1alpha1.GatewayTargetEndpoints, "d", 2, 2)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
}

func TestOfVeryManyServicesThePartnersAreNotLost(t *testing.T) {
	t.Parallel()
	got, err := gateway.ParseStats(many(5000), "alice")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2000 {
		t.Errorf("got %d statuses, want 2000", len(got))
	}
	if got[0].Type != v1alpha1.GatewayTargetDomainRoute || got[1].Name != "s00000" {
		t.Errorf("the first are %v, want the partner and then the services by name", got[:2])
	}
}

// many is Envoy's answer with one partner behind n services.
func many(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"stats":[`)
	for i := range n {
		fmt.Fprintf(&b, `{"name":"cluster.s%05d.alice.svc.membership_healthy","value":1},{"name":"cluster.s%05d.alice.svc.membership_total","value":1},`, i, i)
	}
	b.WriteString(`{"name":"cluster.alice-to-bob.membership_total","value":1}]}`)
	return []byte(b.String())
}

func TestWhatIsNoAnswerOfEnvoyIsRefused(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"", "no", "[]", `{"stats":{}}`, `{"stats":[1]}`, strings.Repeat(" ", 32<<20+1)} {
		if got, err := gateway.ParseStats([]byte(answer), "alice"); err == nil {
			t.Errorf("%.20q was read as %v", answer, got)
		}
	}
	gone := errors.New("gone")
	stats := gateway.Envoy{Domain: "alice", Ask: func(context.Context, string) ([]byte, error) { return nil, gone }}
	if _, err := stats.NetworkStatus(t.Context()); !errors.Is(err, gone) {
		t.Errorf("got %v, want why Envoy did not answer", err)
	}
}

func FuzzParseStats(f *testing.F) {
	f.Add(file(f, "stats.json"))
	f.Add(many(3))
	f.Fuzz(func(t *testing.T, answer []byte) {
		got, err := gateway.ParseStats(answer, "alice")
		if err != nil && got != nil {
			t.Fatal("an error and statuses")
		}
		for _, s := range got {
			if s.Name == "" || s.TotalEndpointsCount < s.HealthyEndpointsCount || s.HealthyEndpointsCount < 0 {
				t.Fatalf("a status that cannot be: %+v", s)
			}
		}
	})
}

func BenchmarkParseStatsOf10000Services(b *testing.B) {
	answer := many(10000)
	b.SetBytes(int64(len(answer)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := gateway.ParseStats(answer, "alice"); err != nil {
			b.Fatal(err)
		}
	}
}
