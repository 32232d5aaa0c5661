package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// rotateEvery is how often access logs are looked at: they can grow beyond their limit by what Envoy writes in between.
const rotateEvery = 10 * time.Second

// A Rotation keeps access logs in bounded space. A file that is full is put aside with the time in its name, and Envoy is asked to open a
// new one; no line is lost.
type Rotation struct {
	Files      []string // absolute paths
	MaxSizeMB  int      // a file of this size is full; default 100
	MaxFiles   int      // how many full files of each are kept; default 5
	MaxAgeDays int      // full files older than this are deleted; 0: age does not matter
}

func (r Rotation) check() error {
	for _, file := range r.Files {
		if !filepath.IsAbs(file) {
			return fmt.Errorf("access log %q: give an absolute path", file)
		}
	}
	if r.MaxSizeMB < 0 || r.MaxFiles < 0 || r.MaxAgeDays < 0 {
		return errors.New("rotation of access logs: give positive numbers")
	}
	return nil
}

// keep looks after the files until ctx ends.
func (r Rotation) keep(ctx context.Context, admin *Admin, log *slog.Logger) {
	if len(r.Files) == 0 {
		return
	}
	tick := time.NewTicker(rotateEvery)
	defer tick.Stop()
	reported := false
	for {
		err := r.turn(ctx, time.Now(), admin.ReopenLogs)
		if err != nil && !reported && ctx.Err() == nil {
			log.ErrorContext(ctx, "access logs cannot be rotated", "error", err)
		}
		reported = err != nil
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// turn puts full files aside, lets Envoy open new ones, and deletes the oldest.
func (r Rotation) turn(ctx context.Context, now time.Time, reopen func(context.Context) error) error {
	limit := int64(cmp.Or(r.MaxSizeMB, 100)) << 20
	var failures error
	moved := false
	for _, file := range r.Files {
		info, err := os.Stat(file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			// Either no listener writes it yet, or it was put aside and Envoy was not reached then.
			aside, err := r.aside(file)
			failures = errors.Join(failures, err)
			moved = moved || len(aside) > 0
		case err != nil:
			failures = errors.Join(failures, err)
		case info.Size() >= limit:
			failures = errors.Join(failures, os.Rename(file, asideName(file, now)))
			moved = true
		}
	}
	if moved {
		failures = errors.Join(failures, reopen(ctx))
	}
	for _, file := range r.Files {
		aside, err := r.aside(file)
		failures = errors.Join(failures, err, remove(r.outdated(file, aside, now)...))
	}
	return failures
}

// asideLayout is the time in the name of a file that was put aside, in UTC. Names so sort by time.
const asideLayout = "20060102T150405.000"

// asideName is where a full file goes: internal-20260102T150405.000.log for internal.log.
func asideName(file string, now time.Time) string {
	ext := filepath.Ext(file)
	return strings.TrimSuffix(file, ext) + "-" + now.UTC().Format(asideLayout) + ext
}

// asideTime is when a file was put aside; false if the name is not that of one which was put aside from file.
func asideTime(file, name string) (time.Time, bool) {
	ext := filepath.Ext(file)
	text, found := strings.CutPrefix(name, strings.TrimSuffix(file, ext)+"-")
	text, isLog := strings.CutSuffix(text, ext)
	if !found || !isLog {
		return time.Time{}, false
	}
	t, err := time.Parse(asideLayout, text)
	return t, err == nil
}

// aside lists what was put aside from a file.
func (r Rotation) aside(file string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []string
	for _, e := range entries {
		name := filepath.Join(filepath.Dir(file), e.Name())
		if _, ok := asideTime(file, name); ok {
			all = append(all, name)
		}
	}
	return all, nil
}

// outdated are those of the files put aside that are too many or too old.
func (r Rotation) outdated(file string, aside []string, now time.Time) []string {
	aside = slices.Sorted(slices.Values(aside))
	many := max(len(aside)-cmp.Or(r.MaxFiles, 5), 0)
	out := aside[:many]
	for _, name := range aside[many:] {
		at, ok := asideTime(file, name)
		if ok && r.MaxAgeDays > 0 && now.Sub(at) > time.Duration(r.MaxAgeDays)*24*time.Hour {
			out = append(out, name)
		}
	}
	return out
}
