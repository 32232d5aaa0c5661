package gateway

import "github.com/prometheus/client_golang/prometheus"

// metrics are this package's figures.
type metrics struct {
	reports *prometheus.CounterVec
	last    prometheus.Gauge
}

const (
	resultOK     = "ok"
	resultFailed = "failed"
)

// newMetrics makes the figures and registers them under the gateway's name, since one process may run several.
func newMetrics(registerer prometheus.Registerer, domain, gateway string) (*metrics, error) {
	m := &metrics{
		reports: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "entente_gateway_reports_total",
			Help: "Reports of this gateway to its domain, by result.",
		}, []string{"result"}),
		last: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "entente_gateway_last_report_timestamp_seconds",
			Help: "When the last report was written, in seconds since 1970; 0 before the first.",
		}),
	}
	for _, result := range []string{resultOK, resultFailed} {
		m.reports.WithLabelValues(result)
	}
	if registerer == nil {
		return m, nil
	}
	registerer = prometheus.WrapRegistererWith(prometheus.Labels{"domain": domain, "gateway": gateway}, registerer)
	for _, c := range []prometheus.Collector{m.reports, m.last} {
		if err := registerer.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) reported(err error) {
	if err != nil {
		m.reports.WithLabelValues(resultFailed).Inc()
		return
	}
	m.reports.WithLabelValues(resultOK).Inc()
	m.last.SetToCurrentTime()
}
