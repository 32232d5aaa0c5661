package serve

import (
	"math"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/entente-mesh/entente/xds/cache"
)

// Stats are the figures of all servers of a process at one moment, for people.
type Stats struct {
	Streams int         // open streams
	Pending int         // of these, those whose client has not confirmed everything yet
	Types   []TypeStats // of the types of which something was sent, in the order of cache.Type
}

// TypeStats are the figures of one type of resource since the process started.
type TypeStats struct {
	Type       cache.Type
	Pushes     uint64 // responses sent
	Bytes      uint64 // in them
	Rejections uint64 // responses that a client refused
	Confirmed  uint64 // commits that clients confirmed, each client counted
	// P50 and P99 are the times from commit to confirmation that half and 99 % of the confirmations kept. They are read from the histogram's
	// buckets, so they may be off by a quarter. Zero without confirmations.
	P50, P99 time.Duration
}

// Stats returns the figures as they are.
func (m *Metrics) Stats() Stats {
	s := Stats{Pending: int(read(m.pending).GetGauge().GetValue())}
	for _, g := range m.streams {
		s.Streams += int(read(g).GetGauge().GetValue())
	}
	for t := range cache.Types {
		h := read(m.confirmed[t]).GetHistogram()
		one := TypeStats{
			Type:       t,
			Pushes:     count(m.pushes[t]),
			Bytes:      count(m.bytes[t]),
			Rejections: count(m.rejected[t]),
			Confirmed:  h.GetSampleCount(),
			P50:        quantile(h, 0.5),
			P99:        quantile(h, 0.99),
		}
		if one.Pushes > 0 {
			s.Types = append(s.Types, one)
		}
	}
	return s
}

func count(c prometheus.Counter) uint64 { return uint64(read(c).GetCounter().GetValue()) }

// read takes the value out of a metric.
func read(m prometheus.Metric) *dto.Metric {
	var value dto.Metric
	_ = m.Write(&value) // fails only for a metric of another kind
	return &value
}

// quantile finds the bucket that holds the share q of the samples and goes into it as far as q demands, on a logarithmic scale as the
// buckets are. What is beyond the last bucket counts as its bound.
func quantile(h *dto.Histogram, q float64) time.Duration {
	want := q * float64(h.GetSampleCount())
	if want == 0 {
		return 0
	}
	var below float64
	for _, b := range h.GetBucket() {
		upTo := float64(b.GetCumulativeCount())
		if upTo >= want {
			share := (want - below) / (upTo - below)
			return seconds(b.GetUpperBound() * math.Pow(bucketRatio(), share-1))
		}
		below = upTo
	}
	return seconds(slices.Max(confirmBuckets()))
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
