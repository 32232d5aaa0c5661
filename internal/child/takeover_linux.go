package child

import (
	"errors"
	"os"
	"slices"
)

// takeOver finds the running process of an earlier parent. One that runs something else than what is wanted now is stopped
// first. It returns nil when a new one has to be started.
func (c *Child) takeOver() (*process, error) {
	p, r, err := find(c.cfg.PIDFile)
	switch {
	case errors.Is(err, errRecord): // a machine that lost its power may leave an empty file
		c.cfg.Logger.Warn("pid file is ignored", "child", c.cfg.Name, "error", err)
	case err != nil:
		return nil, err
	}
	current := r.Digest == c.cfg.digest()
	if p == nil {
		if p, current, err = c.orphan(); p == nil || err != nil {
			return nil, err
		}
		r.StopSignal = c.cfg.StopSignal
	}
	if current {
		if err := c.cfg.writeRecord(p.pid); err != nil { // anew, since it may have been found without one
			p.release()
			return nil, err
		}
		p.taken = true
		return p, nil
	}
	defer p.release()
	c.cfg.Logger.Info("child runs with another configuration, is restarted", "child", c.cfg.Name, "pid", p.pid)
	return nil, p.stop(r.StopSignal, c.cfg.StopGrace)
}

// orphan looks for a process whose parent was killed between starting it and writing the pid file. It leads a session, as
// ours do, runs the command, and writes into the log file, which no other child does. Current says whether it also has
// the environment and the folder that are wanted now.
func (c *Child) orphan() (p *process, current bool, err error) {
	all, err := pids()
	if err != nil {
		return nil, false, err
	}
	isOurs := func(pid int) bool {
		s, err := readStat(pid)
		if err != nil || s.session != pid || s.dead() || !slices.Equal(procStrings(pid, "cmdline"), c.cfg.command()) {
			return false
		}
		return sameFile(proc(pid, "fd/1"), c.cfg.Log.File)
	}
	for _, pid := range all {
		if !isOurs(pid) {
			continue
		}
		p, err := watch(pid)
		if err != nil {
			continue // it has just ended
		}
		if !isOurs(pid) { // looked at again now that it is held
			p.release()
			continue
		}
		current := slices.Equal(procStrings(pid, "environ"), c.cfg.Env) &&
			(c.cfg.Dir == "" || sameFile(proc(pid, "cwd"), c.cfg.Dir))
		return p, current, nil
	}
	return nil, false, nil
}

// sameFile says whether two paths lead to the same file; not if one of them cannot be followed.
func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}
