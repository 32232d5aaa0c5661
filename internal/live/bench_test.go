package live_test

import (
	"fmt"
	"testing"

	"github.com/entente-mesh/entente/internal/live"
)

// BenchmarkChange is one change of one object, from the commit to the confirmation by every stream.
func BenchmarkChange(b *testing.B) {
	for _, streams := range []int{1, 100, 5000} {
		b.Run(fmt.Sprintf("streams=%d", streams), func(b *testing.B) {
			var board live.Board
			for i := range uint64(10_000) {
				board.Commit(i+1, at(0), []live.Change{made(i+1, eds, fmt.Sprint(i), service(fmt.Sprint(i), "0"))})
			}
			lines := make([]*live.Line, streams)
			for i := range lines {
				lines[i] = board.Connect(fmt.Sprint(i))
				lines[i].Report(upto(10_000), at(0))
			}
			board.Events()
			b.ReportAllocs()
			for seq := uint64(10_001); b.Loop(); seq++ {
				c := made(seq, eds, "7", service("7", fmt.Sprint(seq-10_000)))
				c.Out = []live.Ref{service("7", fmt.Sprint(seq-10_001))}
				board.Commit(seq, at(1), []live.Change{c})
				for _, l := range lines {
					l.Report(upto(seq), at(2))
				}
			}
			b.StopTimer()
			if v := board.Object(service("7", "0")); v.State != live.Unknown {
				b.Errorf("the old state is %+v", v)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*streams), "ns/stream")
		})
	}
}
