package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

const (
	// checkTime bounds the page check at start. A store too large for it goes on: a start must not wait for minutes, and
	// SQLite still refuses a damaged page when it reads it.
	checkTime = 400 * time.Millisecond

	// bloat is the number of free bytes from which a store that is mostly free space is rewritten at start.
	bloat = 64 << 20

	remedy = "restore a backup with `entente restore FILE`"

	sqliteCorrupt   = 11 // SQLITE_CORRUPT
	sqliteNotADB    = 26 // SQLITE_NOTADB
	sqliteInterrupt = 9  // SQLITE_INTERRUPT
)

// damage is the reason for which a database cannot be trusted.
type damage string

func (d damage) Error() string { return string(d) }

// inspect looks at the database file without changing it. A damaged one gives a damage, one that is mostly free space is
// wasteful. Marked says that the folder carries a version marker: then a database was there once and must still be. A log
// left by a killed process is read like SQLite reads it, not judged.
func inspect(ctx context.Context, path string, marked bool) (wasteful bool, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if marked {
			return false, damage("the file is gone, while the " + markerFile + " marker beside it is still there")
		}
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the store: %w", err)
	}
	if !info.Mode().IsRegular() {
		return false, fmt.Errorf("store %s is not a regular file; move it away or choose another data home", path)
	}
	hasLog := false
	if log, err := os.Stat(path + "-wal"); err == nil {
		hasLog = log.Size() > 0
	}
	if info.Size() == 0 && !hasLog {
		if marked {
			return false, damage("it is empty")
		}
		return false, nil // a first start that was interrupted
	}
	if info.Size() > 0 {
		head, err := readHead(path)
		if err != nil {
			return false, fmt.Errorf("read the store's header: %w", err)
		}
		if problem := headerProblem(head, info.Size(), hasLog); problem != "" {
			return false, damage(problem)
		}
	}
	return inspectTables(ctx, path, marked)
}

func readHead(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	head := make([]byte, headerSize)
	n, err := io.ReadFull(f, head)
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		err = nil // headerProblem judges the length
	}
	return head[:n], errors.Join(err, f.Close())
}

// inspectTables asks SQLite itself.
func inspectTables(ctx context.Context, path string, marked bool) (wasteful bool, err error) {
	db, err := openReadOnly(path)
	if err != nil {
		return false, fmt.Errorf("open store %s: %w", path, err)
	}
	defer func() { _ = db.Close() }() // read-only: nothing can be lost

	var tables, columns, free, pages, pageSize int64
	err = db.QueryRowContext(ctx, `SELECT
		(SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'),
		(SELECT count(*) FROM pragma_table_info('kine') WHERE name IN
			('id', 'name', 'created', 'deleted', 'create_revision', 'prev_revision', 'lease', 'value', 'old_value')),
		(SELECT freelist_count FROM pragma_freelist_count()),
		(SELECT page_count FROM pragma_page_count()),
		(SELECT page_size FROM pragma_page_size())`).Scan(&tables, &columns, &free, &pages, &pageSize)
	if err != nil {
		return false, judge(path, err)
	}
	if tables == 0 && !marked {
		return false, nil // a first start that was interrupted
	}
	if columns != 9 {
		return false, damage("it is an SQLite database without the table kine that holds the objects")
	}
	bounded, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	if problem, err := quickCheck(bounded, db); err != nil && bounded.Err() == nil {
		return false, judge(path, err)
	} else if problem != "" {
		return false, damage(problem)
	}
	return free*pageSize > bloat && free > pages/2, nil
}

// quickCheck returns the first problem that SQLite finds in the pages.
func quickCheck(ctx context.Context, db *sql.DB) (problem string, err error) {
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&problem); err != nil {
		return "", err
	}
	if problem == "ok" {
		return "", nil
	}
	// One line: SQLite puts a heading before what it found.
	return strings.ReplaceAll(strings.TrimPrefix(problem, "*** in database main ***\n"), "\n", "; "), nil
}

// judge tells damage from every other reason for which SQLite may fail.
func judge(path string, err error) error {
	switch sqliteCode(err) {
	case sqliteCorrupt, sqliteNotADB:
		return damage(err.Error())
	case sqliteInterrupt:
		return nil // the time was up: go on
	default:
		return fmt.Errorf("check store %s: %w", path, err)
	}
}

// openReadOnly opens a database so that nothing in it can change and no code in its schema runs.
func openReadOnly(path string) (*sql.DB, error) {
	db, err := sql.Open(sqliteDriver, "file:"+path+"?mode=ro&_query_only=true&_busy_timeout=2000")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}
