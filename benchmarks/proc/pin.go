package proc

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pinnedEnv tells a program that it has been put on its core already.
const pinnedEnv = "ENTENTE_BENCH_PINNED"

// ErrOneCore is returned where there is no second core for the other side of a measurement.
var ErrOneCore = errors.New("this process may use one core only, so the two sides of a measurement would share it")

// Pin puts this process on one of the cores that it may use, counted from 0. It starts the program anew on it, so that every thread is there
// from the first on and the Go runtime sees a machine with one core. It must be called first in main; after that it returns nil.
func Pin(core int) error {
	if os.Getenv(pinnedEnv) == strconv.Itoa(core) {
		return nil
	}
	cores, err := Cores()
	if err != nil {
		return err
	}
	if core >= len(cores) {
		return fmt.Errorf("run on core %d of %d: %w", core, len(cores), ErrOneCore)
	}
	var one unix.CPUSet
	one.Set(cores[core])
	runtime.LockOSThread() // the thread's affinity becomes that of the program that it is replaced by (execve(2), sched_setaffinity(2))
	defer runtime.UnlockOSThread()
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("run on core %d: %w", cores[core], err)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("run on core %d: %w", cores[core], err)
	}
	env := append(os.Environ(), pinnedEnv+"="+strconv.Itoa(core))
	return fmt.Errorf("run on core %d: %w", cores[core], syscall.Exec(self, os.Args, env)) //nolint:gosec // ourselves, with our own arguments
}

// Cores are the numbers of the cores that this process may use.
func Cores() ([]int, error) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return nil, fmt.Errorf("ask which cores there are: %w", err)
	}
	var cores []int
	for i := range len(all) * 64 {
		if all.IsSet(i) {
			cores = append(cores, i)
		}
	}
	return cores, nil
}

// OwnCPU is the CPU time that this process has used.
func OwnCPU() (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &t); err != nil {
		return 0, fmt.Errorf("read the CPU clock of this process: %w", err)
	}
	return time.Duration(t.Nano()), nil
}
