package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"

	"github.com/fsnotify/fsnotify"

	"github.com/entente-mesh/entente/internal/config"
)

// reload follows the configuration file and takes up its logLevel, the one key that takes effect while the node runs.
type reload struct {
	file  string
	level *slog.LevelVar
	log   *slog.Logger
	ready chan struct{}
}

func newReload(file string, level *slog.LevelVar, log *slog.Logger) *reload {
	return &reload{file: file, level: level, log: log, ready: make(chan struct{})}
}

// String names the part.
func (r *reload) String() string { return "configuration watch" }

// Ready is closed when no change can be missed any more.
func (r *reload) Ready() <-chan struct{} { return r.ready }

// Run follows the file until ctx ends. It watches the folder, because editors and Kubernetes replace files instead of writing them.
func (r *reload) Run(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the configuration file: %w", err)
	}
	defer watcher.Close()
	if err := watcher.Add(filepath.Dir(r.file)); err != nil {
		return fmt.Errorf("watch the configuration file: %w", err)
	}
	close(r.ready)
	r.take()
	for {
		select {
		case <-ctx.Done():
			return nil
		case _, open := <-watcher.Events:
			if !open {
				return fsnotify.ErrClosed
			}
			r.take()
		case err := <-watcher.Errors:
			r.log.Warn("watching the configuration file; a change of logLevel may be missed", "error", err)
		}
	}
}

// take reads the file and sets the level. A file that is gone or wrong for a moment changes nothing: it may be half written, and the next
// start says what is wrong with it.
func (r *reload) take() {
	text, err := readBounded(r.file)
	if err != nil {
		return
	}
	cfg, err := config.Parse(r.file, text)
	if err != nil || cfg.LogLevel.Slog() == r.level.Level() {
		return
	}
	r.level.Set(cfg.LogLevel.Slog())
	r.log.Warn("log level changed", "level", cfg.LogLevel)
}
