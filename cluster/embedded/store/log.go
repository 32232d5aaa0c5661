package store

import (
	"context"
	"io"
	"log/slog"

	"github.com/sirupsen/logrus"
)

// kineLog forwards what kine logs. Kine knows only logrus's process-wide logger, so the last store opened in a process
// gets the lines of all; a product process opens one.
type kineLog struct {
	log  *slog.Logger
	life context.Context // of the backend: what fails after its end was meant to end
}

// routeKineLog sends logrus's lines to log instead of standard error.
func routeKineLog(life context.Context, log *slog.Logger) {
	hooks := make(logrus.LevelHooks)
	hooks.Add(kineLog{log, life})
	logrus.StandardLogger().ReplaceHooks(hooks)
	logrus.SetOutput(io.Discard)
}

// Levels implements logrus.Hook.
func (kineLog) Levels() []logrus.Level { return logrus.AllLevels }

// Fire implements logrus.Hook. Kine's information is for developers, and its errors are mostly of one request, which the
// API server retries or reports: what a user wants to know or must act on, this package says itself. Only what ends the
// process stays an error.
func (k kineLog) Fire(e *logrus.Entry) error {
	level := slog.LevelDebug
	switch {
	case e.Level <= logrus.FatalLevel:
		level = slog.LevelError
	case e.Level <= logrus.WarnLevel && k.life.Err() == nil:
		level = slog.LevelWarn
	}
	k.log.Log(k.life, level, "kine says", "text", e.Message)
	return nil
}
