package serve

import (
	"context"
	"errors"
	"net"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
)

// A Right is what a connection has proved about its other end, and so what its streams may see.
type Right struct {
	Domain  string    // the domain whose resources it may see
	Gateway string    // the only gateway of the domain for which it may speak; empty: any
	Until   time.Time // when the right ends, and its streams with it; zero: never
}

// A Proof is asked at the beginning of each stream what its connection may see, so that what has changed since the handshake counts. Its
// errors are gRPC statuses, which Envoy logs: they say what was wrong and what to do.
type Proof func(now time.Time) (Right, error)

// An Authenticator finds out who is at the other end of a connection.
type Authenticator interface {
	// Handshake is called once for each new connection, which has a deadline then. It returns the connection to speak over. An error closes
	// raw; a peer that shall be told what is wrong gets a Proof that says so.
	Handshake(raw net.Conn) (net.Conn, Proof, error)
	// Buffered says whether the connections that Handshake returns read ahead themselves.
	Buffered() bool
	// String names the way of proving, such as "mtls".
	String() string
}

// transport is an Authenticator as grpc-go wants it.
type transport struct {
	Authenticator
	refused func(from net.Addr, err error) // told of handshakes that failed, which grpc-go keeps to itself
}

// proven is what a connection carries about its peer.
type proven struct {
	kind  string
	proof Proof
}

// AuthType names the way of proving.
func (p proven) AuthType() string { return p.kind }

func (t transport) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	conn, proof, err := t.Handshake(raw)
	if err != nil {
		t.refused(raw.RemoteAddr(), err)
		return nil, nil, err
	}
	return conn, proven{kind: t.String(), proof: proof}, nil
}

func (t transport) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("these credentials are a server's")
}

func (t transport) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: t.String()}
}

func (t transport) Clone() credentials.TransportCredentials { return t }

func (t transport) OverrideServerName(string) error { return nil }

// rightOf is what the connection of a stream has proved. Its errors are gRPC statuses.
func rightOf(ctx context.Context, now time.Time) (Right, error) {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return Right{}, status.Error(codes.Unauthenticated, "the connection has proved nothing")
	}
	who, ok := p.AuthInfo.(proven)
	if !ok {
		return Right{}, status.Error(codes.Unauthenticated, "the connection has proved nothing")
	}
	right, err := who.proof(now)
	if err != nil {
		return Right{}, err
	}
	if right.Domain == "" { // an Authenticator that forgot to say: nobody, rather than everybody
		return Right{}, status.Error(codes.Unauthenticated, "the connection belongs to no domain")
	}
	return right, nil
}
