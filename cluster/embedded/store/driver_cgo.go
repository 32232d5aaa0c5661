//go:build cgo

package store

import (
	"errors"

	"github.com/mattn/go-sqlite3"
)

// sqliteDriver is the library that kine uses in this build. Two SQLite libraries in one process must not open one file:
// POSIX locks belong to the process, and the first to close the file drops the other's.
const sqliteDriver = "sqlite3"

// sqliteCode is the primary result code of err, 0 if it is none of SQLite's.
func sqliteCode(err error) int {
	var e sqlite3.Error
	if errors.As(err, &e) {
		return int(e.Code) & 0xff
	}
	return 0
}
