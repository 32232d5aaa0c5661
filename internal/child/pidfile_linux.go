package child

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A record is the content of a pid file: one process, so described that no other can be taken for it.
type record struct {
	PID        int            `json:"pid"`
	Start      uint64         `json:"start"` // in clock ticks since boot
	Boot       string         `json:"boot"`
	Command    []string       `json:"command"`
	Digest     string         `json:"digest"` // of the configuration that it was started with
	StopSignal syscall.Signal `json:"stopSignal"`
}

// errRecord tells that a pid file cannot be understood.
var errRecord = errors.New("describes no process")

// Alive returns the pid of the running process that the pid file describes, or 0 when it has ended or there is no such
// file. A process that was given the same pid later is not taken for it.
func Alive(pidFile string) (int, error) {
	p, _, err := find(pidFile)
	if p == nil {
		return 0, err
	}
	defer p.release()
	return p.pid, nil
}

// Stop ends the process that the pid file describes, with its group: first by the signal that its configuration named,
// after the grace time by SIGKILL. It returns nil when nobody is left, also if nobody was there.
func Stop(pidFile string, grace time.Duration) error {
	p, r, err := find(pidFile)
	if err != nil {
		return err
	}
	if p != nil {
		defer p.release()
		if err := p.stop(r.StopSignal, grace); err != nil {
			return err
		}
	}
	if err := os.Remove(pidFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// find reads a pid file and watches the process that it describes, if that runs. The caller releases it.
func find(pidFile string) (*process, record, error) {
	var r record
	text, err := os.ReadFile(pidFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, r, nil
	}
	if err != nil {
		return nil, r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, r, fmt.Errorf("pid file %s %w (%w): end the process by hand and delete the file", pidFile, errRecord, err)
	}
	if r.PID <= 1 || len(r.Command) == 0 { // -1 as a group would mean everybody
		return nil, r, fmt.Errorf("pid file %s %w: end the process by hand and delete the file", pidFile, errRecord)
	}
	p, err := r.open()
	return p, r, err
}

// open watches the recorded process; nil if it has ended.
func (r record) open() (*process, error) {
	boot, err := bootID()
	if err != nil || boot != r.Boot {
		return nil, err
	}
	p, err := watch(r.PID)
	switch {
	case errors.Is(err, unix.ESRCH), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOENT):
		return nil, nil // the last two: the number is now that of a thread
	case err != nil:
		return nil, err
	}
	// Only now that the process is held does looking at it tell about the one that is held.
	s, err := readStat(r.PID)
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH):
		err = nil
	case err == nil && s.start == r.Start && s.group == r.PID && !s.dead() && runs(r.PID, r.Command):
		return p, nil
	}
	p.release()
	return nil, err
}

// writeRecord writes the pid file for the running process, whole or not at all.
func (c Config) writeRecord(pid int) error {
	s, err := readStat(pid)
	if err != nil {
		return err
	}
	boot, err := bootID()
	if err != nil {
		return err
	}
	text, err := json.Marshal(record{
		PID: pid, Start: s.start, Boot: boot,
		Command: c.command(), Digest: c.digest(), StopSignal: c.StopSignal,
	})
	if err != nil {
		return err
	}
	next := c.PIDFile + ".new"
	if err := os.WriteFile(next, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(next, c.PIDFile)
}
