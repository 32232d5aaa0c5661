package bootstrap

import (
	"fmt"
	"path"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
)

// MaxSocketPath is how many bytes the path of a unix socket may have: sun_path of unix(7) holds 108 with the zero at its end.
const MaxSocketPath = 107

// CheckSocket says what is wrong with a path as the place of a unix socket; what is the socket's name in the error.
func CheckSocket(what, socket string) error {
	switch {
	case !path.IsAbs(socket):
		return fmt.Errorf("%s %q: give an absolute path", what, socket)
	case strings.ContainsRune(socket, 0):
		return fmt.Errorf("%s %q: a path has no zero byte", what, socket)
	case len(socket) > MaxSocketPath:
		return fmt.Errorf("%s %s: %d bytes, but the kernel allows %d: choose a shorter folder", what, socket, len(socket), MaxSocketPath)
	}
	return nil
}

// pipe is the address of a unix socket that only its owner may open.
func pipe(socket string) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: socket, Mode: 0o600}}}
}
