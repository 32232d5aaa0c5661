package store

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// spare is the disk space, in bytes, that unpacking leaves free.
const spare = 64 << 20

// unpack verifies a backup into dir, which is laid out like the data home afterwards. The bytes may be anybody's: sizes
// are bounded before anything is written, names come from the verified manifest alone, nothing but regular files is made.
func unpack(ctx context.Context, r io.Reader, home Home, dir string) (Manifest, error) {
	packed, err := gzip.NewReader(reader{ctx, r})
	if err != nil {
		return Manifest{}, fmt.Errorf("it is not compressed by gzip: %w", err)
	}
	m, err := unpackTar(tar.NewReader(packed), home, dir)
	if err != nil {
		return Manifest{}, err
	}
	// Reading on to the end checks gzip's own sum; a bomb after the last member ends the reading instead.
	if n, err := io.Copy(io.Discard, io.LimitReader(packed, 1<<20)); err != nil {
		return Manifest{}, fmt.Errorf("its end is broken: %w", err)
	} else if n == 1<<20 {
		return Manifest{}, errors.New("it goes on after its last file")
	}
	return m, packed.Close()
}

func unpackTar(tr *tar.Reader, home Home, dir string) (Manifest, error) {
	head, err := tr.Next()
	if err != nil {
		return Manifest{}, fmt.Errorf("it is not a tar archive: %w", err)
	}
	if head.Typeflag != tar.TypeReg || head.Name != manifestName || head.Size > maxManifest {
		return Manifest{}, fmt.Errorf("it does not begin with %s of at most %d bytes", manifestName, maxManifest)
	}
	raw, err := io.ReadAll(io.LimitReader(tr, maxManifest))
	if err != nil {
		return Manifest{}, fmt.Errorf("read its manifest: %w", err)
	}
	m, err := parseManifest(raw, home.Paths)
	if err != nil {
		return Manifest{}, err
	}
	if err := roomFor(m.total(), dir); err != nil {
		return Manifest{}, err
	}
	for _, member := range m.Members {
		head, err := tr.Next()
		if err != nil {
			return Manifest{}, fmt.Errorf("it ends before %q: %w", member.Name, err)
		}
		if sparse(head) {
			return Manifest{}, fmt.Errorf("its file %q has holes, which no backup of ours has", member.Name)
		}
		if head.Typeflag != tar.TypeReg || head.Name != member.Name || head.Size != member.Size {
			return Manifest{}, fmt.Errorf("it holds %q of %d bytes where its manifest says %q of %d bytes", head.Name, head.Size, member.Name, member.Size)
		}
		if err := unpackFile(tr, member, filepath.Join(dir, filepath.FromSlash(placeOf(member.Name, home)))); err != nil {
			return Manifest{}, err
		}
	}
	if head, err := tr.Next(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = fmt.Errorf("there is %q", head.Name)
		}
		return Manifest{}, fmt.Errorf("it goes on after its last file: %w", err)
	}
	return m, nil
}

// sparse tells whether the file's holes are left out of the archive, so that a few bytes could fill a disk.
func sparse(head *tar.Header) bool {
	for name := range head.PAXRecords {
		if strings.HasPrefix(name, "GNU.sparse.") {
			return true
		}
	}
	return head.Typeflag == tar.TypeGNUSparse
}

// placeOf turns a member's name into its path in the data home.
func placeOf(member string, home Home) string {
	if name, ok := strings.CutPrefix(member, homeMembers); ok {
		return name
	}
	return home.Store + "/" + strings.TrimPrefix(member, "store/")
}

// unpackFile writes one member durably and checks its sum. The path is new: dir was empty, and names are unique.
func unpackFile(r io.Reader, m Member, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(r, m.Size))
	if err == nil {
		err = f.Chmod(os.FileMode(m.Mode&0o755 | 0o600)) // never writable by others, always readable by its owner
	}
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("unpack %q: %w", m.Name, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); n != m.Size || got != m.SHA256 {
		return fmt.Errorf("its file %q is not what its manifest says: %d bytes, SHA-256 %s", m.Name, n, got)
	}
	return nil
}

// roomFor refuses an archive that would fill the disk.
func roomFor(size int64, dir string) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("ask for free space in %s: %w", dir, err)
	}
	if free := int64(fs.Bavail) * int64(fs.Bsize); size > free-spare {
		return fmt.Errorf("unpacking it takes %d bytes, and %s has %d bytes free; make room and try again", size, dir, free)
	}
	return nil
}

// verifyStore asks SQLite about an unpacked store, without a time limit, and refuses a schema that could run code.
func verifyStore(ctx context.Context, dir string) error {
	path := filepath.Join(dir, databaseFile)
	if _, err := inspect(ctx, path, true); err != nil {
		return fmt.Errorf("the store in it: %w", err)
	}
	db, err := openReadOnly(path)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // read-only: nothing can be lost
	var strange int
	const query = `SELECT count(*) FROM sqlite_schema WHERE type NOT IN ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%'`
	if err := db.QueryRowContext(ctx, query).Scan(&strange); err != nil {
		return fmt.Errorf("read the schema of the store in it: %w", err)
	}
	if strange > 0 {
		return errors.New("the store in it has triggers, views or virtual tables, which none of ours has")
	}
	problem, err := quickCheck(ctx, db)
	if err != nil {
		return fmt.Errorf("check the store in it: %w", err)
	}
	if problem != "" {
		return fmt.Errorf("the store in it is damaged: %s", problem)
	}
	return nil
}

// verifyMarker compares the unpacked marker with the manifest.
func verifyMarker(dir string, m Manifest) error {
	got, err := readMarker(dir)
	if err != nil {
		return err
	}
	if got == nil || !got.Created.Equal(m.Store.Created) || got.Format != m.Store.Format {
		want, err := json.Marshal(m.Store)
		return errors.Join(fmt.Errorf("its %s is not the one of its manifest, %s", markerMember, want), err)
	}
	return nil
}
