package store

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// written is a folder with a store of a few hundred objects that was stopped cleanly.
func written(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "store")
	s := start(t, Config{Dir: dir, RunDir: runDir(t), Synchronous: "NORMAL"})
	fill(t, s.client, "configmaps", 200)
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestADamagedStoreIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	healthy := written(t)
	tests := []struct {
		name   string
		damage func(t *testing.T, dir, db string)
		kind   error
		want   []string
	}{
		{"a header of garbage", overwrite(0, bytes.Repeat([]byte("garbage "), 16)), ErrCorrupt, []string{databaseFile, "does not begin like"}},
		{"an impossible page size", overwrite(16, []byte{0x12, 0x34}), ErrCorrupt, []string{databaseFile, "page size"}},
		{"a file cut in half", func(t *testing.T, _, db string) { cut(t, db, 2) }, ErrCorrupt, []string{databaseFile, "truncated"}},
		{"a file cut to nothing", func(t *testing.T, _, db string) { must(t, os.Truncate(db, 0)) }, ErrCorrupt, []string{databaseFile, "empty"}},
		{"a file cut inside its header", func(t *testing.T, _, db string) { must(t, os.Truncate(db, 50)) }, ErrCorrupt, []string{databaseFile, "shorter than"}},
		{"a file that is gone", func(t *testing.T, _, db string) { must(t, os.Remove(db)) }, ErrCorrupt, []string{databaseFile, "gone"}},
		{"another program's database", func(t *testing.T, _, db string) {
			must(t, os.Remove(db))
			execute(t, db, `CREATE TABLE notes (text TEXT)`)
		}, ErrCorrupt, []string{databaseFile, "without the table kine"}},
		{"a dropped table", func(t *testing.T, _, db string) { execute(t, db, `DROP TABLE kine`) }, ErrCorrupt, []string{"without the table kine"}},
		{"a dropped column", func(t *testing.T, _, db string) {
			execute(t, db, `DROP INDEX kine_prev_revision_index`)
			execute(t, db, `ALTER TABLE kine DROP COLUMN lease`)
		}, ErrCorrupt, []string{"without the table kine"}},
		{"pages of noise", func(t *testing.T, _, db string) { noise(t, db) }, ErrCorrupt, []string{databaseFile}},
		{"a marker of garbage", overwriteMarker("{{{"), ErrCorrupt, []string{markerFile, "JSON"}},
		{"a marker without a format", overwriteMarker("{}"), ErrCorrupt, []string{markerFile, "format 0"}},
		{
			"a marker of the future", overwriteMarker(`{"format":7,"product":"v9.9.9","new":true}`), ErrNewer,
			[]string{markerFile, "v9.9.9", "format 7", "or newer"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "store")
			must(t, os.CopyFS(dir, os.DirFS(healthy)))
			tt.damage(t, dir, filepath.Join(dir, databaseFile))
			began := time.Now()
			_, err := New(t.Context(), Config{Dir: dir, RunDir: runDir(t)})
			if !errors.Is(err, tt.kind) {
				t.Fatalf("error %v, want %v", err, tt.kind)
			}
			for _, want := range append(tt.want, dir, "entente restore FILE") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q has more than one line", err)
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("the refusal took %v", took)
			}
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func overwrite(at int64, with []byte) func(*testing.T, string, string) {
	return func(t *testing.T, _, db string) {
		t.Helper()
		f, err := os.OpenFile(db, os.O_RDWR, 0)
		must(t, err)
		_, err = f.WriteAt(with, at)
		must(t, errors.Join(err, f.Close()))
	}
}

func overwriteMarker(with string) func(*testing.T, string, string) {
	return func(t *testing.T, dir, _ string) {
		t.Helper()
		must(t, os.WriteFile(filepath.Join(dir, markerFile), []byte(with), 0o600))
	}
}

func cut(t *testing.T, path string, by int64) {
	t.Helper()
	info, err := os.Stat(path)
	must(t, err)
	must(t, os.Truncate(path, info.Size()/by))
}

// noise overwrites every page but the first.
func noise(t *testing.T, db string) {
	t.Helper()
	raw, err := os.ReadFile(db)
	must(t, err)
	page := int(binary.BigEndian.Uint16(raw[16:]))
	for i := page; i < len(raw); i++ {
		raw[i] = byte(i*31 + i>>8)
	}
	must(t, os.WriteFile(db, raw, 0o600))
}

// execute runs one statement on a database that nobody else has open.
func execute(t testing.TB, path, statement string) {
	t.Helper()
	db, err := sql.Open(sqliteDriver, "file:"+path)
	must(t, err)
	_, err = db.Exec(statement)
	must(t, errors.Join(err, db.Close()))
}

func TestAnInterruptedFirstStartIsNoDamage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		leave func(t *testing.T, db string)
	}{
		{"nothing", func(*testing.T, string) {}},
		{"an empty file", func(t *testing.T, db string) { must(t, os.WriteFile(db, nil, 0o600)) }},
		{"a database without tables", func(t *testing.T, db string) {
			execute(t, db, `PRAGMA journal_mode=WAL`)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			tt.leave(t, filepath.Join(dir, databaseFile))
			fill(t, start(t, Config{Dir: dir, RunDir: runDir(t)}).client, "pods", 1)
		})
	}
}

func TestAHeaderIsJudgedWithTheLogBesideIt(t *testing.T) {
	t.Parallel()
	head := make([]byte, headerSize)
	copy(head, headerMagic)
	binary.BigEndian.PutUint16(head[16:], 4096)
	binary.BigEndian.PutUint32(head[24:], 7) // change counter
	binary.BigEndian.PutUint32(head[28:], 10)
	binary.BigEndian.PutUint32(head[92:], 7) // version-valid-for
	old := bytes.Clone(head)
	binary.BigEndian.PutUint32(old[92:], 6)
	large := bytes.Clone(head)
	binary.BigEndian.PutUint16(large[16:], 1)
	tests := []struct {
		name   string
		head   []byte
		size   int64
		hasLog bool
		want   string
	}{
		{"a whole file is fine", head, 40960, false, ""},
		{"a short file is truncated", head, 40959, false, "truncated"},
		{"a short file with a log may be in the middle of a checkpoint", head, 8192, true, ""},
		{"a page count that an old program did not keep is not believed", old, 8192, false, ""},
		{"a page size of 1 means 65536", large, 655360, false, ""},
		{"a header must be whole", head[:99], 99, false, "shorter"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := headerProblem(tt.head, tt.size, tt.hasLog)
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("problem %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte(headerMagic+strings.Repeat("\x10", 84)), int64(4096), false)
	f.Fuzz(func(t *testing.T, head []byte, size int64, hasLog bool) {
		if headerProblem(head, size, hasLog) == "" && !bytes.HasPrefix(head, []byte(headerMagic)) {
			t.Error("accepted without SQLite's magic")
		}
	})
}

func FuzzMarker(f *testing.F) {
	f.Add([]byte(`{"format":1,"product":"v1","kine":"v0","created":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"format":99}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if m, err := parseMarker(raw); err == nil && (m.Format < 1 || m.Format > Format) {
			t.Errorf("accepted format %d", m.Format)
		}
	})
}
