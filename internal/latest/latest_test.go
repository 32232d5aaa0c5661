package latest_test

import (
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/entente-mesh/entente/internal/latest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheZeroValueHoldsTheZeroT(t *testing.T) {
	t.Parallel()
	var v latest.Value[*int]
	got, changed := v.Get()
	if got != nil {
		t.Errorf("Get() = %v, want nil", got)
	}
	select {
	case <-changed:
		t.Error("the channel is closed although nothing was set")
	default:
	}
}

func TestSetWakesEveryReader(t *testing.T) {
	t.Parallel()
	var v latest.Value[string]
	var readers sync.WaitGroup
	for range 8 {
		_, changed := v.Get()
		readers.Go(func() { <-changed })
	}
	v.Set("new")
	readers.Wait()
	if got, _ := v.Get(); got != "new" {
		t.Errorf("Get() = %q, want %q", got, "new")
	}
}

func TestAReaderThatAskedLateSeesTheValueWithoutWaiting(t *testing.T) {
	t.Parallel()
	var v latest.Value[int]
	v.Set(1)
	v.Set(2)
	got, changed := v.Get()
	if got != 2 {
		t.Errorf("Get() = %d, want 2", got)
	}
	select {
	case <-changed:
		t.Error("the channel is closed although nothing was set since Get")
	default:
	}
}

// Every reader ends with the last value and none sees an older value after a newer one, however the goroutines interleave.
func TestReadersNeverGoBackAndAllSeeTheLastValue(t *testing.T) {
	t.Parallel()
	const readers, last = 200, 5000
	var v latest.Value[int]
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for seen := 0; ; {
				got, changed := v.Get()
				if got < seen {
					t.Errorf("a reader saw %d after %d", got, seen)
					return
				}
				if seen = got; seen == last {
					return
				}
				<-changed
			}
		})
	}
	for i := 1; i <= last; i++ {
		v.Set(i)
	}
	wg.Wait()
}

func BenchmarkSetThenGet(b *testing.B) {
	b.ReportAllocs()
	var v latest.Value[int]
	for i := 0; b.Loop(); i++ {
		v.Set(i)
		v.Get()
	}
}
