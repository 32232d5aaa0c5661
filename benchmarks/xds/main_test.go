package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/entente-mesh/entente/xds/cache"
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
		{"a section that there is not", "-only everything", "no such section"},
		{"a system that nobody has", "-systems istio", "no such system"},
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

// Every system must come to the end of every section, with figures. What they are is not for a test.
func TestAQuickRunFillsEveryTable(t *testing.T) {
	t.Parallel()
	var out, progress bytes.Buffer
	if err := run(t.Context(), []string{"-quick", "-only", "confirm,cost,memory,reconnect"}, &out, &progress); err != nil {
		t.Fatalf("%v; it said\n%s", err, progress.String())
	}
	for _, s := range sections(planned(true)) {
		for _, f := range s.figures {
			row := rowOf(out.String(), f.Title)
			if row == "" {
				t.Errorf("%s: no row %q in\n%s", s.key, f.Title, out.String())
			} else if missing := strings.Count(row, "–"); missing > 2 || missing > 0 && !strings.Contains(row, "commit") { // bare grpc-go has no commit, hence no ratio
				t.Errorf("%s: a figure is missing: %s", s.key, row)
			}
		}
	}
}

func rowOf(table, title string) string {
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, title+" ") {
			return line
		}
	}
	return ""
}

func TestOursHasNoneOfTheKnownBugs(t *testing.T) {
	t.Parallel()
	for _, b := range bugs() {
		for _, state := range b.state {
			t.Run(b.name+dialectOf(state), func(t *testing.T) {
				t.Parallel()
				found, err := examine(t.Context(), shortDir(t), newUs(), func(ctx context.Context, p patient, target string) error {
					d, err := talk(ctx, target, state, 500*time.Millisecond)
					if err != nil {
						return err
					}
					return b.story(p, d)
				})
				if err != nil || found != nil {
					t.Errorf("found %v, error %v", found, err)
				}
			})
		}
	}
}

// A story that nobody can fail shows nothing: a server that says nothing must fail each.
func TestEveryStoryCanFail(t *testing.T) {
	t.Parallel()
	for _, b := range bugs() {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			d := &dialogue{
				silence: time.Millisecond, send: func(ask) error { return nil }, said: make(chan reply),
				asked: make(map[cache.Type][]string), newest: make(map[cache.Type]string),
			}
			if err := b.story(newUs(), d); !errors.Is(err, errSilence) {
				t.Errorf("want an error of silence, got %v", err)
			}
		})
	}
}

// shortDir is a folder whose name leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "entente-bench-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// The client is ours, so that it must be shown to speak HTTP/2: long messages in several frames, two messages in one, pings and settings.
func TestACallTakesMessagesHoweverTheyAreCut(t *testing.T) {
	t.Parallel()
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	long, short := bytes.Repeat([]byte("x"), 3*largest), []byte("short")
	frames := http2.NewFramer(server, server)
	served := make(chan error, 1)
	go func() { served <- serveCut(server, frames, long, short) }()

	c, err := openCall(client, deltaMethod)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]byte{long, short, short} {
		got, err := c.receive()
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("want %d bytes, got %d, %v", len(want), len(got), err)
		}
	}
	if _, err := c.receive(); !errors.Is(err, errEnded) {
		t.Errorf("want the end of the stream, got %v", err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func serveCut(conn net.Conn, frames *http2.Framer, long, short []byte) error {
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return err
	}
	for range 3 { // settings, window, headers
		if _, err := frames.ReadFrame(); err != nil {
			return err
		}
	}
	message := func(m []byte) []byte {
		return append([]byte{0, 0, byte(len(m) >> 16), byte(len(m) >> 8), byte(len(m))}, m...)
	}
	answered := func(write error) error { // the client answers settings and pings
		_, err := frames.ReadFrame()
		return errors.Join(write, err)
	}
	data := message(long)
	return steps(
		func() error { return answered(frames.WriteSettings()) },
		func() error { return frames.WriteData(1, false, data[:3]) },
		func() error { return answered(frames.WritePing(false, [8]byte{1})) },
		func() error { return frames.WriteData(1, false, data[3:largest]) },
		func() error { return frames.WriteData(1, false, data[largest:2*largest]) },
		func() error { return frames.WriteData(1, false, data[2*largest:3*largest]) },
		func() error { return frames.WriteData(1, false, data[3*largest:]) },
		func() error { return frames.WriteData(1, false, append(message(short), message(short)...)) },
		func() error { return frames.WriteRSTStream(1, http2.ErrCodeCancel) },
	)
}
