package lab

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// neededCapabilities are what root must have to do without a user namespace: for namespaces and mounts, links and filters,
// packet sockets, ports below 1024, and the change of mount namespaces.
var neededCapabilities = []uint{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_NET_BIND_SERVICE, unix.CAP_SYS_CHROOT}

// needsUserNamespace reports whether the lab must be built inside a user namespace. When root's capabilities cannot be
// read, root is believed.
func needsUserNamespace(uid int, capabilities reading) bool {
	if uid != 0 {
		return true
	}
	if capabilities.state != known {
		return false
	}
	for _, bit := range neededCapabilities {
		if capabilities.value&(1<<bit) == 0 {
			return true
		}
	}
	return false
}

// readCapabilities are this process's effective capabilities.
func readCapabilities() reading { return readStatus("CapEff:", 16) }

// readFacts asks this machine what may have been the reason of a refusal.
func readFacts(userNS bool) facts {
	return facts{
		userNS:            userNS,
		unprivilegedClone: readSetting("/proc/sys/kernel/unprivileged_userns_clone"),
		apparmorRestrict:  readSetting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns"),
		maxUserNS:         readSetting("/proc/sys/user/max_user_namespaces"),
		maxNetNS:          readSetting("/proc/sys/user/max_net_namespaces"),
		seccomp:           readStatus("Seccomp:", 10),
	}
}

// readSetting reads one number below /proc/sys.
func readSetting(path string) reading {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat("/proc/sys/kernel"); err == nil {
			return reading{state: absent}
		}
		return reading{}
	}
	if err != nil {
		return reading{}
	}
	return parseReading(string(text), 10)
}

// readStatus reads one number of /proc/self/status.
func readStatus(key string, base int) reading {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return reading{}
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, key); ok {
			return parseReading(value, base)
		}
	}
	return reading{state: absent}
}

func parseReading(text string, base int) reading {
	value, err := strconv.ParseInt(strings.TrimSpace(text), base, 64)
	if err != nil {
		return reading{}
	}
	return reading{value: value, state: known}
}
