package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// crashAt returns a stepper that dies before (or, with after, right after) step number n, and a counter of steps.
func crashAt(n int, after bool) (do stepper, steps *int) {
	steps = new(int)
	return func(_ string, act func() error) error {
		*steps++
		if *steps == n && !after {
			return errCrash
		}
		if err := act(); err != nil {
			return err
		}
		if *steps == n {
			return errCrash
		}
		return nil
	}, steps
}

// era tells which of two whole states a home is in: every part of it must belong to the same.
func era(t *testing.T, home Home) string {
	t.Helper()
	eras := make(map[string]bool)
	db, err := openReadOnly(home.at(home.Store + "/" + databaseFile))
	must(t, err)
	var name string
	must(t, db.QueryRow(`SELECT name FROM kine WHERE name LIKE '/registry/era/%' ORDER BY id DESC LIMIT 1`).Scan(&name))
	must(t, db.Close())
	eras[strings.Split(name, "/")[3]] = true
	keys := home.keys(t)
	if len(keys) < 4 {
		t.Errorf("only %v is left beside the store", keys)
	}
	for _, text := range keys {
		eras[strings.Fields(text)[1]] = true
	}
	if len(eras) != 1 {
		t.Errorf("a mixture of %v: %v", eras, keys)
	}
	for e := range eras {
		return e
	}
	return ""
}

// twoEras returns a home that is all "new" and a backup of it when it was all "old".
func twoEras(t *testing.T) (home Home, archive []byte) {
	t.Helper()
	home = newHome(t)
	s := start(t, home.config(t))
	home.writeKeys(t, "old")
	_, _, err := create(t.Context(), s.client, "/registry/era/old", "x")
	must(t, err)
	var out bytes.Buffer
	_, err = Backup(t.Context(), home, &out)
	must(t, err)
	home.writeKeys(t, "new")
	_, _, err = create(t.Context(), s.client, "/registry/era/new", "x")
	must(t, err)
	must(t, s.stop())
	return home, out.Bytes()
}

// clone copies a home.
func (h Home) clone(t *testing.T) Home {
	t.Helper()
	c := h
	c.Dir = filepath.Join(t.TempDir(), "home")
	must(t, os.CopyFS(c.Dir, os.DirFS(h.Dir)))
	return c
}

func TestACrashWhileStagingChangesNothing(t *testing.T) {
	t.Parallel()
	template, archive := twoEras(t)
	for _, again := range []bool{false, true} { // again: something was staged before
		for _, after := range []bool{false, true} {
			for n := 1; ; n++ {
				home := template.clone(t)
				if again {
					_, err := Stage(t.Context(), bytes.NewReader(archive), home)
					must(t, err)
				}
				do, steps := crashAt(n, after)
				_, err := stage(t.Context(), bytes.NewReader(archive), home, do)
				if err == nil {
					if *steps < 5 || n != *steps+1 {
						t.Errorf("%d steps were tried, the last crash was at %d", *steps, n-1)
					}
					break
				}
				if !errors.Is(err, errCrash) {
					t.Fatalf("crash at %d (after: %v): %v", n, after, err)
				}
				must(t, Recover(home))
				if got := era(t, home); got != "new" {
					t.Errorf("crash at %d (after: %v): the home is %s", n, after, got)
				}
				for _, name := range home.names(t) {
					if strings.HasPrefix(name, unpackPrefix) || strings.HasPrefix(name, beforePrefix) {
						t.Errorf("crash at %d (after: %v): %s is left", n, after, name)
					}
				}
				if waiting, err := Waiting(home); err != nil { // either state of the staging is whole
					t.Errorf("crash at %d (after: %v): waiting %v, %v", n, after, waiting, err)
				}
			}
		}
	}
}

