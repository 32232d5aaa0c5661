package proxy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// makePrivate makes the folder, or closes it to others if it is there. Who can write into it could stand between us and Envoy.
func makePrivate(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("private folder of Envoy: %w: give a folder that this user may make", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("private folder of Envoy: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("private folder of Envoy %s is a %s: give a folder", dir, info.Mode().Type())
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("private folder of Envoy %s belongs to user %d, and this is user %d: give a folder of one's own", dir, owner.Uid, os.Geteuid())
	}
	if info.Mode().Perm() == 0o700 {
		return nil
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return fmt.Errorf("private folder of Envoy: %w", err)
	}
	return nil
}

// forget removes what a generation has left behind. Others are those that still live, which may share some of it.
func (r record) forget(dir string, others []record) error {
	files := append(r.sockets(dir), r.bootstrapFile(dir), r.pidFile(dir))
	if !slices.ContainsFunc(others, func(o record) bool { return o.Base == r.Base }) {
		files = append(files, r.sharedMemory())
	}
	if len(others) == 0 {
		files = append(files, AdminSocket(dir), filepath.Join(dir, provenName))
	}
	return remove(files...)
}

// remove removes files, which need not be there.
func remove(files ...string) error {
	var all error
	for _, file := range files {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			all = errors.Join(all, err)
		}
	}
	return all
}
