//go:build lite

package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// told is a log handler that passes messages on.
type told chan string

func (t told) Enabled(context.Context, slog.Level) bool { return true }
func (t told) Handle(_ context.Context, r slog.Record) error {
	t <- r.Message
	return nil
}
func (t told) WithAttrs([]slog.Attr) slog.Handler { return t }
func (t told) WithGroup(string) slog.Handler      { return t }

func TestTheLogLevelFollowsTheFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "kuscia.yaml")
	write := func(text string) {
		t.Helper()
		// Replaced as a whole, as editors do it.
		if err := replaceFile(file, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	write("mode: master\ndomainID: alice\n")
	var level slog.LevelVar
	messages := make(told, 1)
	task := newReload(file, &level, slog.New(messages))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- task.Run(ctx) }()
	<-task.Ready()

	write("mode: master\ndomainID: alice\nlogLevel: DEBUG\n")
	<-messages
	if got := level.Level(); got != slog.LevelDebug {
		t.Errorf("level %v, want DEBUG", got)
	}
	write("mode: master\ndomainID: alice\nlogLevel: LOUD\n")
	write("mode: [\n")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	write("mode: master\ndomainID: alice\nlogLevel: ERROR\n")
	<-messages
	if got := level.Level(); got != slog.LevelError {
		t.Errorf("level %v, want ERROR: a wrong file in between changes nothing and ends nothing", got)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
