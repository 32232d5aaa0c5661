package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
)

// TestMain lets the test program be a side of a measurement, as the benchmark program can.
func TestMain(m *testing.M) {
	if role, ok := sideOf(os.Args); ok {
		exit(role())
	}
	os.Exit(m.Run())
}

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, args, want string }{
		{"a format that nobody writes", "-format xml", "table or benchstat"},
		{"a negative number of rounds", "-rounds -1", "positive"},
		{"a word too many", "-quick now", `unexpected argument "now"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if err := run(t.Context(), strings.Fields(tc.args), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("want an error with %q, got %v", tc.want, err)
			}
		})
	}
}

// Every system must come to the end, with figures. What they are is not for a test.
func TestAQuickRunFillsTheTable(t *testing.T) {
	t.Parallel()
	var out, progress bytes.Buffer
	if err := run(t.Context(), []string{"-quick"}, &out, &progress); err != nil {
		t.Fatalf("%v; it said\n%s", err, progress.String())
	}
	for _, f := range figures() {
		at := strings.Index(out.String(), "\n"+f.Title+" ")
		if at < 0 {
			t.Errorf("no row %q in\n%s", f.Title, out.String())
			continue
		}
		row, _, _ := strings.Cut(out.String()[at+1:], "\n")
		if strings.Contains(row, "–") && !strings.Contains(row, "watch event") { // hosts watches nothing
			t.Errorf("a figure is missing: %s", row)
		}
	}
}

func TestEveryNameIsAskedFor(t *testing.T) {
	t.Parallel()
	sys := systems()[0]
	seen := make(map[string]bool)
	for _, name := range sys.names(10_000) {
		seen[name] = true
	}
	if len(seen) != 10_000 {
		t.Errorf("want 10000 names, got %d", len(seen))
	}
}

func TestAReplyWithoutAnAddressIsNoAnswer(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		reply []byte
		good  bool
	}{
		{"one address", []byte{0, 1, 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0}, true},
		{"no such name", []byte{0, 1, 0x84, 3, 0, 1, 0, 0, 0, 0, 0, 0}, false},
		{"nothing of this type", []byte{0, 1, 0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0}, false},
		{"half a header", []byte{0, 1, 0x84}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if err := good(tc.reply); (err == nil) != tc.good {
				t.Errorf("got %v", err)
			}
		})
	}
}
