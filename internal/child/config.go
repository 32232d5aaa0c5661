package child

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/entente-mesh/entente/internal/run"
)

// A Mode says what becomes of a child when its parent ends.
type Mode int

const (
	// Bound children die with their parent, however the parent ends. Only the child itself is sure to: when the parent is
	// killed, nobody is left to end what the child has started, so such a child should see to that itself.
	//
	// The kernel forgets the bond when the child runs a program that is set-uid or carries file capabilities.
	Bound Mode = iota
	// Adopted children survive their parent. The next one finds them by their pid file and takes them over.
	//
	// A service manager may end them with their parent all the same: systemd does, unless the unit has KillMode=process.
	Adopted
)

// A Config says what to run and how to keep it running. Name, Path and Log.File are required, and PIDFile for an Adopted
// child; the zero value of everything else works.
type Config struct {
	Name string   // as a user would say it, such as "Envoy"
	Path string   // the program, an absolute path
	Args []string // without the program's own name
	Env  []string // the whole environment as NAME=value: nothing of the parent's is added
	Dir  string   // the working folder; empty: the parent's
	Mode Mode
	Log  Log
	// PIDFile is where the running process of an Adopted child is written down.
	PIDFile string
	// Detached starts an Adopted child as a child of process 1 (or of the nearest subreaper). It is for programs that have the kernel end
	// them with the parent that started them, as Envoy does when it can hot restart. It needs sh and setsid on the machine; without them the
	// child is started as any other, and Logger is told.
	Detached bool

	// Ready is asked, with growing pauses, until it returns nil; then the child is ready. It must return when ctx ends.
	// Nil: ready as soon as it is started.
	Ready func(ctx context.Context) error
	// ReadyTimeout bounds the time from start to ready; a process that needs longer is stopped, which counts as a failure.
	// One that was taken over is never stopped for it, since it may be serving others while it does not answer us.
	// Default 30 s.
	ReadyTimeout time.Duration
	// Tries is how many failures there may be before the child is ready for the first time: the last of them ends Run.
	// After the first time there is no limit. Default 3.
	Tries   int
	Backoff run.Backoff

	// StopSignal asks the process group to end, StopGrace later those who are left are killed. Default SIGTERM, 3 s.
	StopSignal syscall.Signal
	StopGrace  time.Duration
	// StopOnExit makes an orderly end of Run stop an Adopted child too; else it is left running. A Bound child is
	// always stopped.
	StopOnExit bool

	// Observe, which may be nil, is called by Run at each change of State. It must not block.
	Observe func(State)
	Logger  *slog.Logger // nil: discard
}

// Log says where the output of the child goes. A file that is full is put aside with the time in its name.
type Log struct {
	File       string // an absolute path
	MaxSizeMB  int    // a file of this size is full; default 100
	MaxFiles   int    // how many full files are kept; default 5
	MaxAgeDays int    // full files older than this are deleted; 0: age does not matter
}

// prepared returns the configuration with its defaults, or what is wrong with it. It creates the folders it names.
func (c Config) prepared() (Config, error) {
	switch {
	case c.Name == "":
		return c, errors.New("child without a name")
	case !filepath.IsAbs(c.Path):
		return c, fmt.Errorf("program %q: give an absolute path", c.Path)
	case !filepath.IsAbs(c.Log.File):
		return c, fmt.Errorf("log file %q: give an absolute path", c.Log.File)
	case c.Mode == Adopted && !filepath.IsAbs(c.PIDFile):
		return c, fmt.Errorf("pid file %q: give an absolute path", c.PIDFile)
	case c.Mode == Bound && c.PIDFile != "":
		return c, fmt.Errorf("pid file %q: only an adopted child has one", c.PIDFile)
	}
	for _, e := range c.Env {
		if !strings.Contains(e, "=") { // without its text, which may be a secret
			return c, errors.New("environment: an entry is not of the form NAME=value")
		}
	}
	if err := runnable(c.Path); err != nil {
		return c, err
	}
	if c.Dir != "" { // else starting would fail with words that blame the program
		if info, err := os.Stat(c.Dir); err != nil || !info.IsDir() {
			return c, fmt.Errorf("working folder %q is not there: create it", c.Dir)
		}
	}
	for _, file := range []string{c.Log.File, c.PIDFile} {
		if file == "" {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return c, fmt.Errorf("folder of %s: %w", file, err)
		}
	}
	log, err := openAppend(c.Log.File)
	if err != nil {
		return c, fmt.Errorf("log file: %w", err)
	}
	return c.withDefaults(), log.Close()
}

func (c Config) withDefaults() Config {
	c.Args, c.Env = slices.Clone(c.Args), slices.Clone(c.Env)
	c.ReadyTimeout = orDefault(c.ReadyTimeout, 30*time.Second)
	c.Tries = orDefault(c.Tries, 3)
	c.StopSignal = orDefault(c.StopSignal, syscall.SIGTERM)
	c.StopGrace = orDefault(c.StopGrace, 3*time.Second)
	c.Log.MaxSizeMB = orDefault(c.Log.MaxSizeMB, 100)
	c.Log.MaxFiles = orDefault(c.Log.MaxFiles, 5)
	if c.Observe == nil {
		c.Observe = func(State) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func orDefault[T ~int | ~int64](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// digest is the identity of what is run: a running process with another one is outdated.
func (c Config) digest() string {
	text, err := json.Marshal([]any{c.Path, c.Args, c.Env, c.Dir})
	if err != nil {
		panic(err) // strings always marshal
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// command is the argument vector that the process is started with.
func (c Config) command() []string { return append([]string{c.Path}, c.Args...) }

// runnable says in words why a program cannot be run.
func runnable(path string) error {
	switch info, err := os.Stat(path); {
	case err != nil:
		return fmt.Errorf("program: %w: install it there, or give its path", err)
	case info.IsDir():
		return fmt.Errorf("program %s is a folder", path)
	}
	if err := unix.Access(path, unix.X_OK); err != nil {
		return fmt.Errorf("program %s cannot be executed (%w): make it executable", path, err)
	}
	return nil
}
