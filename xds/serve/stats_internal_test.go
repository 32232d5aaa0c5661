package serve

import (
	"math"
	"testing"
	"time"

	"github.com/entente-mesh/entente/xds/cache"
)

func TestQuantilesAreOffByLessThanABucket(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name     string
		samples  []time.Duration
		p50, p99 time.Duration
	}{
		{"nothing was measured", nil, 0, 0},
		{"one sample", []time.Duration{3 * time.Millisecond}, 3 * time.Millisecond, 3 * time.Millisecond},
		{"below the first bucket", []time.Duration{time.Microsecond}, 75 * time.Microsecond, 100 * time.Microsecond},
		{"beyond the last bucket", []time.Duration{time.Minute}, 10 * time.Second, 10 * time.Second},
		{"one in ten is slow", []time.Duration{1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e6, 1e9}, time.Millisecond, time.Second},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m := NewMetrics(nil)
			for _, s := range c.samples {
				m.confirmed[cache.Route].Observe(s.Seconds())
			}
			m.pushes[cache.Route].Inc()
			got := m.Stats().Types[0]
			for _, one := range []struct {
				name      string
				want, got time.Duration
			}{{"p50", c.p50, got.P50}, {"p99", c.p99, got.P99}} {
				if one.want == one.got {
					continue
				}
				if off := math.Abs(math.Log(float64(one.got) / float64(one.want))); off > math.Log(bucketRatio())+0.001 {
					t.Errorf("%s is %v, want %v within a bucket", one.name, one.got, one.want)
				}
			}
		})
	}
}
