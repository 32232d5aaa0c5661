package store

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// withDatabase changes the database of an archive and corrects its sum.
func withDatabase(t testing.TB, archive []byte, change func(path string)) []byte {
	t.Helper()
	return edit(t, archive, func(m *Manifest, files map[string][]byte, _ map[string]*tar.Header) {
		path := filepath.Join(t.TempDir(), databaseFile)
		must(t, os.WriteFile(path, files[databaseMember], 0o600))
		change(path)
		raw, err := os.ReadFile(path)
		must(t, err)
		sum := sha256.Sum256(raw)
		files[databaseMember], m.Members[0].Size, m.Members[0].SHA256 = raw, int64(len(raw)), hex.EncodeToString(sum[:])
	})
}

func TestAFileWithHolesIsRecognized(t *testing.T) { // a few bytes could fill a disk
	t.Parallel()
	for name, head := range map[string]*tar.Header{
		"the old GNU way": {Typeflag: tar.TypeGNUSparse},
		"the new GNU way": {Typeflag: tar.TypeReg, PAXRecords: map[string]string{"GNU.sparse.major": "1"}},
	} {
		if !sparse(head) {
			t.Errorf("%s is taken for a plain file", name)
		}
	}
	if sparse(&tar.Header{Typeflag: tar.TypeReg, PAXRecords: map[string]string{"path": "x"}}) {
		t.Error("a plain file with a long name is refused")
	}
}

// FuzzArchive feeds tar bytes, past gzip's sum: whatever they are, nothing is written outside the folder, nothing but
// plain files and folders in it, and no more than the manifest may announce.
func FuzzArchive(f *testing.F) {
	small := func() []byte { // the real thing without its large database, so that mutations reach the headers
		sum := sha256.Sum256([]byte("db"))
		member := func(name string) string {
			return `{"name":"` + name + `","size":2,"mode":384,"sha256":"` + hex.EncodeToString(sum[:]) + `"}`
		}
		manifest := `{"format":1,"store":{"format":1},"roots":[{"path":"pki","present":true}],"members":[` +
			member(databaseMember) + "," + member(markerMember) + "," + member("home/pki/a") + `]}`
		var out bytes.Buffer
		tw := tar.NewWriter(&out)
		for _, e := range [][2]string{{manifestName, manifest}, {databaseMember, "db"}, {markerMember, "db"}, {"home/pki/a", "db"}} {
			must(f, tw.WriteHeader(&tar.Header{Name: e[0], Size: int64(len(e[1])), Mode: 0o600, Typeflag: tar.TypeReg}))
			_, err := io.WriteString(tw, e[1])
			must(f, err)
		}
		must(f, tw.Close())
		return out.Bytes()
	}()
	home := Home{Store: "store", Paths: []string{"pki"}}
	if _, err := unpackTar(tar.NewReader(bytes.NewReader(small)), home, f.TempDir()); err != nil {
		f.Fatalf("the seed is not accepted: %v", err)
	}
	f.Add(small)
	f.Add(bytes.ReplaceAll(small, []byte("home/pki/a"), []byte("home/../.a")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		outer := inMemory(t)
		dir := filepath.Join(outer, "in")
		must(t, os.Mkdir(dir, 0o700))
		_, _ = unpackTar(tar.NewReader(bytes.NewReader(raw)), home, dir) // any answer is right; what is written counts
		var size int64
		must(t, filepath.WalkDir(outer, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if !strings.HasPrefix(path, dir) && path != outer {
				t.Errorf("%s was made outside", path)
			}
			if !e.IsDir() && !e.Type().IsRegular() {
				t.Errorf("%s is a %s", path, e.Type())
			}
			info, err := e.Info()
			if err == nil && !e.IsDir() {
				size += info.Size()
			}
			return err
		}))
		if size > int64(len(raw)) {
			t.Errorf("%d bytes became %d", len(raw), size)
		}
	})
}

// inMemory is a folder in memory where the system has one: every file is synced, which a disk does a few hundred times a
// second.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "fuzz")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return dir
}

// FuzzManifest: what is accepted names only files that have a place.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"format":1,"store":{"format":1},"roots":[{"path":"pki","present":true}],"members":[]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := parseManifest(raw, []string{"pki"})
		if err != nil {
			return
		}
		for _, member := range m.Members {
			if place := placeOf(member.Name, Home{Store: "store"}); !filepath.IsLocal(place) || !within(place, "pki") && !within(place, "store") {
				t.Errorf("accepted %q, which goes to %q", member.Name, place)
			}
		}
	})
}

// BenchmarkUnpack shows what a restore costs.
func BenchmarkUnpack(b *testing.B) {
	archive := backupOf(b)
	home := Home{Store: "var/store", Paths: []string{"pki", "etc/node.yaml", "etc/absent"}}
	b.ReportAllocs()
	for b.Loop() {
		packed, err := gzip.NewReader(bytes.NewReader(archive))
		must(b, err)
		_, err = unpackTar(tar.NewReader(packed), home, b.TempDir())
		must(b, err)
	}
}
