package report

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSummarize(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		samples []float64
		want    Summary
	}{
		{"no samples give nothing", nil, Summary{}},
		{"one sample is its own median, least and greatest", []float64{3}, Summary{1, 3, 3, 3}},
		{"of an odd number the one in the middle", []float64{9, 1, 4}, Summary{3, 4, 1, 9}},
		{"of an even number the mean of the two in the middle", []float64{8, 1, 4, 2}, Summary{4, 3, 1, 8}},
		{"one wild sample does not move the median", []float64{2, 2, 2, 2, 900}, Summary{5, 2, 2, 900}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, Summarize(tc.samples)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSummarizeLeavesTheSamplesInTheirOrder(t *testing.T) {
	t.Parallel()
	samples := []float64{3, 1, 2}
	Summarize(samples)
	Percentile(samples, 50)
	if diff := cmp.Diff([]float64{3, 1, 2}, samples); diff != "" {
		t.Error(diff)
	}
}

func TestPercentile(t *testing.T) {
	t.Parallel()
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i)
	}
	for _, tc := range []struct {
		name    string
		samples []float64
		p, want float64
	}{
		{"the median of 1 to 100", hundred, 50, 50},
		{"99 of 100 do not exceed 99", hundred, 99, 99},
		{"all of them do not exceed the greatest", hundred, 100, 100},
		{"none is less than the least", hundred, 0, 1},
		{"of few samples p99 is the greatest", []float64{5, 1, 9}, 99, 9},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := Percentile(tc.samples, tc.p); got != tc.want {
				t.Errorf("want %v, got %v", tc.want, got)
			}
		})
	}
	if got := Percentile(nil, 50); !math.IsNaN(got) {
		t.Errorf("without samples: want NaN, got %v", got)
	}
}

func example() Report {
	r := Report{
		Package: "example.com/bench",
		Machine: []Fact{{"cpu", "Abacus"}, {"cores", "2"}},
		Run:     []Fact{{"took", "1m"}},
		Figures: []Figure{
			{Key: "Ready", Title: "ready after start", Unit: "sec", Shown: "s", Digits: 2, Reach: 2.5},
			{Key: "Stop", Title: "stopped", Unit: "sec", Shown: "ms", Scale: 1000, Reach: 1},
			{Key: "Rate", Title: "creates", Unit: "creates/sec", Shown: "/s", Better: Higher, Reach: 900},
			{Key: "Size", Title: "binary", Unit: "B", Shown: "MB", Scale: 1e-6, Digits: 1},
			{Key: "Build", Title: "cold build", Unit: "sec"},
		},
		Systems: []System{{Key: "ours", Title: "Ours"}, {Key: "peer", Title: "Peer"}, {Key: "other", Title: "Other", Absent: "OTHER_BIN is not set"}},
		Results: &Results{},
		Notes:   []string{"a note"},
	}
	add := func(figure, system string, values ...float64) {
		for _, v := range values {
			r.Results.Add(figure, system, v)
		}
	}
	add("Ready", "ours", 2.1, 2, 2.2)
	add("Ready", "peer", 4, 4.2, 4.4)
	add("Stop", "ours", 0.5, 0.6, 1.5)
	add("Stop", "peer", 0)
	add("Rate", "ours", 500, 600)
	add("Rate", "peer", 1000)
	add("Size", "ours", 144_600_000)
	return r
}

func TestTableShowsEachFigureBesideItsPeer(t *testing.T) {
	t.Parallel()
	const want = `cpu: Abacus
cores: 2
took: 1m

FIGURE             UNIT  Ours              Peer              ratio  TO REACH
ready after start  s ↓   2.10 [2.00..2.20] 4.20 [4.00..4.40] 0.50   ≤ 2.5 reached
stopped            ms ↓  600 [500..1500]   0                 –      ≤ 1000 median reached
creates            /s ↑  550 [500..600]    1000              0.55   ≥ 900 MISSED
binary             MB ↓  144.6             –                 –
Other  not measured: OTHER_BIN is not set

median [min..max] of all rounds; ratio: ours ÷ peer, of the medians; ↓ less is better, ↑ more is better
* a note
`
	var got strings.Builder
	if err := example().Table(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(words(want), words(got.String())); diff != "" {
		t.Error(diff)
	}
}

// words forgets how wide the columns are.
func words(text string) [][]string {
	var lines [][]string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Fields(line))
	}
	return lines
}

func TestTableAlignsItsColumns(t *testing.T) {
	t.Parallel()
	var got strings.Builder
	if err := example().Table(&got); err != nil {
		t.Fatal(err)
	}
	column := -1
	for line := range strings.Lines(got.String()) {
		for _, start := range []string{"Ours", "2.10 [", "600 [", "550 [", "144.6"} {
			at := strings.Index(line, start)
			if at < 0 {
				continue
			}
			at = len([]rune(line[:at]))
			if column >= 0 && at != column {
				t.Errorf("column at %d, want %d: %s", at, column, line)
			}
			column = at
		}
	}
}

func TestBenchstatHasALinePerSample(t *testing.T) {
	t.Parallel()
	n := runtime.GOMAXPROCS(0)
	want := fmt.Sprintf(`goos: %s
goarch: %s
pkg: example.com/bench
cpu: Abacus
cores: 2
# took: 1m
Unit sec better=lower
Unit creates/sec better=higher
Unit B better=lower
BenchmarkReady/system=ours-%[3]d	1	2.1 sec
BenchmarkReady/system=ours-%[3]d	1	2 sec
BenchmarkReady/system=ours-%[3]d	1	2.2 sec
BenchmarkReady/system=peer-%[3]d	1	4 sec
BenchmarkReady/system=peer-%[3]d	1	4.2 sec
BenchmarkReady/system=peer-%[3]d	1	4.4 sec
BenchmarkStop/system=ours-%[3]d	1	0.5 sec
BenchmarkStop/system=ours-%[3]d	1	0.6 sec
BenchmarkStop/system=ours-%[3]d	1	1.5 sec
BenchmarkStop/system=peer-%[3]d	1	0 sec
BenchmarkRate/system=ours-%[3]d	1	500 creates/sec
BenchmarkRate/system=ours-%[3]d	1	600 creates/sec
BenchmarkRate/system=peer-%[3]d	1	1000 creates/sec
BenchmarkSize/system=ours-%[3]d	1	1.446e+08 B
`, runtime.GOOS, runtime.GOARCH, n)
	var got strings.Builder
	if err := example().Benchstat(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
}

func TestVerdictFollowsTheDirection(t *testing.T) {
	t.Parallel()
	low := Figure{Reach: 10}
	high := Figure{Reach: 10, Better: Higher}
	for _, tc := range []struct {
		name   string
		figure Figure
		sum    Summary
		want   string
	}{
		{"every sample is low enough", low, Summary{3, 9, 8, 10}, "reached"},
		{"the worst is too high", low, Summary{3, 9, 8, 11}, "median reached"},
		{"the median is too high", low, Summary{3, 11, 8, 12}, "MISSED"},
		{"every sample is high enough", high, Summary{3, 11, 10, 12}, "reached"},
		{"the worst is too low", high, Summary{3, 11, 9, 12}, "median reached"},
		{"the median is too low", high, Summary{3, 9, 8, 12}, "MISSED"},
		{"nothing is asked", Figure{}, Summary{3, 9, 8, 12}, ""},
		{"nothing was measured", low, Summary{}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := tc.figure.verdict(tc.sum); got != tc.want {
				t.Errorf("want %q, got %q", tc.want, got)
			}
		})
	}
}
