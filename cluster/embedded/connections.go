package embedded

import (
	"net"
	"sync"
)

// connections is a listener that can cut off everyone it let in. HTTP/2 gives every connection, idle or not, a second to
// say goodbye, and watches never end by themselves: a stop that waits for them is slow for nothing, because every client of
// Kubernetes must survive a cut connection anyway.
type connections struct {
	net.Listener

	mu   sync.Mutex
	open map[*connection]struct{} // guarded by mu; nil after CutOff
}

type connection struct {
	net.Conn
	of *connections
}

func countConnections(l net.Listener) *connections {
	return &connections{Listener: l, open: map[*connection]struct{}{}}
}

// Accept waits for the next connection. One that comes after CutOff is closed at once.
func (l *connections) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: inner, of: l}
	l.mu.Lock()
	late := l.open == nil
	if !late {
		l.open[c] = struct{}{}
	}
	l.mu.Unlock()
	if late {
		_ = inner.Close() // the next read says so
	}
	return c, nil
}

// CutOff closes all connections that are open, and those that come later.
func (l *connections) CutOff() {
	l.mu.Lock()
	open := l.open
	l.open = nil
	l.mu.Unlock()
	for c := range open {
		_ = c.Conn.Close() // a connection that is closed already is what is wanted
	}
}

// Close closes the connection and forgets it.
func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}
