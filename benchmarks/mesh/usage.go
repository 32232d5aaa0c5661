package main

import (
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// ownCPU is the CPU time of this process so far.
func ownCPU() (time.Duration, error) {
	d, err := clock(unix.CLOCK_PROCESS_CPUTIME_ID)
	if err != nil {
		return 0, fmt.Errorf("read this program's CPU time: %w", err)
	}
	return d, nil
}

// onThread runs work and returns the CPU time that its thread took.
func onThread(work func()) (time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before, err := clock(unix.CLOCK_THREAD_CPUTIME_ID)
	if err != nil {
		return 0, err
	}
	work()
	after, err := clock(unix.CLOCK_THREAD_CPUTIME_ID)
	return after - before, err
}

// monotonic is a time that all processes of the machine share.
func monotonic() (time.Duration, error) { return clock(unix.CLOCK_MONOTONIC) }

func clock(id int32) (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		return 0, err
	}
	return time.Duration(t.Nano()), nil
}
