package child

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseStat(t *testing.T) {
	const rest = " S 1 4242 4242 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654321 1 2 3"
	want := stat{state: 'S', group: 4242, session: 4242, start: 987654321}
	cases := []struct {
		name string
		text string
		want stat
		ok   bool
	}{
		{"a plain name", "4242 (envoy)" + rest, want, true},
		{"a name that looks like fields", "4242 (a) Z 1 2 (b c) 3)" + rest, want, true},
		{"too few fields", "4242 (envoy) S 1 4242", stat{}, false},
		{"no name", "4242 envoy" + rest, stat{}, false},
		{"a start that is no number", "4242 (envoy)" + strings.Replace(rest, "987654321", "-1", 1), stat{}, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseStat([]byte(c.text))
			if (err == nil) != c.ok {
				t.Fatalf("error %v, want none: %v", err, c.ok)
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(stat{})); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func FuzzParseStat(f *testing.F) {
	if own, err := os.ReadFile("/proc/self/stat"); err == nil {
		f.Add(own)
	}
	f.Add([]byte("1 (a) S"))
	f.Fuzz(func(_ *testing.T, text []byte) { _, _ = parseStat(text) }) // must not panic
}

func TestAwait(t *testing.T) {
	errRefused := errors.New("refused")
	cases := []struct {
		name    string
		ready   time.Duration // when the probe begins to succeed; 0: never
		timeout time.Duration
		took    [2]time.Duration // at least, at most
		err     string
	}{
		{"something quick costs milliseconds", 5 * time.Millisecond, time.Minute, [2]time.Duration{5e6, 10e6}, ""},
		{"what takes its time is noticed a tenth of it too late at most", 260 * time.Millisecond, time.Minute, [2]time.Duration{260e6, 286e6}, ""},
		{"something slow is noticed within a quarter of a second", 20 * time.Second, time.Minute, [2]time.Duration{20e9, 20250e6}, ""},
		{"without a timeout it waits", time.Hour, 0, [2]time.Duration{3600e9, 3601e9}, ""},
		{"a timeout names the last answer", 0, time.Second, [2]time.Duration{1e9, 1e9}, "not ready within 1s: refused"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := await(t.Context(), func(ctx context.Context) error {
					if ctx.Err() != nil {
						return ctx.Err()
					}
					if c.ready > 0 && time.Since(began) >= c.ready {
						return nil
					}
					return errRefused
				}, c.timeout)
				if took := time.Since(began); took < c.took[0] || took > c.took[1] {
					t.Errorf("took %v, want %v to %v", took, c.took[0], c.took[1])
				}
				if text := errText(err); text != c.err {
					t.Errorf("error %q, want %q", text, c.err)
				}
			})
		})
	}
	t.Run("a probe that hangs is cut off by the timeout", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			err := await(t.Context(), func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			}, time.Second)
			if text := errText(err); text != "not ready within 1s: context deadline exceeded" {
				t.Errorf("error %q", text)
			}
		})
	})
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
