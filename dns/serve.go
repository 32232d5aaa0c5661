package dns

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/forward"
	"github.com/coredns/coredns/plugin/pkg/proxy"
	"github.com/coredns/coredns/plugin/pkg/transport"
)

// ServerConfig is what a Server needs beside a Handler's Config.
type ServerConfig struct {
	Config
	// Listen are the addresses on which it answers over UDP and TCP. Port 0 takes a free one, the same for both. Required.
	Listen []netip.AddrPort
	// Upstream are the name servers for all other names; empty means that these are refused. See Upstreams.
	Upstream []netip.AddrPort
	// Log takes what goes wrong; nil means nobody.
	Log *slog.Logger
}

// A Server is CoreDNS with this plugin and forward, inside another process. It uses none of CoreDNS's global state: neither its Corefile
// and signals nor its log of queries, so that a process may have several. It is a run.Task.
type Server struct {
	config  ServerConfig
	handler *Handler
	ready   chan struct{}

	mu sync.Mutex
	// Guarded by mu.
	addresses []netip.AddrPort
}

// NewServer makes a server, which opens its sockets when it runs.
func NewServer(c ServerConfig) *Server {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	h := New(c.Config)
	h.packed = true // nobody in the chain below looks at messages
	return &Server{config: c, handler: h, ready: make(chan struct{})}
}

// String names the server.
func (s *Server) String() string { return "DNS" }

// Ready is closed when the server listens and has seen a mesh.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Addresses are where the server listens, in the order of ServerConfig.Listen; nil until it does.
func (s *Server) Addresses() []netip.AddrPort {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addresses
}

// Run answers until ctx ends; then it finishes the queries that have come in.
func (s *Server) Run(ctx context.Context) error {
	sockets, err := open(ctx, s.config.Listen)
	if err != nil {
		return err
	}
	s.mu.Lock()
	for _, socket := range sockets {
		s.addresses = append(s.addresses, socket.address)
	}
	s.mu.Unlock()
	upstream := s.upstream()
	if upstream != nil {
		defer func() { _ = upstream.OnShutdown() }() // it only stops goroutines and always returns nil
	}
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { s.handler.Follow(stop) })
	wg.Go(func() {
		select {
		case <-s.handler.Synced():
			close(s.ready)
		case <-stop.Done():
		}
	})
	failed := make(chan error, 2*len(sockets)) // room for all: nobody waits to tell
	var servers sync.WaitGroup
	for _, socket := range sockets {
		servers.Go(func() {
			if err := socket.serve(stop, s.chain); err != nil {
				failed <- err
			}
			cancel()
		})
	}
	servers.Wait()
	cancel()
	wg.Wait()
	close(failed)
	return <-failed
}

// upstream forwards to the configured name servers; nil if there are none.
func (s *Server) upstream() *forward.Forward {
	if len(s.config.Upstream) == 0 {
		s.handler.Next = plugin.HandlerFunc(refuse)
		return nil
	}
	f := forward.New()
	for _, server := range s.config.Upstream {
		f.SetProxy(proxy.NewProxy(f.Name(), server.String(), transport.DNS))
	}
	s.handler.Next = f
	return f
}

// chain is the one server block: it writes down errors and answers.
func (s *Server) chain(address netip.AddrPort) *dnsserver.Config {
	c := &dnsserver.Config{Zone: ".", ListenHosts: []string{address.Addr().String()}, Transport: transport.DNS}
	c.AddPlugin(func(next plugin.Handler) plugin.Handler { return &front{next: next} })
	c.AddPlugin(func(next plugin.Handler) plugin.Handler { return &reporter{next: next, log: s.config.Log} })
	c.AddPlugin(func(plugin.Handler) plugin.Handler { return s.handler })
	return c
}

// A socket is one address over both transports.
type socket struct {
	address  netip.AddrPort
	listener net.Listener
	packets  net.PacketConn
}

// open opens all sockets or none.
func open(ctx context.Context, addresses []netip.AddrPort) ([]*socket, error) {
	var sockets []*socket
	for _, address := range addresses {
		s, err := openOne(ctx, address)
		if err != nil {
			for _, s := range sockets {
				s.close()
			}
			return nil, fmt.Errorf("listen for DNS queries on %s: %w; choose another address, or stop who has it", address, err)
		}
		sockets = append(sockets, s)
	}
	return sockets, nil
}

// portAttempts is how often a free port is taken that turns out to be in use over the other transport.
const portAttempts = 16

func openOne(ctx context.Context, address netip.AddrPort) (*socket, error) {
	var config net.ListenConfig
	for attempt := 1; ; attempt++ {
		listener, err := config.Listen(ctx, "tcp", address.String())
		if err != nil {
			return nil, err
		}
		bound := netip.AddrPortFrom(address.Addr(), listener.Addr().(*net.TCPAddr).AddrPort().Port()) //nolint:forcetypeassert // it listens on TCP
		packets, err := config.ListenPacket(ctx, "udp", bound.String())
		if err == nil {
			return &socket{address: bound, listener: listener, packets: packets}, nil
		}
		_ = listener.Close() // nobody has used it
		if address.Port() != 0 || attempt == portAttempts {
			return nil, err
		}
	}
}

// close closes both; that either was closed before is no error.
func (s *socket) close() {
	_ = s.listener.Close()
	_ = s.packets.Close()
}

// serve answers on the socket until ctx ends or it breaks.
func (s *socket) serve(ctx context.Context, chain func(netip.AddrPort) *dnsserver.Config) error {
	defer s.close()
	server, err := dnsserver.NewServer(transport.DNS+"://"+s.address.String(), []*dnsserver.Config{chain(s.address)})
	if err != nil {
		return fmt.Errorf("serve DNS on %s: %w", s.address, err)
	}
	broken := make(chan error, 2)
	var wg sync.WaitGroup
	wg.Go(func() { broken <- server.Serve(s.listener) })
	wg.Go(func() { broken <- server.ServePacket(s.packets) })
	select {
	case err = <-broken:
	case <-ctx.Done():
	}
	ended := ctx.Err() != nil
	stopErr := server.Stop()
	s.close() // a server that was stopped before it had begun to read begins all the same
	wg.Wait()
	switch {
	case !ended:
		return fmt.Errorf("serve DNS on %s: %w", s.address, err)
	case stopErr != nil:
		return fmt.Errorf("stop DNS on %s with queries still open: %w", s.address, stopErr)
	}
	return nil
}
