package proxy

import "github.com/prometheus/client_golang/prometheus"

// Metrics are the figures of the Envoy that a process runs. They are safe for use by many goroutines.
type Metrics struct {
	live, draining      prometheus.Gauge
	starts, hotRestarts prometheus.Counter
}

// NewMetrics registers the figures with to, which may be nil. A process calls it once.
func NewMetrics(to prometheus.Registerer) *Metrics {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &Metrics{
		live:        gauge("entente_envoy_live", "1 while the newest Envoy of this node is live."),
		draining:    gauge("entente_envoy_draining_processes", "Old Envoys that still serve what began before a hot restart."),
		starts:      counter("entente_envoy_starts_total", "Envoys that were started or taken over."),
		hotRestarts: counter("entente_envoy_hot_restarts_total", "Envoys that were started beside a serving one, to replace it."),
	}
	if to != nil {
		to.MustRegister(m.live, m.draining, m.starts, m.hotRestarts)
	}
	return m
}

// observe counts what lies between two states.
func (m *Metrics) observe(before, now State) {
	m.starts.Add(float64(max(now.Starts-before.Starts, 0)))
	m.hotRestarts.Add(float64(max(now.HotRestarts-before.HotRestarts, 0)))
	m.draining.Set(float64(now.Draining))
	up := 0.0
	if now.Live {
		up = 1
	}
	m.live.Set(up)
}
