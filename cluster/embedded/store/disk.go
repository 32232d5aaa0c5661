package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// writeFile replaces path with data so that after a crash either the old or the new content is there, mode 0600.
func writeFile(path string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if _, err = f.Write(data); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes renames inside dir survive power loss.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// exists tells whether anything, even a dangling link, has this name.
func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// plainPath refuses what the file names in SQLite's and gRPC's URIs cannot carry.
func plainPath(path string) error {
	if i := strings.IndexAny(path, "?#%"); i >= 0 {
		return fmt.Errorf("path %s contains %q, which cannot stand in a database's file name; choose another folder", path, path[i])
	}
	return nil
}

// makeWritable creates dir with mode 0700 if need be and proves that files can be made in it.
func makeWritable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("create folder %s: %w; choose another data home or fix its owner and mode", dir, err)
	}
	probe, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("folder %s is not writable for user %d: %w; fix its owner and mode, or choose another data home", dir, os.Getuid(), err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// hold takes the exclusive lock file at path without waiting. The lock ends with release or with the process, however
// that ends. The file stays: removing it would let two processes hold two files of one name.
func hold(path string) (release func() error, err error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			holder := holderOf(f)
			return nil, errors.Join(mark(ErrInUse, fmt.Errorf("%s is held by another running process%s; wait until it ends, or stop it", path, holder)), f.Close())
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		// A restore may have moved the folder away between open and lock: then this lock is on the old one.
		mine, err1 := f.Stat()
		there, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(mine, there) {
			return f.Close, writeHolder(f)
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}

func writeHolder(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// holderOf returns " (pid N)" when the holder has written its number.
func holderOf(f *os.File) string {
	buf := make([]byte, 16)
	n, _ := f.ReadAt(buf, 0) // io.EOF at the end of a short file is the normal case
	if pid, err := strconv.Atoi(strings.TrimSpace(string(buf[:n]))); err == nil && pid > 0 {
		return fmt.Sprintf(" (pid %d)", pid)
	}
	return ""
}
