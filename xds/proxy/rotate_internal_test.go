package proxy

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A logbook is a folder with access logs and an Envoy that reopens them.
type logbook struct {
	t        *testing.T
	dir      string
	rotation Rotation
	reopened int
	away     bool // Envoy does not answer
}

func newLogbook(t *testing.T) *logbook {
	t.Helper()
	dir := t.TempDir()
	return &logbook{t: t, dir: dir, rotation: Rotation{
		Files: []string{filepath.Join(dir, "internal.log"), filepath.Join(dir, "external.log")}, MaxSizeMB: 1, MaxFiles: 2, MaxAgeDays: 10,
	}}
}

func (l *logbook) reopen(context.Context) error {
	if l.away {
		return errors.New("away")
	}
	l.reopened++
	return nil
}

func (l *logbook) write(name string, size int) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, name), make([]byte, size), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

func (l *logbook) turn(now time.Time) error { return l.rotation.turn(l.t.Context(), now, l.reopen) }

func (l *logbook) names() []string {
	l.t.Helper()
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		l.t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	slices.Sort(all)
	return all
}

func (l *logbook) want(reopened int, names ...string) {
	l.t.Helper()
	if diff := cmp.Diff(names, l.names()); diff != "" {
		l.t.Errorf("files (-want +got):\n%s", diff)
	}
	if l.reopened != reopened {
		l.t.Errorf("reopened %d times, want %d", l.reopened, reopened)
	}
}

func noon() time.Time { return time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC) }

func TestAFullLogIsPutAsideAndReopened(t *testing.T) {
	t.Parallel()
	l := newLogbook(t)
	l.write("internal.log", 1<<20)
	l.write("external.log", 1<<20-1)
	if err := l.turn(noon()); err != nil {
		t.Fatal(err)
	}
	l.want(1, "external.log", "internal-20260102T120000.000.log")
}

func TestNothingIsDoneForLogsThatAreSmallOrNotThere(t *testing.T) {
	t.Parallel()
	l := newLogbook(t)
	l.write("internal.log", 10)
	if err := l.turn(noon()); err != nil {
		t.Fatal(err)
	}
	l.want(0, "internal.log")
}

// Envoy writes on into the file that was put aside until it is told, so it must be told when it comes back.
func TestALogIsReopenedLaterWhenEnvoyIsAway(t *testing.T) {
	t.Parallel()
	l := newLogbook(t)
	l.write("internal.log", 1<<20)
	l.away = true
	if err := l.turn(noon()); err == nil {
		t.Error("that Envoy is away was passed over")
	}
	l.away = false
	if err := l.turn(noon().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	l.want(1, "internal-20260102T120000.000.log")
}

func TestOnlySoManyAndSoOldLogsAreKept(t *testing.T) {
	t.Parallel()
	l := newLogbook(t)
	l.write("internal.log", 0)
	for _, name := range []string{
		"internal-20260102T100000.000.log", "internal-20260102T090000.000.log", "internal-20260102T080000.000.log", // one too many
		"external-20251201T120000.000.log",                                // too old
		"internal-notes.log", "internal-20260102T070000.000.txt", "other", // somebody else's
	} {
		l.write(name, 1)
	}
	if err := l.turn(noon()); err != nil {
		t.Fatal(err)
	}
	// external.log is not there, and something was put aside from it.
	l.want(1, "internal-20260102T070000.000.txt", "internal-20260102T090000.000.log", "internal-20260102T100000.000.log",
		"internal-notes.log", "internal.log", "other")
}
