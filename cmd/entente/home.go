package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/entente-mesh/entente/xds/proxy"
)

// legacyHome is where the original keeps everything; images built for it bring the folder along.
const legacyHome = "/home/kuscia"

// A home is the data folder of one node, laid out as the original lays it out where it has the thing at all.
type home struct {
	dir string // absolute
}

func (h home) kubeconfig() string  { return filepath.Join(h.dir, "etc", "kubeconfig") }
func (h home) cluster() string     { return filepath.Join(h.dir, "var", "cluster") }
func (h home) k3s() string         { return filepath.Join(h.dir, "var", "k3s") }
func (h home) logs() string        { return filepath.Join(h.dir, "var", "logs") }
func (h home) lockFile() string    { return filepath.Join(h.dir, "var", "entente.lock") }
func (h home) identity() string    { return filepath.Join(h.dir, "var", "identity") }
func (h home) certificate() string { return filepath.Join(h.dir, "etc", "domain.crt") }
func (h home) control() string     { return filepath.Join(h.run(), "control.sock") }

// run is the folder of the unix sockets. A socket's path has at most 107 bytes, so a home with a long name has it elsewhere.
func (h home) run() string {
	inside := filepath.Join(h.dir, "var", "run")
	if len(inside)+len("/envoy") <= proxy.MaxDir {
		return inside
	}
	sum := sha256.Sum256([]byte(h.dir))
	return filepath.Join(os.TempDir(), "entente-"+strconv.Itoa(os.Getuid()), hex.EncodeToString(sum[:6]))
}

// findHome decides which folder a node's data lives in: the flag, the environment, the configuration, or the usual place.
func findHome(flag, configured, domain string) (home, error) {
	dir := ""
	switch {
	case flag != "":
		dir = flag
	case os.Getenv("ENTENTE_HOME") != "":
		dir = os.Getenv("ENTENTE_HOME")
	case configured != "":
		dir = configured
	case isDir(legacyHome):
		dir = legacyHome
	default:
		base, err := dataHome()
		if err != nil {
			return home{}, err
		}
		dir = filepath.Join(base, "entente", domain)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return home{}, fmt.Errorf("find the data folder %s: %w", dir, err)
	}
	return home{dir: abs}, nil
}

// dataHome is the place for a user's data by the XDG Base Directory Specification, or the system's for root.
func dataHome() (string, error) {
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return dir, nil
	}
	if os.Getuid() == 0 {
		return "/var/lib", nil
	}
	user, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find a place for the data: %w; give one with --home", err)
	}
	return filepath.Join(user, ".local", "share"), nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// create makes the folders that everything needs, private to the user, and finds out at once when they cannot be written.
func (h home) create() error {
	for _, dir := range []string{filepath.Join(h.dir, "etc"), h.cluster(), h.logs()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return h.unwritable(err)
		}
		probe, err := os.CreateTemp(dir, ".writable-*")
		if err != nil {
			return h.unwritable(err)
		}
		if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
			return h.unwritable(err)
		}
	}
	return h.createRun()
}

func (h home) unwritable(err error) error {
	return fmt.Errorf("data folder %s cannot be written: %w; make it writable for %s, or choose another with --home or entente.home", h.dir, err, whoami())
}

func whoami() string {
	if os.Getuid() == 0 {
		return "root"
	}
	return "user " + strconv.Itoa(os.Getuid())
}

// createRun makes the folder of the sockets. Outside the home it lies in a folder that others can write, so it must prove to be ours.
func (h home) createRun() error {
	dir := h.run()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the run folder: %w", err)
	}
	for _, d := range []string{filepath.Dir(dir), dir} {
		info, err := os.Lstat(d)
		if err != nil {
			return fmt.Errorf("look at the run folder: %w", err)
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok || !info.IsDir() || int(stat.Uid) != os.Getuid() || info.Mode().Perm()&0o022 != 0 {
			return fmt.Errorf("run folder %s is not a folder that only %s can write; remove it, or choose a shorter --home", d, whoami())
		}
	}
	return nil
}

// errLocked says that another process works on the data folder.
var errLocked = errors.New("in use")

// lock takes the data folder for this process alone, until the file is closed or the process ends, however it ends.
func (h home) lock() (io.Closer, error) {
	f, err := os.OpenFile(h.lockFile(), os.O_RDWR|os.O_CREATE|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, h.unwritable(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock the data folder %s: %w", h.dir, err)
		}
		holder, _ := io.ReadAll(io.LimitReader(f, 32)) // the pid is a courtesy
		return nil, fmt.Errorf("data folder %s is %w by process %s; stop that one, or choose another folder with --home", h.dir, errLocked, strings.TrimSpace(string(holder)))
	}
	if err := errors.Join(f.Truncate(0), writeAt(f, strconv.Itoa(os.Getpid())+"\n")); err != nil {
		return nil, errors.Join(h.unwritable(err), f.Close())
	}
	return f, nil
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

// ownIdentity returns the name under which this node takes part in elections: made once, kept with the data.
func (h home) ownIdentity() (string, error) {
	text, err := os.ReadFile(h.identity())
	if err == nil && len(strings.TrimSpace(string(text))) > 0 {
		return strings.TrimSpace(string(text)), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read the node's identity: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("make the node's identity: %w", err)
	}
	identity := host + "-" + strings.ToLower(rand.Text()[:8])
	if err := replaceFile(h.identity(), []byte(identity+"\n")); err != nil {
		return "", fmt.Errorf("keep the node's identity: %w", err)
	}
	return identity, nil
}
