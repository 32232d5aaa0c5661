package proxy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/entente-mesh/entente/internal/child"
	"github.com/entente-mesh/entente/internal/run"
	"github.com/entente-mesh/entente/xds/bootstrap"
)

// A Config says how Envoy is run. Binary, Bootstrap, Dir and Log.File are required; the zero value of everything else works.
type Config struct {
	// Binary is the Envoy, from Find.
	Binary Binary
	// Bootstrap is the file that Envoy starts with, from bootstrap.Make. Its admin interface must be AdminSocket(Dir).
	Bootstrap []byte
	// Concurrency is how many threads carry traffic; 0 means one for each core.
	Concurrency int
	// LogLevel is Envoy's: trace, debug, info, warning, error, critical or off. Default info.
	LogLevel string
	// Drain is how long clients have to go elsewhere when a listener or the whole Envoy is to end. Default 60 s. After a hot restart the
	// old process lives half as long again.
	Drain time.Duration

	// Dir is the private folder of this Envoy, an absolute path of at most MaxDir bytes. It is made, and closed to others.
	Dir string
	// Adopt lets Envoy outlive this program: the next one takes it over and no connection breaks. Otherwise it ends with this program,
	// however that ends.
	Adopt bool
	// Log is where Envoy's own words go, not its access logs.
	Log child.Log
	// Access are the access logs that Envoy's listeners write, for their rotation.
	Access Rotation
	// StopDrain is how long an Envoy that is not adopted may drain when Run is asked to stop; 0 means it ends at once.
	StopDrain time.Duration
	// OOMScore is added to the process's score when memory runs out; -700 is the original's. 0 leaves it alone. It is left alone, too,
	// where this program may not lower it.
	OOMScore int
	// Backoff is the pause before Envoy is started again after a crash.
	Backoff run.Backoff

	Logger  *slog.Logger // nil: discard
	Metrics *Metrics     // nil: none

	// muteAfter is when an Envoy that was taken over and does not answer is taken for one that serves without an admin interface, which
	// is what a hot restart leaves whose new process ended early. 5 s, but in tests: taking in very much configuration takes less.
	muteAfter time.Duration
}

// Names in the private folder, beside the files of each generation.
const (
	adminName      = "admin.sock"
	stateName      = "envoy.state"
	hotRestartName = "hr" // begins the names of the sockets of hot restarts
)

// MaxDir is how many bytes Dir may have, so that every socket in it has a path that the kernel takes: the longest is
// hr_udp_parent_<10 digits>.
const MaxDir = bootstrap.MaxSocketPath - len("/"+hotRestartName+"_udp_parent_") - 10

// AdminSocket is where the admin interface of the Envoy with this private folder is.
func AdminSocket(dir string) string { return filepath.Join(dir, adminName) }

// prepared returns the configuration with its defaults, or what is wrong with it.
func (c Config) prepared() (Config, error) {
	switch {
	case c.Binary.Path == "" || c.Binary.Version.Before(Minimum()):
		return c, fmt.Errorf("no Envoy that was found and accepted: got %s", c.Binary)
	case !filepath.IsAbs(c.Dir):
		return c, fmt.Errorf("private folder %q: give an absolute path", c.Dir)
	case len(filepath.Clean(c.Dir)) > MaxDir:
		return c, fmt.Errorf("private folder %s: %d bytes, but sockets in it allow only %d: choose a shorter one", c.Dir, len(c.Dir), MaxDir)
	case c.Concurrency < 0:
		return c, fmt.Errorf("%d threads: give a positive number, or 0 for one for each core", c.Concurrency)
	case c.Drain < 0 || c.StopDrain < 0:
		return c, fmt.Errorf("drain time %s, at the stop %s: give positive times", c.Drain, c.StopDrain)
	case c.OOMScore < -1000 || c.OOMScore > 1000:
		return c, fmt.Errorf("OOM score %d: give a number from -1000 to 1000", c.OOMScore)
	}
	c.Dir = filepath.Clean(c.Dir)
	if err := checkAdmin(c.Bootstrap, AdminSocket(c.Dir)); err != nil {
		return c, fmt.Errorf("bootstrap: %w", err)
	}
	c.Drain = cmp.Or(c.Drain, 60*time.Second)
	c.muteAfter = cmp.Or(c.muteAfter, 5*time.Second)
	c.LogLevel = cmp.Or(c.LogLevel, "info")
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics(nil)
	}
	return c, c.Access.check()
}

// checkAdmin makes sure that the admin interface is where we ask and nobody else can.
func checkAdmin(text []byte, want string) error {
	var b struct {
		Admin struct {
			Address struct {
				Pipe struct {
					Path string `json:"path"`
				} `json:"pipe"`
			} `json:"address"`
		} `json:"admin"`
	}
	if err := json.Unmarshal(text, &b); err != nil {
		return err
	}
	if got := b.Admin.Address.Pipe.Path; got != want {
		return fmt.Errorf("the admin interface is at %q: put it on the unix socket %s", got, want)
	}
	return nil
}
