package report

import (
	"math"
	"slices"
)

// A Summary is what the table says about the samples of one figure on one system.
type Summary struct {
	N                int
	Median, Min, Max float64
}

// Summarize sums samples up. The median of an even number is the mean of the two in the middle. No samples give the zero value.
func Summarize(samples []float64) Summary {
	if len(samples) == 0 {
		return Summary{}
	}
	sorted := slices.Sorted(slices.Values(samples))
	half := len(sorted) / 2
	median := sorted[half]
	if len(sorted)%2 == 0 {
		median = (sorted[half-1] + sorted[half]) / 2
	}
	return Summary{N: len(sorted), Median: median, Min: sorted[0], Max: sorted[len(sorted)-1]}
}

// Percentile returns the smallest sample that at least p percent of the samples do not exceed (the nearest-rank method: always a
// value that was measured). It is NaN without samples.
func Percentile(samples []float64, p float64) float64 {
	if len(samples) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(samples))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Results collects samples. The zero value is empty and ready. One goroutine owns it.
type Results struct {
	samples map[cell][]float64
}

type cell struct{ figure, system string }

// Add takes one sample of a figure, in the figure's base unit.
func (r *Results) Add(figure, system string, value float64) {
	if r.samples == nil {
		r.samples = make(map[cell][]float64)
	}
	c := cell{figure, system}
	r.samples[c] = append(r.samples[c], value)
}

// Samples returns what was measured, in the order of measuring.
func (r *Results) Samples(figure, system string) []float64 {
	return r.samples[cell{figure, system}]
}
