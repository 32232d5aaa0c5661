package proxy

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// A record describes one generation of Envoy: a process, and those that were started in its place when it crashed. It is all that the next
// parent needs to take it over.
//
// Generations that took over from each other by hot restarts have the same base id and count their epochs. A generation that starts from
// nothing has a base id of its own.
type record struct {
	Base       uint32   `json:"baseID"`
	Epoch      int      `json:"epoch"`
	Path       string   `json:"path"`
	Build      string   `json:"build"`
	HotRestart string   `json:"hotRestartVersion"`
	Args       []string `json:"args"`
	Bootstrap  string   `json:"bootstrap"` // the SHA-256 of the file
}

// record describes the generation that the configuration wants.
func (c Config) record(base uint32, epoch int) record {
	r := record{Base: base, Epoch: epoch, Path: c.Binary.Path, Build: c.Binary.Build, HotRestart: c.Binary.HotRestart}
	sum := sha256.Sum256(c.Bootstrap)
	r.Bootstrap = hex.EncodeToString(sum[:])
	r.Args = c.arguments(r)
	return r
}

// serves says whether the generation runs what the configuration wants.
func (r record) serves(c Config) bool {
	want := c.record(r.Base, r.Epoch)
	return r.Path == want.Path && r.Build == want.Build && r.Bootstrap == want.Bootstrap && slices.Equal(r.Args, want.Args)
}

// arguments is Envoy's command line.
func (c Config) arguments(r record) []string {
	args := []string{
		"-c", r.bootstrapFile(c.Dir),
		"--base-id", strconv.FormatUint(uint64(r.Base), 10), "--restart-epoch", strconv.Itoa(r.Epoch),
		// By default the sockets of hot restarts are abstract ones, which everybody in the network namespace can reach.
		"--socket-path", filepath.Join(c.Dir, hotRestartName), "--socket-mode", "600",
		"--drain-time-s", seconds(c.Drain), "--parent-shutdown-time-s", seconds(c.parentShutdown()),
		// A field that Envoy does not know could be the one that closes the door.
		"--reject-unknown-dynamic-fields",
		// The authentication filter is marked as work in progress, for which Envoy writes one warning for each credential and push.
		"--log-level", c.LogLevel, "--component-log-level", "misc:error", "--skip-deprecated-logs",
		"--file-flush-interval-msec", "1000",
	}
	if c.Concurrency > 0 {
		args = append(args, "--concurrency", strconv.Itoa(c.Concurrency))
	}
	return args
}

// parentShutdown is how long the old process lives after a hot restart. It is more than the drain, so that its connections were asked to
// close before they are closed.
func (c Config) parentShutdown() time.Duration { return c.Drain + max(c.Drain/2, time.Second) }

// seconds rounds up: Envoy knows no fractions, and 0 would mean none at all.
func seconds(d time.Duration) string {
	return strconv.FormatInt(int64((d+time.Second-1)/time.Second), 10)
}

// Files of one generation. The bootstrap has one of its own since the old process may crash and start anew while the new one starts.

func (r record) bootstrapFile(dir string) string { return r.file(dir, "json") }
func (r record) pidFile(dir string) string       { return r.file(dir, "pid") }

func (r record) file(dir, extension string) string {
	return filepath.Join(dir, fmt.Sprintf("envoy-%d-%d.%s", r.Base, r.Epoch, extension))
}

// sockets are what Envoy makes for hot restarts and leaves behind. It numbers them by 10 times the base id, and the epoch modulo 3, since no
// more than three processes of one base id can live at a time.
func (r record) sockets(dir string) []string {
	id := strconv.FormatUint(10*uint64(r.Base)+uint64(r.Epoch%3), 10)
	var all []string
	for _, role := range []string{"parent", "child", "udp_parent", "udp_child"} {
		all = append(all, filepath.Join(dir, hotRestartName+"_"+role+"_"+id))
	}
	return all
}

// sharedMemory is what all generations of one base id share.
func (r record) sharedMemory() string {
	return "/dev/shm/envoy_shared_memory_" + strconv.FormatUint(10*uint64(r.Base), 10)
}

// newBase draws a base id. Nothing but the shared memory of other Envoys of the machine can clash with it, and hardly ever will.
func newBase() (uint32, error) {
	var b [4]byte
	if _, err := rand.Read(b[:]); err != nil {
		return 0, fmt.Errorf("draw a base id: %w", err)
	}
	return binary.BigEndian.Uint32(b[:])&(1<<27-1) | 1, nil // Envoy multiplies it by 10, in 31 bits; 0 is everybody's default
}

func stateFile(dir string) string { return filepath.Join(dir, stateName) }

// readState returns the generations that the last parent left, the oldest first. A file that cannot be understood is an error: the
// processes behind it may still carry traffic.
func readState(dir string) ([]record, error) {
	file := stateFile(dir)
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var records []record
	if len(text) == 0 { // a machine that lost its power; then no process is left either
		return nil, nil
	}
	if err := json.Unmarshal(text, &records); err != nil {
		return nil, fmt.Errorf("state %s cannot be understood (%w): end the Envoys of this folder by hand and delete the file", file, err)
	}
	return records, nil
}

// writeState replaces the file, whole or not at all.
func writeState(dir string, records []record) error {
	text, err := json.MarshalIndent(records, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(stateFile(dir), append(text, '\n'))
}

// replaceFile writes a file that only its owner can read, whole or not at all.
func replaceFile(path string, text []byte) error {
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
