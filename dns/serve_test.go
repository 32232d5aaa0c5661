package dns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin/test"
	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/entente-mesh/entente/internal/run"
	"github.com/entente-mesh/entente/mesh"
)

var _ run.Task = (*Server)(nil)

// serve runs a server until the test ends and returns it and its address.
func serve(t testing.TB, c ServerConfig) (*Server, string) {
	t.Helper()
	c.Domain = "alice"
	if c.Listen == nil {
		c.Listen = loopback()
	}
	s := NewServer(c)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	select {
	case <-s.Ready():
	case err := <-done:
		done <- err
		t.Fatalf("Run: %v", err)
	}
	return s, s.Addresses()[0].String()
}

// holding is a mesh that never changes.
func holding(m *mesh.Mesh) func() (*mesh.Mesh, time.Time, <-chan struct{}) {
	_, get := changing(m)
	return get
}

func TestServerAnswersOverBothTransports(t *testing.T) {
	t.Parallel()
	_, address := serve(t, ServerConfig{Config: Config{Mesh: holding(alice())}})
	for _, network := range []string{"udp", "tcp"} {
		for _, c := range answerCases() {
			reply := over(t, network, address, ask(c.qname, c.qtype))
			want := test.Case{Rcode: c.rcode, Authoritative: true, Answer: records(t, c.answer...), Ns: records(t, c.ns...), Extra: records(t, c.extra...)}
			if c.rcode == toTheNext {
				want = test.Case{Rcode: dns.RcodeRefused} // there is no upstream
			}
			want.Qname, want.Qtype = c.qname, c.qtype
			if c.answer != nil && c.qname == "outside.alice.svc." && c.qtype == dns.TypeA {
				want.Rcode, want.Answer, want.Authoritative = dns.RcodeServerFailure, nil, false // nobody knows its target
			}
			if err := test.SortAndCheck(reply, want); err != nil {
				t.Errorf("%s over %s: %v\n%s", c.name, network, err, reply)
			}
		}
	}
}

// world is a name server of the world that answers every question for an address with 198.51.100.1 and counts them.
func world(t testing.TB) (address netip.AddrPort, asked *atomic.Int64) {
	t.Helper()
	asked = &atomic.Int64{}
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &dns.Server{PacketConn: packets, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, r *dns.Msg) {
		asked.Add(1)
		m := new(dns.Msg).SetReply(r)
		m.RecursionAvailable = true
		if r.Question[0].Qtype == dns.TypeA {
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: r.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 60}, A: net.IPv4(198, 51, 100, 1)}}
		}
		_ = w.WriteMsg(m) // the client sees it or not
	})}
	done := make(chan error, 1)
	go func() { done <- server.ActivateAndServe() }()
	t.Cleanup(func() {
		_ = packets.Close()
		<-done
	})
	return packets.LocalAddr().(*net.UDPAddr).AddrPort(), asked
}

func TestServerAsksUpstreamForAllOtherNamesAndOnlyThose(t *testing.T) {
	t.Parallel()
	up, asked := world(t)
	_, address := serve(t, ServerConfig{Config: Config{Mesh: holding(alice())}, Upstream: []netip.AddrPort{up}})
	for _, c := range answerCases() {
		if c.rcode == toTheNext || c.qname == "outside.alice.svc." {
			continue
		}
		over(t, "udp", address, ask(c.qname, c.qtype))
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("%d questions for names of the mesh went upstream", n)
	}
	reply := over(t, "udp", address, ask("www.example.org.", dns.TypeA))
	if len(reply.Answer) != 1 || asked.Load() != 1 {
		t.Errorf("after one question for a name of the world (%d upstream):\n%s", asked.Load(), reply)
	}
}

func TestAliases(t *testing.T) {
	t.Parallel()
	up, _ := world(t)
	_, address := serve(t, ServerConfig{Config: Config{Mesh: holding(alice())}, Upstream: []netip.AddrPort{up}})
	cases := []struct {
		name, qname string
		qtype       uint16
		rcode       int
		want        []string
	}{
		{"an alias of a host of the world", "outside.alice.svc.", dns.TypeA, 0, []string{"outside.alice.svc. 5 IN CNAME host.example.org.", "host.example.org. 60 IN A 198.51.100.1"}},
		{"an alias whose host has no such record", "outside.alice.svc.", dns.TypeAAAA, 0, []string{"outside.alice.svc. 5 IN CNAME host.example.org."}},
		{"an alias of a service", "alias.", dns.TypeA, 0, []string{"alias. 5 IN CNAME web.alice.svc.", "web.alice.svc. 5 IN A 10.0.0.1", "web.alice.svc. 5 IN A 10.0.0.2"}},
		{"aliases in a circle", "here.alice.svc.", dns.TypeA, dns.RcodeServerFailure, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			reply := over(t, "udp", address, ask(c.qname, c.qtype))
			var got []string
			for _, rr := range reply.Answer {
				got = append(got, fmt.Sprintf("%s %d IN %s %s", rr.Header().Name, rr.Header().Ttl, dns.TypeToString[rr.Header().Rrtype], dns.Field(rr, 1)))
			}
			if diff := cmp.Diff(c.want, got); diff != "" || reply.Rcode != c.rcode {
				t.Errorf("%s (-want +got):\n%s", dns.RcodeToString[reply.Rcode], diff)
			}
		})
	}
}

