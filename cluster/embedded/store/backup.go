package store

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/entente-mesh/entente/internal/version"
)

const (
	scratchPrefix = ".backup-"
	scratchAge    = time.Hour // a killed backup's leftovers are removed when they are this old
)

// BackupFile writes a backup of home to the file at path, mode 0600, because it holds keys. The file is there whole or
// not at all; one of the same name is replaced when the new one is whole.
func BackupFile(ctx context.Context, home Home, path string) (m Manifest, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return Manifest{}, fmt.Errorf("create the backup: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if m, err = Backup(ctx, home, f); err != nil {
		return Manifest{}, err
	}
	if err = f.Sync(); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return Manifest{}, fmt.Errorf("finish the backup: %w", err)
	}
	return m, errors.Join(f.Close(), syncDir(filepath.Dir(path)))
}

// Backup writes the objects and what belongs to them to w as a gzipped tar. It may be made while a server uses the
// store, by any process of the same user: what it holds is the state at one moment. The bytes contain private keys.
func Backup(ctx context.Context, home Home, w io.Writer) (m Manifest, err error) {
	if home, err = home.check(); err != nil {
		return Manifest{}, fmt.Errorf("back up: %w", err)
	}
	removeStale(home.Dir, scratchPrefix, scratchAge)
	scratch, err := os.MkdirTemp(home.Dir, scratchPrefix) // mode 0700
	if err != nil {
		return Manifest{}, fmt.Errorf("back up: make room for a copy: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(scratch)) }()

	b := &collection{home: home, scratch: scratch}
	if err := b.collect(ctx); err != nil {
		return Manifest{}, fmt.Errorf("back up: %w", err)
	}
	if err := b.write(ctx, w); err != nil {
		return Manifest{}, fmt.Errorf("back up: write the archive: %w", err)
	}
	return b.manifest, nil
}

// A collection is a private copy of all that goes into a backup: sizes and sums stand at the head of the archive, and the
// originals may change meanwhile.
type collection struct {
	home     Home
	scratch  string
	manifest Manifest
	copies   []string // where each member of the manifest lies
}

func (b *collection) collect(ctx context.Context) error {
	marker, err := readMarker(b.home.at(b.home.Store))
	if err != nil {
		return err
	}
	if marker == nil {
		return fmt.Errorf("%s holds no store yet; start entente once", b.home.at(b.home.Store))
	}
	b.manifest = Manifest{
		Format: ArchiveFormat, Product: version.String(), Created: time.Now().UTC().Truncate(time.Second), Store: *marker,
	}
	database := filepath.Join(b.scratch, databaseFile)
	if err := copyDatabase(ctx, b.home.at(b.home.Store+"/"+databaseFile), database); err != nil {
		return err
	}
	if err := b.add(databaseMember, database, 0o600); err != nil {
		return err
	}
	raw, err := json.Marshal(marker)
	if err != nil {
		return err
	}
	if err := b.addCopy(markerMember, append(raw, '\n'), 0o600); err != nil {
		return err
	}
	for _, root := range b.home.roots()[1:] {
		before := len(b.copies)
		if err := b.addTree(ctx, root); err != nil {
			return err
		}
		b.manifest.Roots = append(b.manifest.Roots, Root{Path: root, Present: len(b.copies) > before})
	}
	return nil
}

// copyDatabase writes a compact copy of the database at one moment, beside any number of readers and writers.
func copyDatabase(ctx context.Context, from, to string) error {
	if info, err := os.Stat(from); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", from)
	}
	db, err := sql.Open(sqliteDriver, "file:"+from+"?mode=ro&_busy_timeout=10000")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `VACUUM INTO ?`, to)
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("copy store %s: %w", from, err)
	}
	return os.Chmod(to, 0o600)
}

// addTree copies the regular files at and below root. A file that goes away meanwhile was a temporary one.
func (b *collection) addTree(ctx context.Context, root string) error {
	return filepath.WalkDir(b.home.at(root), func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || e.IsDir() {
			return errors.Join(err, ctx.Err())
		}
		if !e.Type().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a folder; move it away", path)
		}
		rel, err := filepath.Rel(b.home.Dir, path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if info.Size() > maxFile {
			return fmt.Errorf("%s is %d bytes long, over %d", path, info.Size(), maxFile)
		}
		raw, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		return b.addCopy(homeMembers+filepath.ToSlash(rel), raw, info.Mode().Perm())
	})
}

// addCopy keeps raw aside as one member.
func (b *collection) addCopy(name string, raw []byte, mode fs.FileMode) error {
	path := filepath.Join(b.scratch, fmt.Sprintf("%05d", len(b.copies)))
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		return err
	}
	return b.add(name, path, mode)
}

// add lists the copy at path as one member.
func (b *collection) add(name, path string, mode fs.FileMode) error {
	if err := checkName(name); err != nil {
		return fmt.Errorf("file name %q: %w", name, err)
	}
	if len(b.copies) == maxMembers {
		return fmt.Errorf("there are more than %d files", maxMembers)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	b.copies = append(b.copies, path)
	b.manifest.Members = append(b.manifest.Members, Member{
		Name: name, Size: size, Mode: uint32(mode.Perm()), SHA256: hex.EncodeToString(sum.Sum(nil)),
	})
	return nil
}

func (b *collection) write(ctx context.Context, w io.Writer) error {
	raw, err := json.MarshalIndent(b.manifest, "", "  ")
	if err != nil {
		return err
	}
	packed := gzip.NewWriter(w)
	tw := tar.NewWriter(packed)
	if err := writeMember(tw, manifestName, b.manifest.Created, int64(len(raw)), strings.NewReader(string(raw))); err != nil {
		return err
	}
	for i, m := range b.manifest.Members {
		f, err := os.Open(b.copies[i])
		if err != nil {
			return err
		}
		err = writeMember(tw, m.Name, b.manifest.Created, m.Size, reader{ctx, f})
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return errors.Join(tw.Close(), packed.Close())
}

func writeMember(tw *tar.Writer, name string, at time.Time, size int64, r io.Reader) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: at}
	if err := tw.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.Copy(tw, r)
	return err
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// removeStale removes what killed runs left in dir under prefix and what is older than age. What cannot be removed
// stays: it is in nobody's way.
func removeStale(dir, prefix string, age time.Duration) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && strings.HasPrefix(e.Name(), prefix) && time.Since(info.ModTime()) >= age {
			_ = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
}
