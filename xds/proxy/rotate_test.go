package proxy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A real Envoy writes on where it was told to.
func TestARealEnvoyOpensItsAccessLogAnew(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	r := start(t, p.config("hello")).awaitReady()
	log := filepath.Join(filepath.Dir(p.dir), "access.log")
	if err := os.Rename(log, log+".aside"); err != nil {
		t.Fatal(err)
	}
	if err := r.Admin().ReopenLogs(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := p.client()
	defer c.CloseIdleConnections()
	if _, err := ask(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil { // which writes what is pending
		t.Fatal(err)
	}
	text, err := os.ReadFile(log)
	if err != nil || strings.Count(string(text), "\n") != 1 {
		t.Errorf("the new log has %q, %v, want one line", text, err)
	}
}
