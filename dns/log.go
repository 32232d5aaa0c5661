package dns

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	clog "github.com/coredns/coredns/plugin/pkg/log"
)

// toCoreDNS is a slog.Handler that writes as CoreDNS's plugins do: one line with the plugin's name, on CoreDNS's own log.
type toCoreDNS struct{ attrs []slog.Attr }

// Enabled says that CoreDNS itself decides about the level.
func (toCoreDNS) Enabled(context.Context, slog.Level) bool { return true }

// Handle writes one record.
func (t toCoreDNS) Handle(_ context.Context, r slog.Record) error {
	var line strings.Builder
	line.WriteString(r.Message)
	write := func(a slog.Attr) bool {
		fmt.Fprintf(&line, " %s=%q", a.Key, a.Value.String())
		return true
	}
	for _, a := range t.attrs {
		write(a)
	}
	r.Attrs(write)
	log := clog.NewWithPlugin(pluginName)
	switch {
	case r.Level >= slog.LevelError:
		log.Error(line.String())
	case r.Level >= slog.LevelWarn:
		log.Warning(line.String())
	case r.Level >= slog.LevelInfo:
		log.Info(line.String())
	default:
		log.Debug(line.String())
	}
	return nil
}

// WithAttrs returns a handler that adds the attributes to each line.
func (t toCoreDNS) WithAttrs(attrs []slog.Attr) slog.Handler {
	return toCoreDNS{append(t.attrs[:len(t.attrs):len(t.attrs)], attrs...)}
}

// WithGroup ignores groups: a line has only a few names.
func (t toCoreDNS) WithGroup(string) slog.Handler { return t }
