package dns

import (
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/miekg/dns"
)

// fuzzed is a server that does not hide panics.
func fuzzed(t testing.TB) *dnsserver.Server {
	t.Helper()
	h := synced(alice())
	h.packed = true
	c := &dnsserver.Config{Zone: ".", ListenHosts: []string{""}, Transport: "dns", Debug: true}
	c.AddPlugin(func(next plugin.Handler) plugin.Handler { return &front{next: next} })
	c.AddPlugin(func(plugin.Handler) plugin.Handler { return h })
	s, err := dnsserver.NewServer("dns://127.0.0.1:0", []*dnsserver.Config{c})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Whatever arrives, the server does not fall over, and what it says is a reply to that question which fits the client.
func FuzzServer(f *testing.F) {
	for _, c := range answerCases() {
		wire, err := ask(c.qname, c.qtype).SetEdns0(1232, true).Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire, true)
	}
	server := fuzzed(f)
	f.Fuzz(func(t *testing.T, wire []byte, tcp bool) {
		q := new(dns.Msg)
		if q.Unpack(wire) != nil {
			return // the listener answers these without the plugin
		}
		before := q.Copy()
		w := &writer{}
		w.TCP = tcp
		server.ServeDNS(t.Context(), w, q)
		reply := w.reply(t)
		if !reply.Response || reply.Id != before.Id {
			t.Errorf("no reply to %d:\n%s", before.Id, reply)
		}
		if len(before.Question) == 1 && (len(reply.Question) != 1 || reply.Question[0] != before.Question[0]) {
			t.Errorf("a reply to another question than %v:\n%s", before.Question, reply)
		}
		limit := dns.MinMsgSize
		if opt := before.IsEdns0(); opt != nil {
			limit = max(limit, int(opt.UDPSize()))
		}
		if tcp {
			limit = dns.MaxMsgSize
		}
		if len(w.packed) > limit {
			t.Errorf("%d bytes, at most %d fit", len(w.packed), limit)
		}
	})
}

// The classes of names are right for whatever name somebody asks for, held against a second way to tell them.
func FuzzClassify(f *testing.F) {
	for _, c := range answerCases() {
		f.Add(c.qname)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, ok := dns.IsDomainName(text); !ok {
			return
		}
		text = dns.Fqdn(text)
		var name lowered
		if !name.set(text) {
			return
		}
		got, key := classify(name.bytes(), "alice")
		labels := strings.Split(strings.ToLower(strings.TrimSuffix(text, ".")), ".")
		n := len(labels)
		want := other
		switch below := labels[n-1] == svc; {
		case n == 1 && labels[0] == "":
		case below && n == 1:
			want = apex
		case below && n == 2 && isLabel([]byte(labels[0])) && labels[0] != svc:
			want = middle
		case below && n > 2 && labels[n-2] == "alice":
			want = own
		case below && n == 3 && isLabel([]byte(labels[0])) && isLabel([]byte(labels[1])) && labels[1] != svc:
			want = partner
		case below, strings.Contains(labels[n-1], ":"):
			want = nobody
		case n == 1, labels[n-1] == "alice":
			want = short
		case n == 2, isReverse(name.bytes()):
			want = foreign
		}
		if got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
		if got.indexed() && !strings.HasPrefix(string(name.bytes()), string(key)) {
			t.Errorf("%q: key %q", text, key)
		}
	})
}

// Noise on both transports leaves a server that answers the next good question.
func TestNoiseDoesNotStopTheServer(t *testing.T) {
	t.Parallel()
	_, address := serve(t, ServerConfig{Config: Config{Mesh: holding(alice())}})
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, network := range []string{"udp", "tcp"} {
		for i := range 300 {
			conn, err := net.Dial(network, address)
			if err != nil {
				t.Fatal(err)
			}
			noise, err := ask("web.alice.svc.", dns.TypeA).Pack()
			if err != nil {
				t.Fatal(err)
			}
			for range 1 + i%8 {
				noise[random.IntN(len(noise))] = byte(random.Uint32())
			}
			_, err = conn.Write(noise[:random.IntN(len(noise)+1)])
			if closeErr := conn.Close(); err != nil || closeErr != nil {
				t.Fatal(err, closeErr)
			}
			if i%30 > 0 { // more noise at once than a socket takes would drown the question
				continue
			}
			if reply := over(t, network, address, ask("web.alice.svc.", dns.TypeA)); addressesOf(reply) != "10.0.0.1 10.0.0.2" {
				t.Errorf("over %s:\n%s", network, reply)
			}
		}
	}
}
