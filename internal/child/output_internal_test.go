package child

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestArchiveFilesThatAreWrittenQuicklyDoNotReplaceEachOther(t *testing.T) {
	t.Parallel()
	const size = 16<<20 + 4711
	log := Log{File: filepath.Join(t.TempDir(), "envoy.log"), MaxSizeMB: 1, MaxFiles: 100}
	o := &fileOutput{log: log, archive: log.rotating(archiveName(log.File))}
	if err := o.put(strings.NewReader(strings.Repeat("x", size))); err != nil {
		t.Fatal(err)
	}
	if err := o.archive.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(log.File), "envoy.old*.log"))
	if err != nil {
		t.Fatal(err)
	}
	var total int64
	for _, f := range files {
		total += fileSize(f)
	}
	if total != size {
		t.Errorf("%d bytes in %d files, want %d", total, len(files), size)
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 5000) + "\n"
	cases := []struct {
		name string
		text string
		from int64
		want string
	}{
		{"nothing was written", "old\n", 4, ""},
		{"only what is new counts", "old\nnew\n", 4, "new"},
		{"a file that was put aside since is read from its start", "new\n", 1000, "new"},
		{"at most ten lines", strings.Repeat("x\n", 20), 0, strings.TrimSpace(strings.Repeat("x\n", 10))},
		{"at most four KiB", long, 0, long[:4095]},
		{"bytes that are no text are replaced", "a\xffb\n", 0, "a?b"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "log")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(tail(path, c.from), "\n"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestPutReportsAnArchiveThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	log := Log{File: "/dev/null/envoy.log", MaxSizeMB: 1}
	o := &fileOutput{log: log, archive: log.rotating(archiveName(log.File))}
	if err := o.put(io.LimitReader(strings.NewReader("x"), 1)); err == nil {
		t.Error("put returned nil")
	}
}
