package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"

	"github.com/entente-mesh/entente/benchmarks/proc"

	_ "github.com/entente-mesh/entente/dns"
)

// A Server is CoreDNS in a process of its own. Its methods are called by the benchmark from another process, one at a time.
type Server struct {
	ctx      context.Context // the process's; net/rpc has none
	config   *dnsserver.Config
	instance *caddy.Instance
	profile  *os.File // that is being written
}

// newServer makes CoreDNS ready: the plugins in the order of a stock one, and the probe, which adds nothing to the chain but remembers it.
func newServer(ctx context.Context) *Server {
	s := &Server{ctx: ctx}
	plugin.Register("probe", func(c *caddy.Controller) error {
		s.config = dnsserver.GetConfig(c)
		return nil
	})
	return s
}

// Begin runs CoreDNS with the Corefile.
func (s *Server) Begin(corefile string, _ *int) error {
	if err := dnsserver.SetDirectives([]string{"probe", "errors", "hosts", "entente", "kubernetes"}); err != nil {
		return fmt.Errorf("order the plugins: %w", err)
	}
	caddy.Quiet, dnsserver.Quiet = true, true
	instance, err := caddy.Start(caddy.CaddyfileInput{ServerTypeName: "dns", Contents: []byte(corefile)})
	if err != nil {
		return fmt.Errorf("start CoreDNS: %w", err)
	}
	s.instance = instance
	return nil
}

// Handle says what shall be asked of a plugin, without the server around it.
type Handle struct {
	Plugin string
	Names  []string
	Times  int
}

// Handled is what that took, for each question.
type Handled struct {
	Took        time.Duration // CPU time
	Allocations float64
}

// Handle asks the plugin itself for addresses.
func (s *Server) Handle(h Handle, reply *Handled) error {
	i := slices.IndexFunc(s.config.Handlers(), func(p plugin.Handler) bool { return p.Name() == h.Plugin })
	if i < 0 {
		return fmt.Errorf("no plugin %s answers here", h.Plugin)
	}
	handler := s.config.Handlers()[i]
	q := new(dns.Msg).SetQuestion(".", dns.TypeA)
	w := &test.ResponseWriter{}
	ask := func(times int) error {
		for n := range times {
			q.Question[0].Name = h.Names[n%len(h.Names)]
			if rcode, err := handler.ServeDNS(s.ctx, w, q); rcode != dns.RcodeSuccess || err != nil {
				return errors.Join(fmt.Errorf("%s is answered with %s", q.Question[0].Name, dns.RcodeToString[rcode]), err)
			}
		}
		return nil
	}
	if err := ask(h.Times / 10); err != nil { // not counted
		return err
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begun, err := proc.OwnCPU()
	if err != nil {
		return err
	}
	if err := ask(h.Times); err != nil {
		return err
	}
	ended, err := proc.OwnCPU()
	runtime.ReadMemStats(&after)
	reply.Took = (ended - begun) / time.Duration(h.Times)
	reply.Allocations = float64(after.Mallocs-before.Mallocs) / float64(h.Times)
	return err
}

// Profile begins a CPU profile in the file; an empty name ends it.
func (s *Server) Profile(path string, _ *int) error {
	if path == "" {
		pprof.StopCPUProfile()
		return s.profile.Close()
	}
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write a profile: %w", err)
	}
	s.profile = file
	if err := pprof.StartCPUProfile(file); err != nil {
		return fmt.Errorf("write a profile: %w", err)
	}
	return nil
}

// freeAddress is a loopback address whose port was free a moment ago, over both transports.
func freeAddress() (string, error) {
	const attempts = 16
	var errs error
	for range attempts {
		listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // local
		if err != nil {
			return "", fmt.Errorf("find a free port: %w", err)
		}
		packets, err := net.ListenPacket("udp", listener.Addr().String()) //nolint:noctx // local
		if err == nil {
			return listener.Addr().String(), errors.Join(packets.Close(), listener.Close())
		}
		errs = errors.Join(errs, err, listener.Close())
	}
	return "", fmt.Errorf("find a free port: %w", errs)
}
