// Package kubelog leads what Kubernetes' own libraries log into the product's log, one step quieter, and never to the terminal.
package kubelog

import (
	"context"
	"log/slog"

	"k8s.io/klog/v2"
)

// Redirect sends everything that is logged through klog, by every Kubernetes library in this process, to log with the
// field source=kubernetes. It is for the wiring of a process: klog is one per process, so the last call wins.
//
// The levels are shifted, see Handler.
func Redirect(log *slog.Logger) {
	klog.SetSlogLogger(slog.New(Handler(log.Handler())).With("source", "kubernetes"))
}

// Handler returns h one step quieter: what a library calls information is for developers (Debug), and what it calls an error
// is mostly a retry that it does by itself (Warn). Error stays for what this product says itself: someone must act.
func Handler(h slog.Handler) slog.Handler { return quieter{h} }

type quieter struct{ slog.Handler }

func quiet(l slog.Level) slog.Level {
	switch {
	case l >= slog.LevelError:
		return slog.LevelWarn
	case l >= slog.LevelInfo:
		return slog.LevelDebug
	default:
		return l + slog.LevelDebug // klog's V(1) is slog's -1: below Debug
	}
}

// Enabled says whether the shifted level is wanted.
func (q quieter) Enabled(ctx context.Context, l slog.Level) bool {
	return q.Handler.Enabled(ctx, quiet(l))
}

// Handle passes the record on with its shifted level.
func (q quieter) Handle(ctx context.Context, r slog.Record) error {
	r.Level = quiet(r.Level)
	return q.Handler.Handle(ctx, r)
}

// WithAttrs returns a quieter handler with more fields.
func (q quieter) WithAttrs(a []slog.Attr) slog.Handler { return quieter{q.Handler.WithAttrs(a)} }

// WithGroup returns a quieter handler that nests the fields that follow.
func (q quieter) WithGroup(name string) slog.Handler { return quieter{q.Handler.WithGroup(name)} }
