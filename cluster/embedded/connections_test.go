//go:build lite

package embedded

import (
	"errors"
	"io"
	"net"
	"testing"
)

// dial connects to the listener and returns both ends.
func dial(t *testing.T, l net.Listener) (client, server net.Conn) {
	t.Helper()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return client, server
}

func TestConnections(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := countConnections(inner)
	t.Cleanup(func() { _ = l.Close() })

	_, first := dial(t, l)
	second, _ := dial(t, l)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if len(l.open) != 1 {
		t.Errorf("%d connections are remembered after one of two was closed, want 1", len(l.open))
	}
	l.CutOff()
	if _, err := second.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a client that was cut off reads %v, want the end", err)
	}
	late, _ := dial(t, l)
	if _, err := late.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("a client that came after the cut reads %v, want the end", err)
	}
	l.CutOff() // a second time is harmless
}
