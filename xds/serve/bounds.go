package serve

import (
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Bounds limit what one request may hold. A zero field has the default, which leaves room for an Envoy that comes back with the versions of
// 100,000 resources.
type Bounds struct {
	Message int // bytes of a whole request; default 16 MiB
	Names   int // resource names and versions together; default 250,000
	Text    int // bytes of one name, version, nonce or type; default 2,048
}

func (b Bounds) orDefault() Bounds {
	if b.Message <= 0 {
		b.Message = 16 << 20
	}
	if b.Names <= 0 {
		b.Names = 250_000
	}
	if b.Text <= 0 {
		b.Text = 2048
	}
	return b
}

// tooMuch is the answer to a request that is out of bounds. It ends the stream.
func tooMuch(what string, limit int) error {
	return status.Error(codes.ResourceExhausted, fmt.Sprintf("the request has more than %d %s: ask for less, or raise the server's bound", limit, what))
}

// malformed is the answer to bytes that are no discovery request. It ends the stream.
func malformed(what string) error {
	return status.Error(codes.InvalidArgument, "the request cannot be read: "+what)
}
