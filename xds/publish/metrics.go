package publish

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/entente-mesh/entente/xds/cache"
)

// metrics are this package's figures.
type metrics struct {
	translated prometheus.Histogram
	delay      prometheus.Histogram
	failures   prometheus.Counter
	problems   prometheus.Gauge
	resources  *prometheus.GaugeVec
	reports    *prometheus.CounterVec
}

// Results of a report on an object.
const (
	resultWritten = "written"
	resultSame    = "unchanged"
	resultFailed  = "failed"
)

// newMetrics makes the figures and registers them.
func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	fast := prometheus.ExponentialBuckets(10e-6, 4, 10) // 10 µs to 2.6 s
	m := &metrics{
		translated: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "entente_xds_translate_seconds", Help: "Time to translate and commit the difference of two meshes.", Buckets: fast,
		}),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "entente_xds_commit_delay_seconds", Help: "Time from the first event of a change to its commit.", Buckets: fast,
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "entente_xds_commit_failures_total", Help: "Meshes that could not be committed.",
		}),
		problems: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "entente_mesh_problems", Help: "What is wrong with objects of the domain at the moment.",
		}),
		resources: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "entente_xds_resources", Help: "Resources of the domain by type, without the listeners of its gateways.",
		}, []string{"type"}),
		reports: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "entente_xds_reports_total", Help: "Reports on objects, by result.",
		}, []string{"result"}),
	}
	for _, result := range []string{resultWritten, resultSame, resultFailed} {
		m.reports.WithLabelValues(result)
	}
	if registerer == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.translated, m.delay, m.failures, m.problems, m.resources, m.reports} {
		if err := registerer.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// committed notes a commit that was made of a change first seen at since, which may be zero.
func (m *metrics) committed(c *cache.Cache, took time.Duration, since, now time.Time) {
	m.translated.Observe(took.Seconds())
	if !since.IsZero() {
		m.delay.Observe(now.Sub(since).Seconds())
	}
	for t := range cache.Types {
		if t != cache.Listener {
			m.resources.WithLabelValues(t.String()).Set(float64(c.All(t).Len()))
		}
	}
}
