package lab

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/entente-mesh/entente/internal/lab/fabric"
)

// RefusedError says that this machine's kernel, or a rule set on it, does not let the lab do something, and what would.
type RefusedError struct {
	// Step is what the lab was doing, such as "mount /proc".
	Step string
	// Remedy names the rule that refused, as far as it can be told, and how to change it.
	Remedy string
	// Err is the system's own answer.
	Err error
}

func (e *RefusedError) Error() string { return e.Step + ": " + e.Err.Error() + ": " + e.Remedy }

func (e *RefusedError) Unwrap() error { return e.Err }

// The steps of building a lab, as users read them.
const (
	stepClone  = "make the namespaces"
	stepMounts = "make the file system private"
	stepProc   = "mount /proc"
	stepNode   = "make a node's namespaces"
)

// explain turns a failure of the holder into the error for the user: a RefusedError with a remedy where it was a refusal,
// else just the failure, which tells nothing about what the machine can do.
func explain(userNS bool, f *failure) error {
	if !refusal(f) {
		return f
	}
	return &RefusedError{Step: f.Step, Err: f.plain(), Remedy: remedy(f.Step, f.Errno, readFacts(userNS))}
}

// explainFailure is explain for what happens after the start, when the namespaces are there.
func explainFailure(err error) error {
	f, ok := errors.AsType[*failure](err)
	if !ok {
		return err
	}
	return explain(false, f)
}

// plain is the failure without its step.
func (f *failure) plain() error { return &failure{Text: f.Text, Errno: f.Errno} }

// refusal reports whether f says that the machine does not allow the step or does not have what it needs. Everything else,
// such as too many open files, a full disk or no memory, may be gone the next time.
func refusal(f *failure) bool {
	switch f.Errno {
	case syscall.EPERM, syscall.EACCES, syscall.ENOSYS, syscall.EOPNOTSUPP, syscall.EAFNOSUPPORT, syscall.EPROTONOSUPPORT, syscall.EPFNOSUPPORT:
		return f.Step != ""
	case syscall.ENOSPC, syscall.EINVAL, syscall.EUSERS:
		return f.Step == stepClone || f.Step == stepNode
	case syscall.ENOENT, syscall.ENODEV, syscall.ENXIO:
		return f.Step == fabric.StepBridge || f.Step == fabric.StepLink || f.Step == fabric.StepFirewall
	default:
		return false
	}
}

// reading is a number that the kernel shows, or the reason why it is not known.
type reading struct {
	value int64
	state readingState
}

type readingState int

const (
	unreadable readingState = iota // Could not tell.
	absent                         // This kernel has no such setting.
	known
)

// is reports whether the number is known to be v.
func (r reading) is(v int64) bool { return r.state == known && r.value == v }

// facts are what can be known about this machine when it refuses something.
type facts struct {
	userNS            bool    // The lab needs a user namespace: it is not root, or not fully.
	unprivilegedClone reading // kernel.unprivileged_userns_clone, of Debian's kernels.
	apparmorRestrict  reading // kernel.apparmor_restrict_unprivileged_userns, of Ubuntu's.
	maxUserNS         reading // user.max_user_namespaces
	maxNetNS          reading // user.max_net_namespaces
	seccomp           reading // Seccomp of /proc/self/status: 2 is a filter.
}

// remedy says, for a step that the kernel refused with errno, which rule it was and how to change it.
func remedy(step string, errno syscall.Errno, f facts) string {
	switch step {
	case fabric.StepBridge:
		return "the kernel has no bridges: load the module (modprobe bridge) or use a kernel with CONFIG_BRIDGE"
	case fabric.StepLink:
		return "the kernel has no virtual Ethernet pairs: load the module (modprobe veth) or use a kernel with CONFIG_VETH"
	case fabric.StepFirewall:
		return "the kernel cannot filter on bridges: load the module (modprobe nf_tables) or use a kernel with CONFIG_NF_TABLES_BRIDGE"
	case fabric.StepRelay:
		return "delay and loss need packet sockets (CONFIG_PACKET, CAP_NET_RAW); partitions work without"
	case stepProc:
		if errno == syscall.EPERM {
			return "a container that hides parts of /proc must not mount it anew: start the container with --security-opt systempaths=unconfined, or run outside of it"
		}
	}
	if !f.userNS {
		return refusedRoot(errno, f)
	}
	return refusedUser(errno, f)
}

// refusedRoot explains a refusal of what root asked for without a user namespace.
func refusedRoot(errno syscall.Errno, f facts) string {
	switch {
	case errno == syscall.ENOSPC && f.maxNetNS.state == known:
		return fmt.Sprintf("the limit of %d network namespaces is reached: raise it with sysctl -w user.max_net_namespaces=10000", f.maxNetNS.value)
	case f.seccomp.is(2):
		return "a seccomp filter is active, and a container's default one refuses this: start the container with --security-opt seccomp=unconfined, or run outside of it"
	default:
		return "could not tell why; root needs CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_RAW here: in a container add --cap-add SYS_ADMIN --cap-add NET_ADMIN --security-opt apparmor=unconfined"
	}
}

// refusedUser explains a refusal of a user namespace or of something inside it. The certain reasons come first.
func refusedUser(errno syscall.Errno, f facts) string {
	const orRoot = ", or run as root"
	switch {
	case f.maxUserNS.is(0):
		return "user namespaces are switched off (user.max_user_namespaces is 0): sysctl -w user.max_user_namespaces=10000" + orRoot
	case f.unprivilegedClone.is(0):
		return "user namespaces are for root only (kernel.unprivileged_userns_clone is 0): sysctl -w kernel.unprivileged_userns_clone=1" + orRoot
	case errno == syscall.ENOSPC || errno == syscall.EUSERS:
		return "a limit of namespaces is reached: raise it with sysctl -w user.max_user_namespaces=10000 user.max_net_namespaces=10000" + orRoot
	case f.apparmorRestrict.is(1):
		return "AppArmor takes all rights away in user namespaces (kernel.apparmor_restrict_unprivileged_userns is 1): sysctl -w kernel.apparmor_restrict_unprivileged_userns=0" + orRoot
	case errno == syscall.EINVAL || errno == syscall.ENOSYS || f.maxUserNS.state == absent:
		return "the kernel has no user namespaces: use one with CONFIG_USER_NS" + orRoot
	case f.seccomp.is(2):
		return "a seccomp filter is active, and Docker's default one refuses user namespaces: start the container with --security-opt seccomp=unconfined" + orRoot
	default:
		return "could not tell which rule refuses user namespaces" + unread(f) + ": look at the kernel's log" + orRoot + "; a caller in a chroot has no user namespaces"
	}
}

// unread names the settings that could not be read, among which the reason may be.
func unread(f facts) string {
	var names []string
	for _, s := range []struct {
		name string
		reading
	}{
		{"user.max_user_namespaces", f.maxUserNS},
		{"kernel.unprivileged_userns_clone", f.unprivilegedClone},
		{"kernel.apparmor_restrict_unprivileged_userns", f.apparmorRestrict},
		{"the seccomp mode", f.seccomp},
	} {
		if s.state == unreadable {
			names = append(names, s.name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " (could not read " + strings.Join(names, ", ") + ")"
}
