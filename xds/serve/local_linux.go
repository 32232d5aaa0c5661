package serve

import (
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Local lets in processes of this machine over a unix socket: those that run as our own user, or as root. They all belong to one domain.
// The socket's own mode should keep others out already.
type Local struct{ Domain string }

// Handshake asks the kernel who connected.
func (l Local) Handshake(raw net.Conn) (net.Conn, Proof, error) {
	conn, ok := raw.(*net.UnixConn)
	if !ok {
		return nil, nil, fmt.Errorf("the peer of a %s connection cannot be known: listen on a unix socket", raw.LocalAddr().Network())
	}
	uid, err := peerUID(conn)
	if err != nil {
		return nil, nil, fmt.Errorf("ask who connected to %s: %w", conn.LocalAddr(), err)
	}
	if own := os.Geteuid(); uid != 0 && uid != own {
		return nil, nil, fmt.Errorf("user %d connected to %s, which is for user %d: run Envoy as that user", uid, conn.LocalAddr(), own)
	}
	right := Right{Domain: l.Domain}
	return conn, func(time.Time) (Right, error) { return right, nil }, nil
}

// Buffered is false: a socket hands on what the kernel holds.
func (l Local) Buffered() bool { return false }

// String is "local".
func (l Local) String() string { return "local" }

// peerUID is the effective user of the process that called connect, as the kernel noted it then.
func peerUID(conn *net.UnixConn) (int, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) { cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err != nil {
		return 0, err
	}
	if failed != nil {
		return 0, failed
	}
	return int(cred.Uid), nil
}