func TestACrashWhileSwappingLeavesTheOldOrTheNew(t *testing.T) {
	t.Parallel()
	template, archive := twoEras(t)
	_, err := Stage(t.Context(), bytes.NewReader(archive), template)
	must(t, err)
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	var story []string
	for _, after := range []bool{false, true} {
		for n := 1; ; n++ {
			home := template.clone(t)
			do, steps := crashAt(n, after)
			if _, err := apply(home, now, do); err == nil {
				if *steps < 8 {
					t.Errorf("only %d steps were tried", *steps)
				}
				break
			} else if !errors.Is(err, errCrash) {
				t.Fatalf("crash at %d: %v", n, err)
			}
			for k := 1; ; k++ { // and the recovery may die as well
				crashed := home.clone(t)
				redo, _ := crashAt(k, after)
				err := finish(crashed, redo)
				if err != nil && !errors.Is(err, errCrash) {
					t.Fatalf("crash at %d, then at %d: %v", n, k, err)
				}
				must(t, Recover(crashed))
				got := era(t, crashed)
				waiting, werr := Waiting(crashed)
				must(t, werr)
				if (got == "new") != (waiting != nil) { // not begun: still all new, and still staged
					t.Errorf("crash at %d, then at %d: the home is %s, waiting %v", n, k, got, waiting != nil)
				}
				if err == nil {
					story = append(story, got)
					break
				}
			}
			// Whatever happened, the restore can be finished, and what it replaced is kept.
			applied, err := Apply(home)
			must(t, err)
			if got := era(t, home); got != "old" {
				t.Errorf("crash at %d, then apply: the home is %s", n, got)
			}
			before := Home{Dir: filepath.Join(home.Dir, beforePrefix+now.Format(beforeTimeForm)), Store: home.Store, Paths: home.Paths}
			if applied != nil {
				before.Dir = applied.Before
			}
			if got := era(t, before); got != "new" {
				t.Errorf("crash at %d, then apply: %s keeps %s", n, before.Dir, got)
			}
		}
	}
	if !slices.Contains(story, "new") || !slices.Contains(story, "old") {
		t.Errorf("the crashes did not reach both sides of the point of no return: %v", story)
	}
}

func TestAServerThatStartedInBetweenLosesNothing(t *testing.T) {
	t.Parallel()
	home, archive := twoEras(t)
	_, err := Stage(t.Context(), bytes.NewReader(archive), home)
	must(t, err)
	do := func(name string, act func() error) error {
		if name == "place "+home.Store { // the old store is away, the new one not yet there
			return errCrash
		}
		return act()
	}
	if _, err := apply(home, time.Now(), do); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	s := start(t, home.config(t)) // somebody starts without Recover: an empty store is made
	fill(t, s.client, "between", 1)
	must(t, s.stop())
	must(t, Recover(home))
	if got := era(t, home); got != "old" {
		t.Errorf("the home is %s", got)
	}
	kept, err := filepath.Glob(filepath.Join(home.Dir, beforePrefix+"*", "var", "store*", databaseFile))
	must(t, err)
	if len(kept) != 2 {
		t.Errorf("kept databases: %v, want the first and the one made in between", kept)
	}
}

func TestTwoRestoresInOneSecondKeepBoth(t *testing.T) {
	t.Parallel()
	home, archive := twoEras(t)
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	var got []string
	for range 2 {
		_, err := Stage(t.Context(), bytes.NewReader(archive), home)
		must(t, err)
		applied, err := apply(home, now, plainly)
		must(t, err)
		got = append(got, filepath.Base(applied.Before))
	}
	want := []string{"before-restore-20260304T050607Z", "before-restore-20260304T050607Z-2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("folders (-want +got):\n%s", diff)
	}
}

func TestASpoiledStagedRestoreIsNamed(t *testing.T) {
	t.Parallel()
	home, archive := twoEras(t)
	staged, err := Stage(t.Context(), bytes.NewReader(archive), home)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(staged.Dir, manifestName), []byte("{"), 0o600))
	if _, err := Apply(home); err == nil || !strings.Contains(err.Error(), staged.Dir) {
		t.Errorf("error %v, want one that names %s", err, staged.Dir)
	}
	if got := era(t, home); got != "new" {
		t.Errorf("the home is %s", got)
	}
}
