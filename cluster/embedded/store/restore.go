package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Names in the data home that belong to restores.
const (
	stagedDir      = "restore-staged"   // a verified restore that waits for Apply
	unpackPrefix   = "restore-staged."  // one that is being unpacked or removed
	beforePrefix   = "before-restore-"  // what a restore replaced, with its UTC time
	restoreLock    = "restore.lock"     // held by whoever stages or applies
	contentDir     = "content"          // in stagedDir: the new files, laid out like the data home
	journalName    = "journal.json"     // in stagedDir: Apply has begun and must be finished
	beforeTimeForm = "20060102T150405Z" // UTC
)

// Staged is a verified restore that waits for Apply.
type Staged struct {
	Manifest Manifest
	Dir      string // where it waits
}

// Stage verifies a whole backup and lays it beside what is there, which stays untouched: a server may run meanwhile.
// It replaces what was staged before. Apply puts it in place.
func Stage(ctx context.Context, archive io.Reader, home Home) (*Staged, error) {
	home, release, err := openRestores(home)
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	staged, err := stage(ctx, archive, home, plainly)
	if err := errors.Join(err, release()); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	return staged, nil
}

// openRestores checks home, makes it, and takes the lock for one restore at a time.
func openRestores(home Home) (Home, func() error, error) {
	home, err := home.check()
	if err != nil {
		return Home{}, nil, err
	}
	if err := os.MkdirAll(home.Dir, 0o700); err != nil {
		return Home{}, nil, fmt.Errorf("create the data home: %w", err)
	}
	release, err := hold(filepath.Join(home.Dir, restoreLock))
	return home, release, err
}

// stage does Stage's work under the lock.
func stage(ctx context.Context, archive io.Reader, home Home, do stepper) (_ *Staged, err error) {
	if err := finish(home, do); err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp(home.Dir, unpackPrefix) // mode 0700
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && !errors.Is(err, errCrash) {
			err = errors.Join(err, os.RemoveAll(scratch))
		}
	}()
	content := filepath.Join(scratch, contentDir)
	if err := do("unpack", func() error { return os.Mkdir(content, 0o700) }); err != nil {
		return nil, err
	}
	m, err := unpack(ctx, archive, home, content)
	if err == nil {
		err = verifyMarker(filepath.Join(content, filepath.FromSlash(home.Store)), m)
	}
	if err == nil {
		err = verifyStore(ctx, filepath.Join(content, filepath.FromSlash(home.Store)))
	}
	if err != nil {
		return nil, mark(ErrArchive, fmt.Errorf("the backup is not usable: %w", err))
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	if err := do("write manifest", func() error { return writeFile(filepath.Join(scratch, manifestName), raw) }); err != nil {
		return nil, err
	}
	if err := do("sync", func() error { return syncTree(scratch) }); err != nil {
		return nil, err
	}
	target := filepath.Join(home.Dir, stagedDir)
	if err := do("drop what was staged", func() error { return discard(target) }); err != nil {
		return nil, err
	}
	if err := do("stage", func() error { return move(scratch, target) }); err != nil {
		return nil, err
	}
	return &Staged{Manifest: m, Dir: target}, nil
}

// Applied tells what Apply did.
type Applied struct {
	Manifest Manifest // of what is in place now
	Before   string   // folder that keeps what was there; it may be removed by hand
}

// Apply puts a staged restore in place and keeps what was there before; nil without an error means that nothing was
// staged. It needs the store to itself: `entente start` calls it before it opens the store, `entente restore` when no
// server runs. Once it has begun, a crash at any point is finished by the next Apply, Recover or Stage.
func Apply(home Home) (*Applied, error) {
	home, release, err := openRestores(home)
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	applied, err := apply(home, time.Now(), plainly)
	if err := errors.Join(err, release()); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	return applied, nil
}

// Recover brings the data home into one whole state after a crash during a restore: an Apply that had begun is finished,
// a half-unpacked backup is removed. A restore that is staged and waits stays. Call it before the store is opened, unless
// Apply is called there.
func Recover(home Home) error {
	home, release, err := openRestores(home)
	if err != nil {
		return fmt.Errorf("recover a restore: %w", err)
	}
	err = finish(home, plainly)
	if err := errors.Join(err, release()); err != nil {
		return fmt.Errorf("recover a restore: %w", err)
	}
	return nil
}

// Waiting returns the manifest of a staged restore, nil when there is none.
func Waiting(home Home) (*Manifest, error) {
	home, err := home.check()
	if err != nil {
		return nil, err
	}
	return readStaged(home)
}

func readStaged(home Home) (*Manifest, error) {
	raw, err := os.ReadFile(filepath.Join(home.Dir, stagedDir, manifestName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the staged restore: %w", err)
	}
	m, err := parseManifest(raw, home.Paths)
	if err != nil {
		return nil, fmt.Errorf("staged restore %s: %w; remove that folder", filepath.Join(home.Dir, stagedDir), err)
	}
	return &m, nil
}
