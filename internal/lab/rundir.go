package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// runPrefix marks the folders of labs.
	runPrefix = "entente-lab-"
	// lockName is the file in a lab's folder that the caller and the holder keep locked: a folder without a holder of the
	// lock is what a killed lab left.
	lockName = ".lock"
	// longestSocket is the room that a node's folder leaves for the name of a socket in it, with the slash.
	longestSocket = 33
	// longestPath is how long the path of a unix socket may be (sun_path without its final zero byte).
	longestPath = 107
)

// runDir is a lab's folder.
type runDir struct {
	path string
	lock *os.File // Passed on to the holder, so that the lock lasts as long as either of the two processes.
}

// newRunDir makes a lab's folder in parent, with one inside for each node, after removing what killed labs left there.
func newRunDir(parent string, nodes []string) (*runDir, error) {
	if parent == "" {
		parent = os.TempDir()
	}
	parent, err := filepath.Abs(parent)
	if err != nil {
		return nil, err
	}
	sweep(parent)
	path, err := os.MkdirTemp(parent, runPrefix)
	if err != nil {
		return nil, fmt.Errorf("make the run folder: %w", err)
	}
	r := &runDir{path: path}
	if err := r.fill(nodes); err != nil {
		return nil, errors.Join(err, r.remove())
	}
	return r, nil
}

// fill locks the folder and makes those of the nodes.
func (r *runDir) fill(nodes []string) error {
	for _, name := range nodes {
		if n := len(r.node(name)) + longestSocket; n > longestPath {
			return fmt.Errorf("run folder %s: sockets of node %s would have paths of %d bytes, at most %d work: choose a shorter run folder or node name", r.path, name, n, longestPath)
		}
	}
	// Lock first and give the name after, so that nobody finds the lock free.
	lock, err := os.OpenFile(filepath.Join(r.path, lockName+".new"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	r.lock = lock
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("lock run folder %s: %w", r.path, err)
	}
	if err := os.Rename(lock.Name(), filepath.Join(r.path, lockName)); err != nil {
		return err
	}
	for _, name := range nodes {
		if err := os.Mkdir(r.node(name), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// node is the folder of the node of that name.
func (r *runDir) node(name string) string { return filepath.Join(r.path, name) }

// remove takes the folder away and gives up the lock.
func (r *runDir) remove() error {
	err := os.RemoveAll(r.path)
	if r.lock != nil {
		r.lock.Close()
	}
	return err
}

// sweep removes what killed labs of this user left in parent. It is a courtesy: what cannot be read or removed stays.
func sweep(parent string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), runPrefix) {
			sweepOne(filepath.Join(parent, e.Name()))
		}
	}
}

func sweepOne(path string) {
	at, err := os.Lstat(path)
	if err != nil {
		return
	}
	if stat, ok := at.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != os.Geteuid() {
		return
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return
	}
	defer lock.Close()
	if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		_ = os.RemoveAll(path) // A courtesy: the next start tries again.
	}
}
