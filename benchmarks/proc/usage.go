package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Usage is what processes cost: memory now, CPU time since each of them started.
type Usage struct {
	Resident  int64 // bytes in memory, those of mapped files (such as the program itself) included
	Anonymous int64 // bytes in memory that no file stands behind: heap and stacks
	CPU       time.Duration
}

// Plus returns the sum of two usages.
func (u Usage) Plus(v Usage) Usage {
	return Usage{Resident: u.Resident + v.Resident, Anonymous: u.Anonymous + v.Anonymous, CPU: u.CPU + v.CPU}
}

// Used returns what the processes and all that they have started use together. A descendant that ends meanwhile is left out.
func Used(pids ...int) (Usage, error) {
	all, err := descendants(pids)
	if err != nil {
		return Usage{}, err
	}
	var sum Usage
	for i, pid := range all {
		u, err := usedBy(pid)
		if i >= len(pids) && gone(err) {
			continue
		}
		if err != nil {
			return Usage{}, fmt.Errorf("read what process %d uses: %w", pid, err)
		}
		sum = sum.Plus(u)
	}
	return sum, nil
}

func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.EINVAL)
}

func usedBy(pid int) (Usage, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return Usage{}, err
	}
	resident, err := rollup(string(text), "Rss")
	if err != nil {
		return Usage{}, err
	}
	anonymous, err := rollup(string(text), "Anonymous")
	if err != nil {
		return Usage{}, err
	}
	cpu, err := cpuTime(pid)
	return Usage{Resident: resident, Anonymous: anonymous, CPU: cpu}, err
}

// cpuTime reads the CPU clock of another process: nanoseconds, where /proc/PID/stat counts in hundredths of a second. The clock's id
// is made of the process's as clock_getcpuclockid(3) does it.
func cpuTime(pid int) (time.Duration, error) {
	const schedulerClock = 2 // CPUCLOCK_SCHED of the kernel's posix-timers.h
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|schedulerClock), &t); err != nil {
		return 0, err
	}
	return time.Duration(t.Nano()), nil
}

// rollup reads one field of smaps_rollup, such as "Rss:  313940 kB", as bytes.
func rollup(text, field string) (int64, error) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 3 && words[0] == field+":" && words[2] == "kB" {
			kb, err := strconv.ParseInt(words[1], 10, 64)
			return kb * 1024, err
		}
	}
	return 0, fmt.Errorf("smaps_rollup has no line %s", field)
}

// descendants returns the given processes followed by all that descend from them.
func descendants(pids []int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	children := make(map[int][]int)
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		pid, parent, err := family(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		children[parent] = append(children[parent], pid)
	}
	all := append([]int(nil), pids...)
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all, nil
}

// family reads a process's id and its parent's from /proc/PID/stat: "7 (name) S 1 …", where the name may hold anything, spaces and
// parentheses too.
func family(stat string) (pid, parent int, err error) {
	open, end := strings.Index(stat, " ("), strings.LastIndex(stat, ") ")
	if open < 0 || end < open {
		return 0, 0, fmt.Errorf("%.40q is no stat line", stat)
	}
	after := strings.Fields(stat[end+2:])
	if len(after) < 2 {
		return 0, 0, fmt.Errorf("%.40q is no stat line", stat)
	}
	if pid, err = strconv.Atoi(stat[:open]); err != nil {
		return 0, 0, err
	}
	parent, err = strconv.Atoi(after[1])
	return pid, parent, err
}
