package lab

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/entente-mesh/entente/internal/lab/fabric"
	"golang.org/x/sys/unix"
)

func TestRemedyNamesTheRuleThatRefused(t *testing.T) {
	t.Parallel()
	is := func(v int64) reading { return reading{value: v, state: known} }
	missing := reading{state: absent}
	fine := facts{userNS: true, unprivilegedClone: missing, apparmorRestrict: missing, maxUserNS: is(1000), maxNetNS: is(1000), seccomp: is(0)}
	with := func(change func(*facts)) facts { f := fine; change(&f); return f }
	for _, c := range []struct {
		name  string
		step  string
		errno syscall.Errno
		facts facts
		want  string
	}{
		{"user namespaces switched off", stepClone, syscall.ENOSPC, with(func(f *facts) { f.maxUserNS = is(0) }), "sysctl -w user.max_user_namespaces="},
		{"user namespaces for root only", stepClone, syscall.EPERM, with(func(f *facts) { f.unprivilegedClone = is(0) }), "sysctl -w kernel.unprivileged_userns_clone=1"},
		{"too many user namespaces", stepClone, syscall.ENOSPC, fine, "a limit of namespaces is reached"},
		{"AppArmor takes the rights away later", stepMounts, syscall.EACCES, with(func(f *facts) { f.apparmorRestrict = is(1) }), "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"},
		{"a kernel without user namespaces", stepClone, syscall.EINVAL, with(func(f *facts) { f.maxUserNS = missing }), "CONFIG_USER_NS"},
		{"Docker's seccomp filter", stepClone, syscall.EPERM, with(func(f *facts) { f.seccomp = is(2) }), "seccomp=unconfined"},
		{"nothing known about it", stepClone, syscall.EPERM, fine, "could not tell which rule"},
		{"nothing readable", stepClone, syscall.EPERM, facts{userNS: true}, "could not read user.max_user_namespaces, kernel.unprivileged_userns_clone"},
		{"a container that masks /proc", stepProc, syscall.EPERM, fine, "systempaths=unconfined"},
		{"root without a capability", stepClone, syscall.EPERM, with(func(f *facts) { f.userNS = false }), "CAP_NET_ADMIN"},
		{"root in Docker", stepClone, syscall.EPERM, with(func(f *facts) { f.userNS = false; f.seccomp = is(2) }), "seccomp=unconfined"},
		{"root with too many network namespaces", stepNode, syscall.ENOSPC, with(func(f *facts) { f.userNS = false }), "user.max_net_namespaces"},
		{"no bridges", fabric.StepBridge, syscall.EOPNOTSUPP, fine, "modprobe bridge"},
		{"no virtual links", fabric.StepLink, syscall.EOPNOTSUPP, fine, "modprobe veth"},
		{"no filters on bridges", fabric.StepFirewall, syscall.ENOENT, fine, "CONFIG_NF_TABLES_BRIDGE"},
		{"no packet sockets", fabric.StepRelay, syscall.EAFNOSUPPORT, fine, "CONFIG_PACKET"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := remedy(c.step, c.errno, c.facts); !strings.Contains(got, c.want) {
				t.Errorf("want %q in %q", c.want, got)
			}
			if !refusal(&failure{Step: c.step, Errno: c.errno}) {
				t.Error("it does not count as a refusal")
			}
		})
	}
}

func TestOnlyRefusalsSayThatAMachineCannot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		want Verdict
	}{
		{"it works", nil, Yes},
		{"the kernel does not permit it", explain(true, &failure{Step: stepClone, Errno: syscall.EPERM}), No},
		{"there are too many open files", explain(true, &failure{Step: stepClone, Errno: syscall.EMFILE}), Unknown},
		{"there are too many processes", explain(true, &failure{Step: stepClone, Errno: syscall.EAGAIN}), Unknown},
		{"a connection is not permitted later", explainFailure(&failure{Errno: syscall.EPERM}), Unknown},
		{"the lab has ended", ErrEnded, Unknown},
	} {
		if got := verdictOf(c.err); got != c.want {
			t.Errorf("%s: want %v, got %v", c.name, c.want, got)
		}
	}
	err := explain(true, &failure{Step: stepClone, Text: "operation not permitted", Errno: syscall.EPERM})
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v does not say what the system said", err)
	}
}

func TestRootWithoutEveryCapabilityUsesAUserNamespace(t *testing.T) {
	t.Parallel()
	all := reading{value: 1<<40 - 1, state: known}
	for _, c := range []struct {
		name         string
		uid          int
		capabilities reading
		want         bool
	}{
		{"an ordinary user", 1000, reading{state: known}, true},
		{"an ordinary user with capabilities", 1000, all, true},
		{"root", 0, all, false},
		{"root in a container", 0, reading{value: all.value &^ (1 << unix.CAP_NET_ADMIN), state: known}, true},
		{"root who cannot read his capabilities", 0, reading{}, false},
	} {
		if got := needsUserNamespace(c.uid, c.capabilities); got != c.want {
			t.Errorf("%s: want %v, got %v", c.name, c.want, got)
		}
	}
}
