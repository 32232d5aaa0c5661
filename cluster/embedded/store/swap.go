package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// A stepper does one step of a restore that a crash may precede or follow. Tests use one that stops there.
type stepper func(name string, act func() error) error

// plainly is the stepper of every real run.
func plainly(_ string, act func() error) error { return act() }

// errCrash is what a test's stepper returns for the death of the process: nothing may be cleaned up after it.
var errCrash = errors.New("crash")

// journal says that the files are being swapped. It is written before the first move, after which there is no way back:
// whoever finds it moves on until the new state is whole.
type journal struct {
	Before string `json:"before"` // name in the data home of the folder for what is replaced
}

// apply does Apply's work under the lock.
func apply(home Home, now time.Time, do stepper) (*Applied, error) {
	if err := finish(home, do); err != nil {
		return nil, err
	}
	m, err := readStaged(home)
	if m == nil || err != nil {
		return nil, err
	}
	release, err := holdStore(home)
	if err != nil {
		return nil, err
	}
	j, err := begin(home, now, do)
	if err == nil {
		err = swap(home, *m, j, do)
	}
	if err := errors.Join(err, release()); err != nil {
		return nil, err
	}
	return &Applied{Manifest: *m, Before: filepath.Join(home.Dir, j.Before)}, nil
}

// holdStore keeps servers out while files move. A home without a store has nothing to keep them from.
func holdStore(home Home) (release func() error, err error) {
	release, err = hold(home.at(home.Store + "/" + lockFile))
	if errors.Is(err, fs.ErrNotExist) {
		return func() error { return nil }, nil
	}
	return release, err
}

// begin chooses a new folder for the old files and commits to the swap.
func begin(home Home, now time.Time, do stepper) (journal, error) {
	folder, err := vacant(filepath.Join(home.Dir, beforePrefix+now.UTC().Format(beforeTimeForm)))
	if err != nil {
		return journal{}, err
	}
	j := journal{Before: filepath.Base(folder)}
	raw, err := json.Marshal(j)
	if err != nil {
		return journal{}, err
	}
	if err := do("make room for the old files", func() error { return os.Mkdir(folder, 0o700) }); err != nil {
		return journal{}, err
	}
	path := filepath.Join(home.Dir, stagedDir, journalName)
	if err := do("commit", func() error { return writeFile(path, raw) }); err != nil {
		return journal{}, err
	}
	return j, nil
}

// swap moves each old root away and each new one in. Every step may already have been done by a run that died.
func swap(home Home, m Manifest, j journal, do stepper) error {
	roots := append([]Root{{Path: home.Store, Present: true}}, m.Roots...)
	for _, root := range roots {
		if err := swapRoot(home, root, j, do); err != nil {
			return fmt.Errorf("put %s in place: %w", home.at(root.Path), err)
		}
	}
	return do("forget", func() error { return discard(filepath.Join(home.Dir, stagedDir)) })
}

func swapRoot(home Home, root Root, j journal, do stepper) error {
	staged := filepath.Join(home.Dir, stagedDir, contentDir, filepath.FromSlash(root.Path))
	before := filepath.Join(home.Dir, j.Before, filepath.FromSlash(root.Path))
	waits, err := exists(staged)
	if err != nil {
		return err
	}
	if root.Present && !waits {
		return nil // done by an earlier run
	}
	there, err := exists(home.at(root.Path))
	if err != nil {
		return err
	}
	if there {
		if before, err = vacant(before); err != nil {
			return err
		}
		if err := do("keep "+root.Path, func() error { return move(home.at(root.Path), before) }); err != nil {
			return err
		}
	}
	if !root.Present {
		return nil
	}
	return do("place "+root.Path, func() error { return move(staged, home.at(root.Path)) })
}

// vacant returns path, or path-2 and so on if something has that name.
func vacant(path string) (string, error) {
	name := path
	for n := 2; ; n++ {
		taken, err := exists(name)
		if err != nil || !taken {
			return name, err
		}
		name = path + "-" + strconv.Itoa(n)
	}
}

// move renames durably. Both folders are synced, so that a later step is never on disk before this one.
func move(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return errors.Join(syncDir(filepath.Dir(to)), syncDir(filepath.Dir(from)))
}

// finish completes a swap that had begun and removes what was never staged whole.
func finish(home Home, do stepper) error {
	raw, err := os.ReadFile(filepath.Join(home.Dir, stagedDir, journalName))
	if errors.Is(err, fs.ErrNotExist) {
		return do("clean", func() error { return removeUnstaged(home) })
	}
	if err != nil {
		return fmt.Errorf("read the journal of a restore: %w", err)
	}
	var j journal
	if err := json.Unmarshal(raw, &j); err != nil {
		return fmt.Errorf("journal %s of a restore: %w", filepath.Join(home.Dir, stagedDir, journalName), err)
	}
	if err := checkName(j.Before); err != nil {
		return fmt.Errorf("journal of a restore: folder %q: %w", j.Before, err)
	}
	m, err := readStaged(home)
	if err != nil {
		return err
	}
	if m == nil {
		return fmt.Errorf("staged restore %s has lost its manifest; what was there before is in %s",
			filepath.Join(home.Dir, stagedDir), filepath.Join(home.Dir, j.Before))
	}
	release, err := holdStore(home)
	if err != nil {
		return err
	}
	err = swap(home, *m, j, do)
	return errors.Join(err, release(), removeUnstaged(home))
}

// removeUnstaged removes every restore folder that is not the staged one. The caller holds the lock, so nobody uses them.
func removeUnstaged(home Home) error {
	folders, err := filepath.Glob(filepath.Join(home.Dir, unpackPrefix+"*"))
	for _, folder := range folders {
		err = errors.Join(err, os.RemoveAll(folder))
	}
	return err
}

// discard removes a staged folder so that a crash leaves it whole or under a name that the next run removes.
func discard(dir string) error {
	there, err := exists(dir)
	if err != nil || !there {
		return err
	}
	grave, err := os.MkdirTemp(filepath.Dir(dir), unpackPrefix)
	if err != nil {
		return err
	}
	if err := os.Rename(dir, filepath.Join(grave, "old")); err != nil {
		return errors.Join(err, os.Remove(grave))
	}
	return errors.Join(syncDir(filepath.Dir(dir)), os.RemoveAll(grave))
}

// syncTree makes the folders below dir durable; the files in them are.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		return syncDir(path)
	})
}
