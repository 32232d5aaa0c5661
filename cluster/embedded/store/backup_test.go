package store

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// newHome is an empty data home whose keys are in pki and whose settings are one file.
func newHome(t testing.TB) Home {
	t.Helper()
	return Home{Dir: t.TempDir(), Store: "var/store", Paths: []string{"pki", "etc/node.yaml", "etc/absent"}}
}

func (h Home) config(t testing.TB) Config {
	return Config{Dir: h.at(h.Store), RunDir: runDir(t), Synchronous: "NORMAL"}
}

// writeKeys fills the paths beside the store.
func (h Home) writeKeys(t testing.TB, mark string) {
	t.Helper()
	for name, mode := range map[string]fs.FileMode{"pki/ca.key": 0o600, "pki/ca.crt": 0o644, "pki/etcd/peer.key": 0o600, "etc/node.yaml": 0o640} {
		if err := os.MkdirAll(filepath.Dir(h.at(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(h.at(name), []byte(mark+" "+name), mode); err != nil {
			t.Fatal(err)
		}
	}
}

// keys reads every file beside the store, with modes.
func (h Home) keys(t testing.TB) map[string]string {
	t.Helper()
	got := make(map[string]string)
	for _, root := range h.Paths {
		err := filepath.WalkDir(h.at(root), func(path string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || e.IsDir() {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			raw, err := os.ReadFile(path)
			rel, relErr := filepath.Rel(h.Dir, path)
			got[rel] = fmt.Sprintf("%s %s", info.Mode(), raw)
			return errors.Join(err, relErr)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return got
}

// names are what the home's folder holds.
func (h Home) names(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir(h.Dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestABackupOfARunningServerRestoresOnAnotherMachine(t *testing.T) {
	t.Parallel()
	home := newHome(t)
	home.writeKeys(t, "first")
	want := func() map[string]string {
		h := startHelper(t, home.config(t).Dir, runDir(t)) // another process, as for the command
		return fill(t, h.client, "secrets", 30)
	}()
	keys := home.keys(t)
	file := filepath.Join(t.TempDir(), "backup.tgz")
	m, err := BackupFile(t.Context(), home, file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("backup file: %v, %v; want mode 0600", info.Mode(), err)
	}
	if diff := cmp.Diff([]Root{{Path: "etc/absent"}, {Path: "etc/node.yaml", Present: true}, {Path: "pki", Present: true}}, m.Roots); diff != "" {
		t.Errorf("roots (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"etc", "pki", "var"}, home.names(t)); diff != "" {
		t.Errorf("the data home after a backup (-want +got):\n%s", diff)
	}

	other := newHome(t)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	staged, err := Stage(t.Context(), f, other)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, staged.Manifest); diff != "" {
		t.Errorf("staged manifest (-want +got):\n%s", diff)
	}
	if waiting, err := Waiting(other); err != nil || waiting == nil {
		t.Errorf("a staged restore is not waiting: %v, %v", waiting, err)
	}
	applied, err := Apply(other)
	if err != nil || applied == nil {
		t.Fatalf("apply: %+v, %v", applied, err)
	}
	if diff := cmp.Diff(keys, other.keys(t)); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, content(t, start(t, other.config(t)).client)); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	if again, err := Apply(other); err == nil || again != nil { // the server above runs, but nothing is staged
		if err != nil || again != nil {
			t.Errorf("apply with nothing staged: %+v, %v", again, err)
		}
	}
}

func TestARestoreKeepsWhatItReplaces(t *testing.T) {
	t.Parallel()
	home := newHome(t)
	home.writeKeys(t, "first")
	first := start(t, home.config(t))
	old := fill(t, first.client, "pods", 5)
	var archive bytes.Buffer
	if _, err := Backup(t.Context(), home, &archive); err != nil {
		t.Fatal(err)
	}
	fill(t, first.client, "later", 5)
	newer := content(t, first.client)
	home.writeKeys(t, "later")
	must(t, os.WriteFile(home.at("etc/absent"), []byte("came later"), 0o600))
	newerKeys := home.keys(t)

	if _, err := Stage(t.Context(), &archive, home); err != nil { // while the server runs
		t.Fatal(err)
	}
	if _, err := Apply(home); !errors.Is(err, ErrInUse) {
		t.Fatalf("apply beside a running server: %v, want ErrInUse", err)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	applied, err := Apply(home)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := time.Parse(beforePrefix+beforeTimeForm, filepath.Base(applied.Before)); err != nil {
		t.Errorf("the folder of what was replaced is %s: %v", applied.Before, err)
	}
	second := start(t, home.config(t))
	if diff := cmp.Diff(old, content(t, second.client)); diff != "" {
		t.Errorf("restored objects (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(home.at("etc/absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that was absent when the backup was made: %v, want it moved away", err)
	}
	before := Home{Dir: applied.Before, Store: home.Store, Paths: home.Paths}
	if diff := cmp.Diff(newerKeys, before.keys(t)); diff != "" {
		t.Errorf("kept keys (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(newer, content(t, start(t, before.config(t)).client)); diff != "" {
		t.Errorf("kept objects (-want +got):\n%s", diff)
	}
}

func TestABackupUnderWritesHoldsOneMoment(t *testing.T) {
	t.Parallel()
	home := newHome(t)
	h := startHelper(t, home.config(t).Dir, runDir(t))
	const chains = 4
	stop, done := make(chan struct{}), make(chan error, chains)
	for c := range chains {
		go func() { // each chain writes 0, 1, 2 … in order: a moment holds a prefix of it
			for i := 0; ; i++ {
				select {
				case <-stop:
					done <- nil
					return
				default:
				}
				if _, created, err := create(t.Context(), h.client, fmt.Sprintf("/registry/chain/%d/%05d", c, i), "x"); err != nil || !created {
					done <- fmt.Errorf("chain %d at %d: created %v, %w", c, i, created, err)
					return
				}
			}
		}()
	}
	var archives []*bytes.Buffer
	for n := range 3 {
		fill(t, h.client, fmt.Sprintf("pace/%d", n), 20) // acknowledged before this backup, so it must be in it
		var archive bytes.Buffer
		if _, err := Backup(t.Context(), home, &archive); err != nil {
			t.Error(err)
		}
		archives = append(archives, &archive)
	}
	close(stop)
	for range chains {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	last := 0
	for n, archive := range archives {
		other := newHome(t)
		if _, err := Stage(t.Context(), archive, other); err != nil {
			t.Fatal(err)
		}
		if _, err := Apply(other); err != nil {
			t.Fatal(err)
		}
		got := content(t, start(t, other.config(t)).client)
		counts := make(map[string]int)
		paced := 0
		for key := range got {
			switch part := strings.Split(key, "/"); part[2] {
			case "chain":
				counts[part[3]]++
			case "pace":
				paced++
			}
		}
		if want := 20 * (n + 1); paced < want {
			t.Errorf("backup %d holds %d of %d keys that were acknowledged before it", n, paced, want)
		}
		for chain, count := range counts {
			for i := range count {
				if key := fmt.Sprintf("/registry/chain/%s/%05d", chain, i); got[key] == "" {
					t.Errorf("backup %d holds %d keys of chain %s, but not %s", n, count, chain, key)
				}
			}
		}
		if len(got) < last {
			t.Errorf("backup %d holds %d keys, fewer than the one before with %d", n, len(got), last)
		}
		last = len(got)
	}
	t.Logf("the last of %d backups held %d keys", len(archives), last)
}

func TestBackupAndRestoreRefuseWithAReason(t *testing.T) {
	t.Parallel()
	external := newHome(t)
	external.Datastore = "postgres://u:hunter2secret@db/alice"
	escaping := newHome(t)
	escaping.Paths = []string{"../other"}
	nested := newHome(t)
	nested.Paths = []string{"pki", "pki/ca"}
	linked := newHome(t)
	must(t, start(t, linked.config(t)).stop())
	must(t, os.Symlink("/etc/passwd", linked.at("pki")))
	tests := []struct {
		name string
		home Home
		kind error
		want string
	}{
		{"an external datastore", external, ErrExternal, "PostgreSQL's own tools"},
		{"a path outside the home", escaping, nil, "not a clean relative path"},
		{"paths within each other", nested, nil, "overlap"},
		{"a home without a store", newHome(t), nil, "start entente once"},
		{"a link among the keys", linked, nil, "neither a file nor a folder"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "b")
			_, err := BackupFile(t.Context(), tt.home, file)
			if err == nil || !strings.Contains(err.Error(), tt.want) || tt.kind != nil && !errors.Is(err, tt.kind) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if entries, _ := os.ReadDir(filepath.Dir(file)); len(entries) > 0 {
				t.Errorf("a failed backup left %v", entries)
			}
			if _, restoreErr := Stage(t.Context(), strings.NewReader(""), tt.home); restoreErr == nil {
				t.Error("a restore of it was accepted")
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %q repeats the password", err)
			}
		})
	}
}

// edit rewrites an archive: change gets the manifest and the members' bytes by name.
func edit(t testing.TB, archive []byte, change func(m *Manifest, files map[string][]byte, headers map[string]*tar.Header)) []byte {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	must(t, err)
	tr := tar.NewReader(unzipped)
	files, headers := make(map[string][]byte), make(map[string]*tar.Header)
	var order []string
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		must(t, err)
		raw, err := io.ReadAll(tr)
		must(t, err)
		order, files[h.Name], headers[h.Name] = append(order, h.Name), raw, h
	}
	var m Manifest
	must(t, json.Unmarshal(files[manifestName], &m))
	change(&m, files, headers)
	if !bytes.Equal(files[manifestName], []byte("keep")) {
		files[manifestName], err = json.Marshal(m)
		must(t, err)
	}
	for name := range headers {
		if !slices.Contains(order, name) {
			order = append(order, name)
		}
	}
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	tw := tar.NewWriter(zipped)
	for _, name := range order {
		h := headers[name]
		if h == nil {
			continue
		}
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(files[name]))
		}
		must(t, tw.WriteHeader(h))
		if h.Typeflag == tar.TypeReg {
			_, err := tw.Write(files[name])
			must(t, err)
		}
	}
	must(t, errors.Join(tw.Close(), zipped.Close()))
	return out.Bytes()
}

// backupOf is a small whole archive.
func backupOf(t testing.TB) []byte {
	t.Helper()
	home := newHome(t)
	home.writeKeys(t, "first")
	s := start(t, home.config(t))
	fill(t, s.client, "pods", 3)
	must(t, s.stop())
	var archive bytes.Buffer
	_, err := Backup(t.Context(), home, &archive)
	must(t, err)
	return archive.Bytes()
}

func TestAForeignOrDamagedArchiveIsRefusedAndLeavesNothing(t *testing.T) {
	t.Parallel()
	good := backupOf(t)
	type files = map[string][]byte
	type headers = map[string]*tar.Header
	edited := func(change func(*Manifest, files, headers)) []byte { return edit(t, good, change) }
	tests := []struct {
		name    string
		archive []byte
		kind    error
		want    string
	}{
		{"nothing at all", nil, ErrArchive, "gzip"},
		{"text", []byte("hello"), ErrArchive, "gzip"},
		{"half an archive", good[:len(good)/2], ErrArchive, "unexpected EOF"},
		{"a flipped bit in the middle", func() []byte { b := bytes.Clone(good); b[len(b)/2] ^= 4; return b }(), ErrArchive, ""},
		{"a changed file", edited(func(_ *Manifest, f files, _ headers) { f["home/pki/ca.key"] = []byte("first pki/ca.kez") }), ErrArchive, "SHA-256"},
		{"a longer file", edited(func(_ *Manifest, f files, _ headers) { f["home/pki/ca.key"] = []byte("much longer than it was") }), ErrArchive, "where its manifest says"},
		{"a file that climbs out", edited(func(m *Manifest, _ files, _ headers) { m.Members[2].Name = "home/pki/../../../etc/cron.d/x" }), ErrArchive, "no place"},
		{"an absolute name", edited(func(m *Manifest, _ files, _ headers) { m.Members[2].Name = "/etc/cron.d/x" }), ErrArchive, "no place"},
		{"a file beside the known paths", edited(func(m *Manifest, _ files, _ headers) { m.Members[2].Name = "home/bin/entente" }), ErrArchive, "no place"},
		{"a root that the home does not have", edited(func(m *Manifest, _ files, _ headers) { m.Roots[0].Path = "bin" }), ErrArchive, `"bin"`},
		{"a link instead of a file", edited(func(_ *Manifest, _ files, h headers) {
			h["home/pki/ca.key"].Typeflag, h["home/pki/ca.key"].Linkname, h["home/pki/ca.key"].Size = tar.TypeSymlink, "/etc/passwd", 0
		}), ErrArchive, "where its manifest says"},
		{"a missing file", edited(func(_ *Manifest, _ files, h headers) { delete(h, "home/pki/ca.key") }), ErrArchive, "where its manifest says"},
		{"a file too many", edited(func(_ *Manifest, f files, h headers) {
			h["x"], f["x"] = &tar.Header{Name: "x", Typeflag: tar.TypeReg, Mode: 0o600}, []byte("x")
		}), ErrArchive, "goes on after"},
		{"the same file twice", edited(func(m *Manifest, _ files, _ headers) { m.Members = append(m.Members, m.Members[2]) }), ErrArchive, "twice"},
		{"no database", edited(func(m *Manifest, _ files, _ headers) { m.Members = m.Members[1:] }), ErrArchive, "lacks"},
		{"a claim of more than the disk", edited(func(m *Manifest, _ files, _ headers) { m.Members[0].Size = maxDatabase + 1 }), ErrArchive, "claims"},
		{"a setuid mode", edited(func(m *Manifest, _ files, _ headers) { m.Members[2].Mode = 0o4755 }), ErrArchive, "mode 4755"},
		{"an archive of the future", edited(func(m *Manifest, _ files, _ headers) { m.Format = 2 }), ErrNewer, "format 2"},
		{"a store of the future", edited(func(m *Manifest, _ files, _ headers) { m.Store.Format = 2 }), ErrNewer, "in format 2"},
		{"another marker than announced", edited(func(m *Manifest, _ files, _ headers) { m.Store.Created = time.Unix(0, 0) }), ErrArchive, markerMember},
		{"a manifest of garbage", edited(func(_ *Manifest, f files, _ headers) { f[manifestName] = []byte("keep") }), ErrArchive, "JSON"},
		{"a store with a trigger", withDatabase(t, good, func(db string) {
			execute(t, db, `CREATE TRIGGER t AFTER INSERT ON kine BEGIN DELETE FROM kine; END`)
		}), ErrArchive, "triggers"},
		{"a damaged store whose sums are right", withDatabase(t, good, func(db string) {
			raw, err := os.ReadFile(db)
			must(t, err)
			copy(raw[4096:], bytes.Repeat([]byte{0xa5}, 8192))
			must(t, os.WriteFile(db, raw, 0o600))
		}), ErrArchive, "store in it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			home := newHome(t)
			_, err := Stage(t.Context(), bytes.NewReader(tt.archive), home)
			if !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %v with %q", err, tt.kind, tt.want)
			}
			if diff := cmp.Diff([]string{restoreLock}, home.names(t)); diff != "" {
				t.Errorf("left in the data home (-want +got):\n%s", diff)
			}
		})
	}
}
