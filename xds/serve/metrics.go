package serve

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/entente-mesh/entente/xds/cache"
)

// Metrics are the figures of all servers of a process. They are safe for use by many goroutines.
type Metrics struct {
	streams   [2]prometheus.Gauge // by dialect
	refusals  *prometheus.CounterVec
	pending   prometheus.Gauge
	pushes    [cache.Types]prometheus.Counter
	bytes     [cache.Types]prometheus.Counter
	rejected  [cache.Types]prometheus.Counter
	confirmed [cache.Types]prometheus.Histogram
}

// NewMetrics registers the figures with to, which may be nil. A process calls it once and gives the result to each of its servers.
func NewMetrics(to prometheus.Registerer) *Metrics {
	vector := func(name, help, label string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
	}
	streams := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "entente_xds_streams", Help: "Open xDS streams, by dialect."}, []string{"dialect"})
	pending := prometheus.NewGauge(prometheus.GaugeOpts{Name: "entente_xds_pending_streams", Help: "xDS streams whose client has not confirmed everything yet."})
	pushes := vector("entente_xds_pushes_total", "xDS responses sent, by resource type.", "type")
	bytes := vector("entente_xds_sent_bytes_total", "Bytes of xDS responses sent, by resource type.", "type")
	rejected := vector("entente_xds_rejections_total", "xDS responses that the client rejected, by resource type.", "type")
	refusals := vector("entente_xds_refusals_total", "xDS streams that were refused, by gRPC status code, and connections that were, as Handshake.", "code")
	confirmed := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "entente_xds_confirm_seconds", Help: "Time from the commit of a resource until a client confirmed it, by resource type.", Buckets: confirmBuckets(),
	}, []string{"type"})
	if to != nil {
		to.MustRegister(streams, pending, pushes, bytes, rejected, refusals, confirmed)
	}
	m := &Metrics{refusals: refusals, pending: pending}
	for _, d := range []dialect{delta, sotw} {
		m.streams[d] = streams.WithLabelValues(d.String())
	}
	for t := range cache.Types {
		m.pushes[t], m.bytes[t], m.rejected[t] = pushes.WithLabelValues(t.String()), bytes.WithLabelValues(t.String()), rejected.WithLabelValues(t.String())
		m.confirmed[t] = confirmed.WithLabelValues(t.String()).(prometheus.Histogram) //nolint:forcetypeassert // a HistogramVec makes nothing else
	}
	return m
}

// confirmBuckets are the upper bounds of the histogram, in seconds: four to a decade from 100 µs to 10 s.
func confirmBuckets() []float64 {
	var buckets []float64
	for i := range 21 {
		buckets = append(buckets, math.Round(1e6*1e-4*math.Pow(bucketRatio(), float64(i)))/1e6)
	}
	return buckets
}

// bucketRatio is how much greater each bound is than the one before.
func bucketRatio() float64 { return math.Pow(10, 0.25) }
