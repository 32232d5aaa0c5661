package child

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A stat is what /proc/PID/stat says of a process, as far as it matters here.
type stat struct {
	state   byte
	group   int
	session int
	// start is when it started, in clock ticks since boot. Together with the boot and the pid it names one process for
	// ever, since a pid is given anew only after many others.
	start uint64
}

// dead: it has ended, and only its number is left.
func (s stat) dead() bool { return s.state == 'Z' || s.state == 'X' }

// parseStat reads /proc/PID/stat (proc_pid_stat(5)). The second field is the program's name in parentheses, which itself
// may contain anything, so fields are counted from the last parenthesis.
func parseStat(text []byte) (stat, error) {
	end := bytes.LastIndexByte(text, ')')
	if end < 0 {
		return stat{}, errors.New("no program name in parentheses")
	}
	fields := bytes.Fields(text[end+1:]) // the first one is field 3
	if len(fields) < 20 || len(fields[0]) != 1 {
		return stat{}, fmt.Errorf("%d fields after the program name, want at least 20", len(fields))
	}
	group, err1 := strconv.Atoi(string(fields[5-3]))
	session, err2 := strconv.Atoi(string(fields[6-3]))
	start, err3 := strconv.ParseUint(string(fields[22-3]), 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return stat{}, err
	}
	return stat{state: fields[0][0], group: group, session: session, start: start}, nil
}

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(proc(pid, "stat"))
	if err != nil {
		return stat{}, err
	}
	s, err := parseStat(text)
	if err != nil {
		return stat{}, fmt.Errorf("%s: %w", proc(pid, "stat"), err)
	}
	return s, nil
}

// pids returns all processes that can be seen.
func pids() ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var all []int
	for _, e := range entries {
		if pid, err := strconv.Atoi(e.Name()); err == nil {
			all = append(all, pid)
		}
	}
	return all, nil
}

// groupLives says whether a process group has a member that has not ended.
func groupLives(group int) (bool, error) {
	all, err := pids()
	return slices.ContainsFunc(all, func(pid int) bool {
		s, err := readStat(pid)
		return err == nil && s.group == group && !s.dead()
	}), err
}

// bootID names the time since the machine was started.
func bootID() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(text)), err
}

// runs says whether the process runs the command: by its argument vector, or, since a program may rewrite that, by the
// file that it executes.
func runs(pid int, command []string) bool {
	if slices.Equal(procStrings(pid, "cmdline"), command) {
		return true
	}
	exe, err := os.Readlink(proc(pid, "exe"))
	if err != nil {
		return false // not ours to look at
	}
	want, err := filepath.EvalSymlinks(command[0])
	if err != nil {
		want = command[0] // it was deleted or replaced
	}
	return strings.TrimSuffix(exe, " (deleted)") == want
}

// procStrings reads a file of strings that each end in a zero byte; nil if it cannot be read.
func procStrings(pid int, name string) []string {
	text, err := os.ReadFile(proc(pid, name))
	if err != nil || len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}

func proc(pid int, name string) string {
	return "/proc/" + strconv.Itoa(pid) + "/" + name
}
