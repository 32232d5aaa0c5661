package golden

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDir(t *testing.T) { Dir(t, "testdata", upper) }

func upper(_ testing.TB, in map[string][]byte) map[string][]byte {
	out := map[string][]byte{}
	for name, data := range in {
		out[name] = bytes.ToUpper(data)
	}
	return out
}

// A recorder is a testing.TB that notes what is reported instead of failing.
type recorder struct {
	testing.TB
	failed bool
	text   string
}

func (r *recorder) Helper()                    {}
func (r *recorder) Failed() bool               { return r.failed }
func (r *recorder) Logf(f string, args ...any) {}

func (r *recorder) Errorf(f string, args ...any) {
	r.failed = true
	r.text += fmt.Sprintf(f, args...) + "\n"
}

func (r *recorder) Fatalf(f string, args ...any) {
	r.Errorf(f, args...)
	runtime.Goexit()
}

// record runs f the way a test is run, and returns what it reported.
func record(f func(testing.TB)) *recorder {
	r := &recorder{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
	return r
}

func TestArchive(t *testing.T) {
	const given = "A comment.\n\nIn two parts.\n-- in/b --\nbee\n-- in/a --\nay\n"
	const agreed = given + "-- out/a --\nAY\n-- out/b --\nBEE\n"
	cases := []struct {
		name  string
		text  string
		mk    Make
		fails []string // parts of the report; none: the test passes
		after string   // what an update makes of it; empty: unchanged
	}{
		{name: "equal outputs pass", text: agreed},
		{
			name:  "a different output fails and is rewritten",
			text:  strings.Replace(agreed, "AY", "ax", 1),
			fails: []string{"-want +got", `"ax\n"`, `"AY\n"`, "GOLDEN_UPDATE=1"},
			after: agreed,
		},
		{
			name:  "a missing output fails and is added",
			text:  given + "-- out/a --\nAY\n",
			fails: []string{`"b"`},
			after: agreed,
		},
		{
			name:  "a stale output fails and is deleted",
			text:  agreed + "-- out/c --\nSEA\n",
			fails: []string{`"c"`},
			after: agreed,
		},
		{
			name: "an output without a last newline is taken as if it had one",
			text: "-- in/a --\nay\n-- out/a --\nAY\n",
			mk: func(testing.TB, map[string][]byte) map[string][]byte {
				return map[string][]byte{"a": []byte("AY")}
			},
		},
		{
			name:  "a file of neither kind fails, also in an update",
			text:  agreed + "-- oot/c --\nSEA\n",
			fails: []string{"oot/c"},
		},
		{
			name:  "two files of one name fail, also in an update",
			text:  agreed + "-- out/b --\nBEE\n",
			fails: []string{"same name"},
		},
		{
			name: "an output that would break the archive fails and leaves it alone",
			text: agreed,
			mk: func(testing.TB, map[string][]byte) map[string][]byte {
				return map[string][]byte{"a": []byte("-- out/b --\n")}
			},
			fails: []string{"out/b"},
		},
		{
			name: "a failure of the code under test keeps its outputs out of the archive",
			text: agreed,
			mk: func(t testing.TB, _ map[string][]byte) map[string][]byte {
				t.Errorf("cannot")
				return nil
			},
			fails: []string{"cannot"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			mk, after := c.mk, c.after
			if mk == nil {
				mk = upper
			}
			if after == "" {
				after = c.text
			}
			path := filepath.Join(t.TempDir(), "case.txtar")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}

			compared := record(func(t testing.TB) { archive(t, path, mk, false) })
			expect(t, compared, c.fails)
			same(t, path, c.text)

			updated := record(func(t testing.TB) { archive(t, path, mk, true) })
			if wantFailed := len(c.fails) > 0 && c.after == ""; updated.failed != wantFailed {
				t.Errorf("update failed: %v, want %v: %s", updated.failed, wantFailed, updated.text)
			}
			same(t, path, after)
			if c.after != "" {
				expect(t, record(func(t testing.TB) { archive(t, path, mk, false) }), nil)
			}
		})
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "file")
	check := func(got string, update bool) *recorder {
		return record(func(t testing.TB) { file(t, path, []byte(got), update) })
	}
	expect(t, check("one", false), []string{"no such file", "GOLDEN_UPDATE=1"})
	expect(t, check("one", true), nil)
	same(t, path, "one")
	expect(t, check("one", false), nil)
	expect(t, check("two", false), []string{`"one"`, `"two"`})
	same(t, path, "one")
	expect(t, check("two", true), nil)
	same(t, path, "two")
}

// expect checks that the report names all parts, or that there was none.
func expect(t *testing.T, r *recorder, parts []string) {
	t.Helper()
	if r.failed != (len(parts) > 0) {
		t.Errorf("failed: %v, want %v: %s", r.failed, len(parts) > 0, r.text)
	}
	for _, part := range parts {
		if !strings.Contains(r.text, part) {
			t.Errorf("the report does not name %s:\n%s", part, r.text)
		}
	}
}

func same(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}
