package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/entente-mesh/entente/xds/cache"
)

// Config is what a Server needs. Listener, Authenticator and Views are required; the zero value of everything else works.
type Config struct {
	Listener      net.Listener // closed when Run returns
	Authenticator Authenticator
	Views         Views
	Metrics       *Metrics     // shared by the servers of a process
	Log           *slog.Logger // nil: nothing is logged

	Bounds Bounds
	// Ping is how long a connection may be silent before the server asks whether its peer is still there, and Patience how long it then
	// waits for the answer: a half-open connection ends after both. Defaults 30 s and 10 s.
	Ping, Patience time.Duration
	// Hello is how long a stream may wait with its first request. Default 10 s.
	Hello time.Duration
	// Drain bounds an orderly stop: streams that have not ended by then are cut off. Default 5 s.
	Drain time.Duration
}

// A Server feeds the Envoys that connect to one listener. It is a run.Task.
type Server struct {
	config   Config
	urls     [cache.Types]string // of the types
	grpc     *grpc.Server
	ready    chan struct{}
	stopping chan struct{} // closed when Run's context has ended: streams tell their clients to come back later

	crew      *crew
	receivers sync.WaitGroup // one goroutine for each stream
	refusals  refusals
}

// New returns a server that waits for Run.
func New(config Config) *Server {
	if config.Metrics == nil {
		config.Metrics = NewMetrics(nil)
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	config.Bounds = config.Bounds.orDefault()
	config.Ping = orDefault(config.Ping, 30*time.Second)
	config.Patience = orDefault(config.Patience, 10*time.Second)
	config.Hello = orDefault(config.Hello, 10*time.Second)
	config.Drain = orDefault(config.Drain, 5*time.Second)
	s := &Server{config: config, ready: make(chan struct{}), stopping: make(chan struct{}), crew: newCrew()}
	for t := range s.urls {
		s.urls[t] = cache.Type(t).URL() //nolint:gosec // there are few types
	}
	s.grpc = grpc.NewServer(s.options()...)
	s.grpc.RegisterService(service(), s)
	return s
}

// String names the server by its address, where it has one that others reach.
func (s *Server) String() string {
	if at := s.config.Listener.Addr(); at.Network() != "unix" {
		return "xDS server on " + at.String()
	}
	return "xDS server"
}

// Ready is closed when Run accepts connections.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Run serves until ctx ends. Then it sends every connection a GOAWAY and ends the streams, so that clients reconnect, with the versions that
// they hold, to whoever listens next.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.grpc.Serve(s.config.Listener) }()
	close(s.ready) // the listener takes connections since it was made
	select {
	case err := <-served:
		s.grpc.Stop()
		s.dismiss()
		return fmt.Errorf("serve xDS on %v: %w", s.config.Listener.Addr(), err)
	case <-ctx.Done():
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		s.grpc.GracefulStop()
	}()
	close(s.stopping)
	patience := time.NewTimer(s.config.Drain)
	defer patience.Stop()
	select {
	case <-drained:
	case <-patience.C:
		s.grpc.Stop()
		<-drained
	}
	s.dismiss()
	if err := <-served; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("serve xDS on %v: %w", s.config.Listener.Addr(), err)
	}
	return nil
}

// dismiss waits for all goroutines of a server whose streams have ended.
func (s *Server) dismiss() {
	s.receivers.Wait()
	s.crew.dismiss()
}

// options are chosen for thousands of connections that are idle most of the time, each with one stream: no buffer is kept that is not in
// use, and nothing is measured that nobody reads.
func (s *Server) options() []grpc.ServerOption {
	const (
		streamWindow = 256 << 10 // bytes that a client may send ahead of us
		connWindow   = 512 << 10
		streams      = 16       // for each connection; Envoy opens one
		headers      = 16 << 10 // bytes of a request's headers
	)
	c := s.config
	options := []grpc.ServerOption{
		grpc.Creds(transport{c.Authenticator, s.refuseConnection}),
		grpc.ForceServerCodecV2(codec{}),
		// Fixed windows: grpc-go would else measure the bandwidth with a ping for each message that comes in.
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connWindow),
		grpc.MaxConcurrentStreams(streams),
		grpc.MaxHeaderListSize(headers),
		grpc.MaxRecvMsgSize(c.Bounds.Message),
		grpc.ConnectionTimeout(10 * time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: c.Ping, Timeout: c.Patience, MaxConnectionIdle: time.Minute}),
		// Envoy pings from its side too. Without this, grpc-go takes a ping every 30 s on a quiet stream for an attack and hangs up.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	}
	if c.Authenticator.Buffered() {
		// A buffer of grpc-go's would stay with the connection. One that reads from a socket itself is lent its buffer only while it reads.
		options = append(options, grpc.ReadBufferSize(0))
	}
	return options
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}
