package kubelog_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/klog/v2"

	"github.com/entente-mesh/entente/internal/kubelog"
)

// textAt returns a logger that writes lines without time to b.
func textAt(b *bytes.Buffer, level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{
		Level: level,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
}

func TestHandler(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		level slog.Level
		want  string
	}{
		"a debug log shows information as debug and errors as warnings": {
			level: slog.LevelDebug,
			want:  "level=DEBUG msg=started\nlevel=DEBUG msg=slow\nlevel=WARN msg=failed g.n=1\n",
		},
		"an info log shows errors alone": {
			level: slog.LevelInfo,
			want:  "level=WARN msg=failed g.n=1\n",
		},
		"a log below debug shows the details too": {
			level: slog.LevelDebug - 10,
			want:  "level=DEBUG-1 msg=detail\nlevel=DEBUG msg=started\nlevel=DEBUG msg=slow\nlevel=WARN msg=failed g.n=1\n",
		},
		"a log for errors stays empty": {
			level: slog.LevelError,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			log := slog.New(kubelog.Handler(textAt(&b, tc.level).Handler()))
			log.Log(t.Context(), -1, "detail")
			log.Info("started")
			log.Warn("slow")
			log.WithGroup("g").With("n", 1).Error("failed")
			if diff := cmp.Diff(tc.want, b.String()); diff != "" {
				t.Errorf("log (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRedirect is not parallel: klog is one per process.
func TestRedirect(t *testing.T) {
	defer klog.ClearLogger()
	var b bytes.Buffer
	kubelog.Redirect(textAt(&b, slog.LevelDebug))
	klog.InfoS("Listing pods", "namespace", "alice")
	klog.ErrorS(errors.New("connection refused"), "Cannot list")
	klog.Infof("old style %d", 1)
	want := []string{
		`level=DEBUG msg="Listing pods" source=kubernetes namespace=alice`,
		`level=WARN msg="Cannot list" source=kubernetes err="connection refused"`,
		`level=DEBUG msg="old style 1" source=kubernetes`,
	}
	if diff := cmp.Diff(want, strings.Split(strings.TrimSpace(b.String()), "\n")); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}
