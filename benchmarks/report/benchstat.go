package report

import (
	"bufio"
	"fmt"
	"io"
	"runtime"
	"strconv"
)

// Benchstat writes the report in the Go benchmark format (golang.org/design/14313-benchmark-format), a line per sample, so that
// benchstat can compare systems (-col /system) and runs:
//
//	BenchmarkReadyFresh/system=entente-2  1  2.1 sec
func (r Report) Benchstat(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "goos: %s\ngoarch: %s\npkg: %s\n", runtime.GOOS, runtime.GOARCH, r.Package)
	for _, f := range r.Machine {
		fmt.Fprintf(b, "%s: %s\n", f.Key, f.Value)
	}
	for _, f := range r.Run {
		fmt.Fprintf(b, "# %s: %s\n", f.Key, f.Value) // no line of the format, so benchstat passes it over
	}
	known := map[string]bool{}
	for _, f := range r.Figures {
		if !known[f.Unit] {
			known[f.Unit] = true
			fmt.Fprintf(b, "Unit %s better=%s\n", f.Unit, f.Better.word())
		}
	}
	for _, f := range r.Figures {
		for _, s := range r.Systems {
			for _, v := range r.Results.Samples(f.Key, s.Key) {
				fmt.Fprintf(b, "Benchmark%s/system=%s-%d\t1\t%s %s\n", f.Key, s.Key, runtime.GOMAXPROCS(0), strconv.FormatFloat(v, 'g', 6, 64), f.Unit)
			}
		}
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("write the benchstat lines: %w", err)
	}
	return nil
}
