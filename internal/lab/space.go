package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/entente-mesh/entente/internal/lab/fabric"
	"golang.org/x/sys/unix"
)

// space is a node's own namespaces, kept alive by open files.
type space struct{ net, mnt int }

// newSpace makes the namespaces of the node at index i, with its own /etc/hosts and /etc/resolv.conf. The note is for the
// user when one of the two does not exist on this machine and so cannot be replaced.
func newSpace(dir string, nodes []string, i int) (s space, note string, err error) {
	err = onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		var notes []string
		for name, content := range etcFiles(nodes, i) {
			source := filepath.Join(dir, "."+nodes[i]+"."+name)
			err := bindOver("/etc/"+name, source, content)
			if errors.Is(err, fs.ErrNotExist) {
				notes = append(notes, "/etc/"+name)
			} else if err != nil {
				return err
			}
		}
		if len(notes) > 0 {
			note = fmt.Sprintf("node %s has no %s of its own, since the file does not exist on this machine", nodes[i], strings.Join(notes, " and "))
		}
		s.net, s.mnt = -1, -1
		var err error
		if s.net, err = openNamespace("net"); err != nil {
			return err
		}
		s.mnt, err = openNamespace("mnt")
		return err
	})
	return s, note, err
}

// do runs f on a thread inside the namespaces. Only what f does itself, with system calls and without other goroutines,
// happens there: the children it starts and the sockets it opens.
func (s space) do(f func() error) error {
	return onThread(func() error {
		// Threads share their root and working folder, which a change of the mount namespace must not.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return os.NewSyscallError("unshare", err)
		}
		if err := unix.Setns(s.mnt, unix.CLONE_NEWNS); err != nil {
			return os.NewSyscallError("setns mnt", err)
		}
		if err := unix.Setns(s.net, unix.CLONE_NEWNET); err != nil {
			return os.NewSyscallError("setns net", err)
		}
		return f()
	})
}

// onThread runs f on an operating-system thread of its own, which ends with f.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // Never unlocked: so the runtime ends the thread instead of using it for other goroutines.
		done <- f()
	}()
	return <-done
}

// openNamespace opens one of the current thread's namespaces.
func openNamespace(kind string) (int, error) {
	path := "/proc/thread-self/ns/" + kind
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// etcFiles are a node's own files below /etc.
func etcFiles(nodes []string, i int) map[string]string {
	var hosts strings.Builder
	hosts.WriteString("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n")
	for n, name := range nodes {
		fmt.Fprintf(&hosts, "%s %s\n", fabric.Address(n), name)
	}
	return map[string]string{
		"hosts":       hosts.String(),
		"resolv.conf": fmt.Sprintf("nameserver %s\n", fabric.Address(i)),
	}
}

// bindOver shows content at target, in the current mount namespace only.
func bindOver(target, source, content string) error {
	if err := os.WriteFile(source, []byte(content), 0o644); err != nil {
		return err
	}
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return &fs.PathError{Op: "mount over", Path: target, Err: err}
	}
	return nil
}

// privateMounts lets the machine's later mounts in and lets none of the lab's out.
func privateMounts() error {
	return os.NewSyscallError("mount", unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""))
}

// mountProc shows the lab's own processes in /proc, and the current thread's network in /proc/net.
func mountProc() error {
	return os.NewSyscallError("mount", unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""))
}
