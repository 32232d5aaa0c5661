package proc

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Machine is what a reader must know of where the figures come from.
type Machine struct {
	CPU        string
	Cores      int
	Memory     int64 // bytes
	Kernel     string
	Filesystem string // of the folder that the measured programs write to
}

// Describe reads the machine's description; dir is where the measured programs will write.
func Describe(dir string) (Machine, error) {
	m := Machine{Cores: runtime.NumCPU(), CPU: runtime.GOARCH}
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return m, fmt.Errorf("describe the machine: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return m, fmt.Errorf("describe the machine: %w", err)
	}
	m.Kernel = unix.ByteSliceToString(name.Release[:])
	var system unix.Sysinfo_t
	if err := unix.Sysinfo(&system); err != nil {
		return m, fmt.Errorf("describe the machine: %w", err)
	}
	m.Memory = int64(system.Totalram) * int64(system.Unit)
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return m, fmt.Errorf("describe the file system of %s: %w", dir, err)
	}
	m.Filesystem = filesystem(int64(disk.Type))
	return m, nil
}

// filesystem names the common ones; statfs(2) has the numbers.
func filesystem(magic int64) string {
	switch magic {
	case unix.EXT4_SUPER_MAGIC:
		return "ext4"
	case unix.XFS_SUPER_MAGIC:
		return "xfs"
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs"
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlay"
	case unix.TMPFS_MAGIC:
		return "tmpfs (in memory: a sync costs nothing here)"
	}
	return "type 0x" + strconv.FormatInt(magic, 16)
}

// Times are CPU times since the machine started.
type Times struct {
	Busy time.Duration // all programs, the kernel, and what the host of a virtual machine took away
	All  time.Duration // Busy and idle
	Own  time.Duration // this program and those of its descendants that have ended and were waited for
}

// Now reads the times.
func Now() (Times, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return Times{}, fmt.Errorf("read the machine's CPU times: %w", err)
	}
	t, err := times(string(text))
	if err != nil {
		return Times{}, err
	}
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var usage unix.Rusage
		if err := unix.Getrusage(who, &usage); err != nil {
			return Times{}, fmt.Errorf("read the CPU time of this program: %w", err)
		}
		t.Own += time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	}
	return t, nil
}

// times reads the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal (and guest, which user contains).
func times(stat string) (Times, error) {
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every architecture that Go knows
	line, _, _ := strings.Cut(stat, "\n")
	words := strings.Fields(line)
	if len(words) < 9 || words[0] != "cpu" {
		return Times{}, fmt.Errorf("%.40q is no cpu line of /proc/stat", line)
	}
	var t Times
	for i, word := range words[1:9] {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return Times{}, fmt.Errorf("read /proc/stat: %w", err)
		}
		t.All += time.Duration(n) * tick
		if i != 3 && i != 4 { // idle, and idle while waiting for a disk
			t.Busy += time.Duration(n) * tick
		}
	}
	return t, nil
}

// Others returns which share of the machine's CPU time something else than this program used between two readings, from 0 to 1.
func Others(before, after Times) float64 {
	all := after.All - before.All
	if all <= 0 {
		return 0
	}
	others := (after.Busy - before.Busy) - (after.Own - before.Own)
	return min(max(float64(others)/float64(all), 0), 1)
}
