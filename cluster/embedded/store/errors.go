package store

import "errors"

// What a caller may branch on. Every error of this package that belongs to one of these wraps it.
var (
	// ErrCorrupt marks a store whose bytes cannot be trusted.
	ErrCorrupt = errors.New("store is damaged")
	// ErrNewer marks a store or archive that was written by a newer format than this program knows.
	ErrNewer = errors.New("format is newer than this program knows")
	// ErrInUse marks a store that another running process holds.
	ErrInUse = errors.New("store is in use")
	// ErrUnreachable marks an external datastore that did not answer.
	ErrUnreachable = errors.New("datastore is unreachable")
	// ErrExternal marks a backup or restore of a datastore that is not the embedded one.
	ErrExternal = errors.New("datastore is external")
	// ErrArchive marks bytes that are no whole backup of ours.
	ErrArchive = errors.New("not a usable backup")
)

// marked gives err's text to a sentinel: errors.Is finds the sentinel, the user reads the text alone.
type marked struct {
	error
	kind error
}

func (m marked) Unwrap() []error { return []error{m.error, m.kind} }

func mark(kind, err error) error { return marked{err, kind} }
