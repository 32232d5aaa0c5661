package store

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Home is a data home as far as backup and restore care: where the store is and what belongs to it.
type Home struct {
	Dir   string // the data home
	Store string // folder of the embedded store inside Dir, slash-separated

	// Paths are the files and folders inside Dir, slash-separated, that a restore must bring back together with the
	// store: the keys first of all. Those that do not exist are recorded as absent.
	Paths []string

	// Datastore is the datastoreEndpoint. With an external one backup and restore refuse.
	Datastore string
}

// check judges what the caller wrote and returns the home with an absolute Dir.
func (h Home) check() (Home, error) {
	ds, err := ParseDatastore(h.Datastore)
	if err != nil {
		return Home{}, err
	}
	if ds.Kind != SQLite {
		return Home{}, mark(ErrExternal, fmt.Errorf("the objects are in %s, not in the data home; back it up and restore it with %s's own tools", ds, ds.Kind))
	}
	if h.Dir, err = filepath.Abs(h.Dir); err != nil {
		return Home{}, fmt.Errorf("data home: %w", err)
	}
	if err := plainPath(h.Dir); err != nil {
		return Home{}, err
	}
	roots := append([]string{h.Store}, h.Paths...)
	for i, root := range roots {
		if err := checkName(root); err != nil {
			return Home{}, fmt.Errorf("path %q of the data home: %w", root, err)
		}
		for _, other := range roots[:i] {
			if within(root, other) || within(other, root) {
				return Home{}, fmt.Errorf("paths %q and %q of the data home overlap", other, root)
			}
		}
		if slices.ContainsFunc([]string{stagedDir, beforePrefix, restoreLock, scratchPrefix}, func(p string) bool { return strings.HasPrefix(root, p) }) {
			return Home{}, fmt.Errorf("path %q of the data home is reserved for backup and restore", root)
		}
	}
	return h, nil
}

// at is the place of a slash-separated name inside the home.
func (h Home) at(name string) string { return filepath.Join(h.Dir, filepath.FromSlash(name)) }

// roots are all that a restore may replace.
func (h Home) roots() []string {
	return append([]string{h.Store}, slices.Sorted(slices.Values(h.Paths))...)
}

// checkName admits a clean relative slash-separated path that stays inside its folder.
func checkName(name string) error {
	switch {
	case name == "" || len(name) > 1024:
		return errors.New("its length is not between 1 and 1024 bytes")
	case !filepath.IsLocal(name) || path.Clean(name) != name || name == ".":
		return errors.New("it is not a clean relative path")
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' || r == 0xfffd }):
		return errors.New("it contains a control character, a backslash or broken text")
	}
	return nil
}

// within tells whether name is root or lies in it.
func within(name, root string) bool { return name == root || strings.HasPrefix(name, root+"/") }
