package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Who runs where, so that neither takes the other's time: numbers among the cores that this process may use.
const (
	envoyCore  = 0
	clientCore = 1
)

// keepTo confines all threads of a process, and all that these start, to one core. On a machine with one core all share it.
func keepTo(pid, core int, cores []int) error {
	if core >= len(cores) {
		return nil
	}
	var set unix.CPUSet
	set.Set(cores[core])
	threads, err := threadsOf(pid)
	if err != nil {
		return err
	}
	for _, tid := range threads {
		if err := unix.SchedSetaffinity(tid, &set); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("keep process %d to core %d: %w", pid, cores[core], err)
		}
	}
	return nil
}

func threadsOf(pid int) ([]int, error) {
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil, fmt.Errorf("list the threads of process %d: %w", pid, err)
	}
	threads := make([]int, 0, len(entries))
	for _, e := range entries {
		tid, err := strconv.Atoi(e.Name())
		if err != nil {
			return nil, fmt.Errorf("list the threads of process %d: %w", pid, err)
		}
		threads = append(threads, tid)
	}
	return threads, nil
}

// cpu is the time that all threads of a process have run, which the kernel counts in nanoseconds.
func cpu(pid int) (time.Duration, error) {
	threads, err := threadsOf(pid)
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, tid := range threads {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/schedstat", pid, tid))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it has ended
		}
		if err != nil {
			return 0, fmt.Errorf("read the CPU time of process %d: %w", pid, err)
		}
		first, _, _ := strings.Cut(string(text), " ")
		ran, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the CPU time of process %d: %w", pid, err)
		}
		sum += time.Duration(ran)
	}
	return sum, nil
}

// envoyOf is the Envoy whose files are below a folder. It is nobody's child: it outlives who started it.
func envoyOf(folder string) (int, error) {
	commands, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	for _, path := range commands {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		program, arguments, _ := strings.Cut(string(text), "\x00")
		if filepath.Base(program) == "envoy" && strings.Contains(arguments, "\x00"+folder+"/") {
			return strconv.Atoi(filepath.Base(filepath.Dir(path)))
		}
	}
	return 0, fmt.Errorf("no Envoy has files below %s", folder)
}