// crowd is a mesh with a service that has so many endpoints.
func crowd(n int) *mesh.Mesh {
	var list []mesh.Endpoint
	for i := range n {
		list = append(list, mesh.Endpoint{Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 2, byte(i >> 8), byte(i)}), 80)})
	}
	return with(alice(), &mesh.Service{Name: "crowd"}, list)
}

func TestAnswersFitTheClient(t *testing.T) {
	t.Parallel()
	_, address := serve(t, ServerConfig{Config: Config{Mesh: holding(crowd(1000))}})
	cases := []struct {
		name, network string
		edns          uint16
		atMost        int
		complete      bool
	}{
		{"512 bytes over UDP without EDNS", "udp", 0, 512, false},
		{"1232 bytes over UDP with EDNS", "udp", 1232, 1232, false},
		{"a size below 512 counts as 512", "udp", 100, 512, false},
		{"65535 bytes over UDP are complete", "udp", 65535, 65535, true},
		{"everything over TCP", "tcp", 0, 65535, true},
		{"everything over TCP with a small EDNS size", "tcp", 512, 65535, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			q := ask("crowd.alice.svc.", dns.TypeA)
			if c.edns != 0 {
				q.SetEdns0(c.edns, false)
			}
			reply := over(t, c.network, address, q)
			reply.Compress = true
			if size := reply.Len(); size > c.atMost {
				t.Errorf("%d bytes, at most %d fit", size, c.atMost)
			}
			if reply.Truncated == c.complete || (len(reply.Answer) == 1000) != c.complete || len(reply.Answer) == 0 {
				t.Errorf("%d addresses, truncated %t", len(reply.Answer), reply.Truncated)
			}
			if (reply.IsEdns0() != nil) != (c.edns != 0) {
				t.Errorf("EDNS in the answer: %t", reply.IsEdns0() != nil)
			}
		})
	}
}

func TestAnUnknownVersionOfEDNSIsRefused(t *testing.T) {
	t.Parallel()
	_, address := serve(t, ServerConfig{Config: Config{Mesh: holding(alice())}})
	q := ask("web.alice.svc.", dns.TypeA).SetEdns0(1232, false)
	q.IsEdns0().SetVersion(1)
	if reply := over(t, "udp", address, q); reply.Rcode != dns.RcodeBadVers {
		t.Errorf("got %s", dns.RcodeToString[reply.Rcode])
	}
}

func TestServersLiveSideBySide(t *testing.T) {
	t.Parallel()
	one, two := holding(alice()), holding(with(alice(), &mesh.Service{Name: "only"}, endpoints("10.3.0.1:80")))
	first, at := serve(t, ServerConfig{Config: Config{Mesh: one}, Listen: append(loopback(), netip.MustParseAddrPort("[::1]:0"))})
	_, other := serve(t, ServerConfig{Config: Config{Mesh: two}})
	if reply := over(t, "udp", at, ask("only.alice.svc.", dns.TypeA)); reply.Rcode != dns.RcodeNameError {
		t.Errorf("the first server answers the second one's name:\n%s", reply)
	}
	if reply := over(t, "udp", other, ask("only.alice.svc.", dns.TypeA)); len(reply.Answer) != 1 {
		t.Errorf("the second server does not answer its name:\n%s", reply)
	}
	if reply := over(t, "udp", first.Addresses()[1].String(), ask("web.alice.svc.", dns.TypeA)); len(reply.Answer) != 2 {
		t.Errorf("the second address does not answer:\n%s", reply)
	}
}

func TestServerNamesTheAddressThatItCannotHave(t *testing.T) {
	t.Parallel()
	taken, _ := serve(t, ServerConfig{Config: Config{Mesh: holding(alice())}})
	s := NewServer(ServerConfig{Config: Config{Domain: "alice", Mesh: holding(alice())}, Listen: append(loopback(), taken.Addresses()...)})
	if err := s.Run(t.Context()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Run: %v", err)
	}
}

func TestServerStopsBeforeItHasSeenAMesh(t *testing.T) {
	t.Parallel()
	s := NewServer(ServerConfig{Config: Config{Domain: "alice", Mesh: never}, Listen: loopback()})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Errorf("Run: %v", err)
	}
	select {
	case <-s.Ready():
		t.Error("ready without a mesh")
	default:
	}
}
