package dns

import (
	"errors"
	"time"

	"github.com/coredns/coredns/plugin"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the figures of the plugin beside those that CoreDNS's own plugins keep of every query.
type metrics struct {
	names   prometheus.Gauge
	updates prometheus.Histogram
}

// newMetrics registers the figures with to, which may be nil. Those that are there already, as when CoreDNS reloads, go on.
func newMetrics(to prometheus.Registerer) *metrics {
	return &metrics{
		names: registered(to, prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: plugin.Namespace, Subsystem: pluginName, Name: "names",
			Help: "Names that are answered, counting those of a service once and not those behind partners' gateways.",
		})),
		updates: registered(to, prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: plugin.Namespace, Subsystem: pluginName, Name: "programming_duration_seconds",
			Help: "Time from the arrival of an event until the answers held it.", Buckets: prometheus.ExponentialBuckets(100e-6, 2, 16),
		})),
	}
}

// registered returns the collector, or the one that was registered under its name before.
func registered[C prometheus.Collector](to prometheus.Registerer, c C) C {
	if to == nil {
		return c
	}
	err := to.Register(c)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if before, ok := already.ExistingCollector.(C); ok {
			return before
		}
	}
	if err != nil {
		panic(err) // two different figures of one name: a mistake in this file
	}
	return c
}

func (m *metrics) updated(names int, took time.Duration) {
	m.names.Set(float64(names))
	m.updates.Observe(took.Seconds())
}
