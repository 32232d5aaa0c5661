package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/entente-mesh/entente/internal/version"
)

const (
	// Format is the newest layout of the store folder that this program reads and the one that it writes.
	Format = 1

	databaseFile = "state.db"
	markerFile   = "VERSION"
	lockFile     = "lock"

	maxMarker = 64 << 10 // bytes; a marker is under 200

	// kineVersion is the linked kine's, which a test compares with go.mod.
	kineVersion = "v0.17.5"
)

// Marker says who wrote a store folder last. It is the JSON file VERSION beside the database.
type Marker struct {
	Format  int       `json:"format"`  // layout of the folder; see Format
	Product string    `json:"product"` // version of the program that opened it last
	Kine    string    `json:"kine"`    // version of the datastore layer in that program
	Created time.Time `json:"created"` // when the folder was first marked, UTC
}

// readMarker returns nil without an error when the folder has no marker: it is new, or older than markers.
func readMarker(dir string) (*Marker, error) {
	path := filepath.Join(dir, markerFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the store's version marker: %w", err)
	}
	m, err := parseMarker(raw)
	if err != nil {
		return nil, fmt.Errorf("store %s: version marker %s: %w", dir, path, err)
	}
	return m, nil
}

// parseMarker reads and judges a marker. A newer format is told from its number alone, whatever else stands there.
func parseMarker(raw []byte) (*Marker, error) {
	var m Marker
	if len(raw) > maxMarker {
		return nil, mark(ErrCorrupt, fmt.Errorf("it is %d bytes long, over %d; %s", len(raw), maxMarker, remedy))
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, mark(ErrCorrupt, fmt.Errorf("it is not the JSON that was written there (%w); %s", err, remedy))
	}
	if m.Format < 1 {
		return nil, mark(ErrCorrupt, fmt.Errorf("format %d does not exist; %s", m.Format, remedy))
	}
	if m.Format > Format {
		return nil, mark(ErrNewer, fmt.Errorf("it was written by entente %.40q in format %d, and this is entente %s, which reads formats up to %d; "+
			"run entente %.40q or newer, or restore a backup made by this version with `entente restore FILE`",
			m.Product, m.Format, version.String(), Format, m.Product))
	}
	return &m, nil
}

// nextMarker is the marker after this program opened a folder marked old (nil: not marked).
func nextMarker(old *Marker, now time.Time) Marker {
	m := Marker{Format: Format, Product: version.String(), Kine: kineVersion, Created: now.UTC().Truncate(time.Second)}
	if old != nil {
		m.Created = old.Created
	}
	return m
}

// writeMarker replaces the marker durably.
func writeMarker(dir string, m Marker) error {
	raw, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encode the store's version marker: %w", err)
	}
	if err := writeFile(filepath.Join(dir, markerFile), append(raw, '\n')); err != nil {
		return fmt.Errorf("write the store's version marker: %w", err)
	}
	return nil
}
