package dns

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"github.com/entente-mesh/entente/internal/latest"
	"github.com/entente-mesh/entente/internal/sorted"
	"github.com/entente-mesh/entente/mesh"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// endpoints makes endpoints of texts such as 10.0.0.1:80, without hostnames.
func endpoints(list ...string) []mesh.Endpoint {
	var made []mesh.Endpoint
	for _, text := range list {
		made = append(made, mesh.Endpoint{Address: netip.MustParseAddrPort(text)})
	}
	return made
}

// with returns the mesh with a service and its endpoints.
func with(m *mesh.Mesh, s *mesh.Service, list []mesh.Endpoint) *mesh.Mesh {
	next := *m
	next.Services = next.Services.With(s.Name, s)
	next.Endpoints = next.Endpoints.With(s.Name, &mesh.Endpoints{Service: s.Name, Ready: list})
	return &next
}

// withPod returns the mesh with a pod.
func withPod(m *mesh.Mesh, name, hostname, subdomain string, addresses ...string) *mesh.Mesh {
	p := &mesh.Pod{Name: name, Hostname: hostname, Subdomain: subdomain}
	for _, a := range addresses {
		p.Addresses = append(p.Addresses, netip.MustParseAddr(a))
	}
	next := *m
	next.Pods = next.Pods.With(name, p)
	return &next
}

// withGateway returns the mesh with a gateway.
func withGateway(m *mesh.Mesh, name, address string) *mesh.Mesh {
	next := *m
	next.Gateways = next.Gateways.With(name, &mesh.Gateway{Name: name, Address: netip.MustParseAddr(address)})
	return &next
}

// alice is a mesh with one of everything that DNS knows.
func alice() *mesh.Mesh {
	http := []mesh.Port{{Name: "http", Number: 8080}}
	m := &mesh.Mesh{Settings: &mesh.Settings{Domain: "alice"}}
	m = withGateway(m, "gw-0", "10.9.9.9")
	m = with(m, &mesh.Service{Name: "web", Ports: http}, endpoints("10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.2:9090"))
	m = with(m, &mesh.Service{Name: "dual", Ports: http}, endpoints("10.0.0.3:8080", "[fd00::3]:8080"))
	m = with(m, &mesh.Service{Name: "open", Ports: http, ViaGateway: true}, endpoints("10.0.0.4:8080"))
	m = with(m, &mesh.Service{Name: "idle", Ports: http}, nil)
	m = with(m, &mesh.Service{Name: "apiserver", ViaGateway: true, Builtin: &mesh.Builtin{Name: "apiserver"}}, nil)
	m = with(m, &mesh.Service{Name: "outside", ExternalName: "Host.Example.org"}, nil)
	m = with(m, &mesh.Service{Name: "fixed", ExternalName: "192.0.2.7"}, nil)
	m = with(m, &mesh.Service{Name: "alias", ExternalName: "web.alice.svc"}, nil)
	m = with(m, &mesh.Service{Name: "here", ExternalName: "there.alice.svc"}, nil)
	m = with(m, &mesh.Service{Name: "there", ExternalName: "here.alice.svc"}, nil)
	two := []mesh.Port{{Name: "sql", Number: 5432}, {Name: "stats", Number: 9187}}
	m = with(m, &mesh.Service{Name: "db", Headless: true, Ports: two}, []mesh.Endpoint{
		{Address: netip.MustParseAddrPort("10.0.1.1:5432"), Hostname: "db-0"},
		{Address: netip.MustParseAddrPort("10.0.1.1:9187"), Hostname: "db-0"},
		{Address: netip.MustParseAddrPort("10.0.1.2:5432")},
		{Address: netip.MustParseAddrPort("10.0.1.2:9187")},
	})
	m = withPod(m, "db-0", "db-0", "db", "10.0.1.1")
	m = withPod(m, "ring-0", "first", "ring", "10.0.2.1", "fd00::21")
	m = withPod(m, "ring-1", "first", "ring", "10.0.2.2")
	return withPod(m, "plain", "plain", "", "10.0.3.1")
}

// changing is a mesh to change and to read.
func changing(m *mesh.Mesh) (*latest.Value[*mesh.Mesh], func() (*mesh.Mesh, time.Time, <-chan struct{})) {
	v := &latest.Value[*mesh.Mesh]{}
	v.Set(m)
	return v, func() (*mesh.Mesh, time.Time, <-chan struct{}) {
		newest, changed := v.Get()
		return newest, time.Time{}, changed
	}
}

// never is a mesh that does not come.
func never() (*mesh.Mesh, time.Time, <-chan struct{}) { return nil, time.Time{}, nil }

// synced is a handler of alice that has taken the mesh.
func synced(m *mesh.Mesh, gateway ...netip.Addr) *Handler {
	h := New(Config{Domain: "alice", Mesh: never, Gateway: gateway})
	h.index.update(m)
	close(h.synced)
	h.Next = plugin.HandlerFunc(next)
	return h
}

// rcodeOfNext is what the next plugin answers, so that tests see that it was asked. It is a code that nobody else uses here.
const rcodeOfNext = dns.RcodeNotZone

func next(_ context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	return rcodeOfNext, w.WriteMsg(new(dns.Msg).SetRcode(r, rcodeOfNext))
}

// A writer keeps what is written, over UDP or TCP.
type writer struct {
	test.ResponseWriter
	packed  []byte // by Write
	message *dns.Msg
}

func (w *writer) Write(wire []byte) (int, error) {
	w.packed = append([]byte(nil), wire...)
	return len(wire), nil
}

func (w *writer) WriteMsg(m *dns.Msg) error {
	w.message = m
	return nil
}

// reply is what a client would have got.
func (w *writer) reply(t testing.TB) *dns.Msg {
	t.Helper()
	switch {
	case w.packed != nil:
		m := new(dns.Msg)
		if err := m.Unpack(w.packed); err != nil {
			t.Fatalf("the answer does not unpack: %v\n%x", err, w.packed)
		}
		return m
	case w.message != nil:
		wire, err := w.message.Pack()
		if err != nil {
			t.Fatalf("the answer does not pack: %v", err)
		}
		m := new(dns.Msg)
		if err := m.Unpack(wire); err != nil {
			t.Fatalf("the answer does not unpack: %v", err)
		}
		return m
	}
	t.Fatal("nothing was written")
	return nil
}

func ask(name string, qtype uint16) *dns.Msg { return new(dns.Msg).SetQuestion(name, qtype) }

// over is a client of the server at address; network is udp or tcp.
func over(t testing.TB, network, address string, q *dns.Msg) *dns.Msg {
	t.Helper()
	client := dns.Client{Net: network, UDPSize: dns.MaxMsgSize, Timeout: 10 * time.Second}
	reply, _, err := client.ExchangeContext(t.Context(), q, address)
	if err != nil {
		t.Fatalf("%s %s over %s: %v", q.Question[0].Name, dns.TypeToString[q.Question[0].Qtype], network, err)
	}
	return reply
}

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

func loopback() []netip.AddrPort { return []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")} }

// none is an empty map of what a mesh has.
func none[V any]() (m sorted.Map[V]) { return m }
