package serve_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/serve"
)

func TestStatsTellWhatHappened(t *testing.T) {
	t.Parallel()
	d := newDomains("alice")
	d.set(t, "alice", time.Second, "a")
	registry := prometheus.NewRegistry()
	s := start(t, d, func(c *serve.Config) { c.Metrics = serve.NewMetrics(registry) })
	c := s.connect(t)
	c.subscribe(nil)
	c.ack(c.receive())
	d.set(t, "alice", time.Minute, "a")
	c.ack(c.receive())
	d.until(t, "alice", service("a", time.Minute), live.Confirmed)
	d.set(t, "alice", time.Hour, "a")
	c.reject(c.receive(), "no")
	d.until(t, "alice", service("a", time.Hour), live.Rejected)
	s.shutdown()

	got := s.metrics.Stats()
	want := serve.Stats{Types: []serve.TypeStats{{Type: cache.Cluster, Pushes: 3, Rejections: 1, Confirmed: 1}}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(serve.TypeStats{}, "Bytes", "P50", "P99")); diff != "" {
		t.Errorf("Stats (-want +got):\n%s", diff)
	}
	if one := got.Types[0]; one.Bytes < 100 || one.P50 <= 0 || one.P99 < one.P50 || one.P99 > time.Minute {
		t.Errorf("%d bytes, p50 %v, p99 %v: want plausible figures", one.Bytes, one.P50, one.P99)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var registered []string
	for _, f := range families {
		registered = append(registered, f.GetName())
	}
	if diff := cmp.Diff([]string{
		"entente_xds_confirm_seconds", "entente_xds_pending_streams", "entente_xds_pushes_total", "entente_xds_rejections_total",
		"entente_xds_sent_bytes_total", "entente_xds_streams",
	}, registered); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}
