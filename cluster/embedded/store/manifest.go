package store

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/entente-mesh/entente/internal/version"
)

const (
	// ArchiveFormat is the newest layout of backups that this program reads and the one that it writes.
	ArchiveFormat = 1

	manifestName = "manifest.json"
	maxManifest  = 4 << 20  // bytes
	maxMembers   = 10_000   // files
	maxDatabase  = 64 << 30 // bytes
	maxFile      = 64 << 20 // bytes; every other file

	// The store's files have names of their own in an archive, so that a restore finds them wherever the store's folder
	// is; the other files are under home/ with their path in the data home.
	databaseMember = "store/" + databaseFile
	markerMember   = "store/" + markerFile
	homeMembers    = "home/"
)

// Manifest is the first member of a backup: what else is in it, and from where it came.
type Manifest struct {
	Format  int       `json:"format"`  // layout of the archive; see ArchiveFormat
	Product string    `json:"product"` // version of the program that made it
	Created time.Time `json:"created"` // UTC
	Store   Marker    `json:"store"`   // of the store inside
	Roots   []Root    `json:"roots"`   // what was asked to be kept beside the store
	Members []Member  `json:"members"` // the files in their order in the archive
}

// Root is one file or folder of the data home that was to be kept beside the store.
type Root struct {
	Path    string `json:"path"`
	Present bool   `json:"present"` // it held at least one file
}

// Member is one file of the archive.
type Member struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // bytes
	Mode   uint32 `json:"mode"` // permission bits
	SHA256 string `json:"sha256"`
}

// total is the room that the members take, in bytes.
func (m Manifest) total() (sum int64) {
	for _, member := range m.Members {
		sum += member.Size
	}
	return sum
}

// parseManifest reads and judges a manifest. Allowed are the paths beside the store that a restore may replace.
func parseManifest(raw []byte, allowed []string) (Manifest, error) {
	var number struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(raw, &number); err != nil {
		return Manifest{}, fmt.Errorf("its manifest is not JSON: %w", err)
	}
	if number.Format > ArchiveFormat {
		return Manifest{}, mark(ErrNewer, fmt.Errorf("it has format %d, and this is entente %s, which reads formats up to %d; restore it with a newer version",
			number.Format, version.String(), ArchiveFormat))
	}
	var m Manifest
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return Manifest{}, fmt.Errorf("its manifest: %w", err)
	}
	if m.Format < 1 {
		return Manifest{}, fmt.Errorf("its manifest has format %d, which does not exist", m.Format)
	}
	if marker, err := json.Marshal(m.Store); err != nil {
		return Manifest{}, fmt.Errorf("the marker in its manifest: %w", err)
	} else if _, err := parseMarker(marker); err != nil {
		return Manifest{}, fmt.Errorf("the store in it: %w", err)
	}
	if err := m.checkRoots(allowed); err != nil {
		return Manifest{}, err
	}
	return m, m.checkMembers()
}

func (m Manifest) checkRoots(allowed []string) error {
	seen := make(map[string]bool)
	for _, root := range m.Roots {
		if !slices.Contains(allowed, root.Path) {
			return fmt.Errorf("it holds %q, which does not belong to this data home", root.Path)
		}
		if seen[root.Path] {
			return fmt.Errorf("its manifest names %q twice", root.Path)
		}
		seen[root.Path] = true
	}
	return nil
}

func (m Manifest) checkMembers() error {
	if len(m.Members) > maxMembers {
		return fmt.Errorf("it has %d files, over %d", len(m.Members), maxMembers)
	}
	seen := make(map[string]bool)
	for _, member := range m.Members {
		limit := int64(maxFile)
		if member.Name == databaseMember {
			limit = maxDatabase
		}
		switch sum, err := hex.DecodeString(member.SHA256); {
		case !m.known(member.Name):
			return fmt.Errorf("its file %q has no place in a data home", member.Name)
		case seen[member.Name]:
			return fmt.Errorf("its file %q is there twice", member.Name)
		case member.Size < 0 || member.Size > limit:
			return fmt.Errorf("its file %q claims %d bytes, which is not between 0 and %d", member.Name, member.Size, limit)
		case member.Mode&^0o777 != 0:
			return fmt.Errorf("its file %q has mode %o", member.Name, member.Mode)
		case err != nil || len(sum) != 32:
			return fmt.Errorf("its file %q has no SHA-256", member.Name)
		}
		seen[member.Name] = true
	}
	if !seen[databaseMember] || !seen[markerMember] {
		return fmt.Errorf("it lacks %s or %s", databaseMember, markerMember)
	}
	return nil
}

// known tells whether a file of this name may be in the archive.
func (m Manifest) known(name string) bool {
	if name == databaseMember || name == markerMember {
		return true
	}
	if checkName(name) != nil || len(name) <= len(homeMembers) || name[:len(homeMembers)] != homeMembers {
		return false
	}
	return slices.ContainsFunc(m.Roots, func(r Root) bool { return r.Present && within(name[len(homeMembers):], r.Path) })
}
