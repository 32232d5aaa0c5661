package dns

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/pkg/fall"
	"github.com/coredns/coredns/plugin/test"
	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/entente-mesh/entente/mesh"
)

const (
	soaOfSvc     = "svc. 5 IN SOA gateway.alice.svc. hostmaster.alice.svc. 1 7200 1800 86400 5"
	soaOfShort   = "%s 5 IN SOA gateway.alice.svc. hostmaster.alice.svc. 1 7200 1800 86400 5"
	toTheNext    = rcodeOfNext
	gatewayAt    = "10.9.9.9"
	reverseOfPod = "1.1.0.10.in-addr.arpa."
)

// records parses records in zone-file text.
func records(t testing.TB, texts ...string) []dns.RR {
	t.Helper()
	var list []dns.RR
	for _, text := range texts {
		rr, err := dns.NewRR(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, rr)
	}
	return list
}

type answerCase struct {
	name   string
	qname  string
	qtype  uint16
	rcode  int
	answer []string
	ns     []string
	extra  []string
}

func answerCases() []answerCase {
	a := func(name, address string) string { return name + " 5 IN A " + address }
	missing := []string{soaOfSvc}
	return []answerCase{
		{"a service has all its addresses, each once", "web.alice.svc.", dns.TypeA, 0, []string{a("web.alice.svc.", "10.0.0.1"), a("web.alice.svc.", "10.0.0.2")}, nil, nil},
		{"a service without svc", "web.alice.", dns.TypeA, 0, []string{a("web.alice.", "10.0.0.1"), a("web.alice.", "10.0.0.2")}, nil, nil},
		{"a service by its name alone", "web.", dns.TypeA, 0, []string{a("web.", "10.0.0.1"), a("web.", "10.0.0.2")}, nil, nil},
		{"the case of the question comes back", "wEB.aLice.SVC.", dns.TypeA, 0, []string{a("wEB.aLice.SVC.", "10.0.0.1"), a("wEB.aLice.SVC.", "10.0.0.2")}, nil, nil},
		{"IPv6 has no data where there is only IPv4", "web.alice.svc.", dns.TypeAAAA, 0, nil, missing, nil},
		{"no data for a short name", "web.", dns.TypeAAAA, 0, nil, []string{fmt.Sprintf(soaOfShort, "web.")}, nil},
		{"no data for a name without svc", "web.alice.", dns.TypeAAAA, 0, nil, []string{fmt.Sprintf(soaOfShort, "web.alice.")}, nil},
		{"IPv6 where there is some", "dual.alice.svc.", dns.TypeAAAA, 0, []string{"dual.alice.svc. 5 IN AAAA fd00::3"}, nil, nil},
		{"IPv4 of a service with both", "dual.alice.svc.", dns.TypeA, 0, []string{a("dual.alice.svc.", "10.0.0.3")}, nil, nil},
		{"a service behind the gateway", "open.alice.svc.", dns.TypeA, 0, []string{a("open.alice.svc.", gatewayAt)}, nil, nil},
		{"a service without endpoints exists", "idle.alice.svc.", dns.TypeA, 0, nil, missing, nil},
		{"what Entente answers itself is behind the gateway", "apiserver.alice.svc.", dns.TypeA, 0, []string{a("apiserver.alice.svc.", gatewayAt)}, nil, nil},
		{"what Entente may answer itself, without an object", "reporter.alice.svc.", dns.TypeA, 0, []string{a("reporter.alice.svc.", gatewayAt)}, nil, nil},
		{"the same by its name alone is not ours", "reporter.", dns.TypeA, toTheNext, nil, nil, nil},
		{"a service of a partner is behind the gateway", "psi.bob.svc.", dns.TypeA, 0, []string{a("psi.bob.svc.", gatewayAt)}, nil, nil},
		{"a partner has no IPv6", "psi.bob.svc.", dns.TypeAAAA, 0, nil, missing, nil},
		{"a service of the master is behind the gateway", "apiserver.master.svc.", dns.TypeA, 0, []string{a("apiserver.master.svc.", gatewayAt)}, nil, nil},
		{"datamesh needs no object", "datamesh.", dns.TypeA, 0, []string{a("datamesh.", gatewayAt)}, nil, nil},
		{"confmanager with its domain", "confmanager.alice.svc.", dns.TypeA, 0, []string{a("confmanager.alice.svc.", gatewayAt)}, nil, nil},
		{"transport without svc", "transport.alice.", dns.TypeA, 0, []string{a("transport.alice.", gatewayAt)}, nil, nil},
		{"the gateway by its word", "gateway.", dns.TypeA, 0, []string{a("gateway.", gatewayAt)}, nil, nil},

		{"a pod with a subdomain", "db-0.db.alice.svc.", dns.TypeA, 0, []string{a("db-0.db.alice.svc.", "10.0.1.1")}, nil, nil},
		{"a pod by its short name", "db-0.db.", dns.TypeA, 0, []string{a("db-0.db.", "10.0.1.1")}, nil, nil},
		{"two pods with one name", "first.ring.alice.svc.", dns.TypeA, 0, []string{a("first.ring.alice.svc.", "10.0.2.1"), a("first.ring.alice.svc.", "10.0.2.2")}, nil, nil},
		{"a pod with IPv6", "first.ring.alice.svc.", dns.TypeAAAA, 0, []string{"first.ring.alice.svc. 5 IN AAAA fd00::21"}, nil, nil},
		{"a subdomain without a service has names below it", "ring.alice.svc.", dns.TypeA, 0, nil, missing, nil},
		{"a pod without a subdomain has no name", "plain.alice.svc.", dns.TypeA, dns.RcodeNameError, nil, missing, nil},
		{"an endpoint without a hostname is called by its address", "10-0-1-2.db.alice.svc.", dns.TypeA, 0, []string{a("10-0-1-2.db.alice.svc.", "10.0.1.2")}, nil, nil},
		{"another address is no endpoint", "10-0-1-3.db.alice.svc.", dns.TypeA, dns.RcodeNameError, nil, missing, nil},

		{"an alias without a server to follow it", "outside.alice.svc.", dns.TypeA, 0, []string{"outside.alice.svc. 5 IN CNAME host.example.org."}, nil, nil},
		{"an alias when asked for it", "outside.alice.svc.", dns.TypeCNAME, 0, []string{"outside.alice.svc. 5 IN CNAME host.example.org."}, nil, nil},
		{"an external address", "fixed.alice.svc.", dns.TypeA, 0, []string{a("fixed.alice.svc.", "192.0.2.7")}, nil, nil},

		{
			"the ports of a service", "_http._tcp.dual.alice.svc.", dns.TypeSRV, 0,
			[]string{"_http._tcp.dual.alice.svc. 5 IN SRV 0 1 8080 10-0-0-3.dual.alice.svc.", "_http._tcp.dual.alice.svc. 5 IN SRV 0 1 8080 fd00-0000-0000-0000-0000-0000-0000-0003.dual.alice.svc."},
			nil,
			[]string{a("10-0-0-3.dual.alice.svc.", "10.0.0.3"), "fd00-0000-0000-0000-0000-0000-0000-0003.dual.alice.svc. 5 IN AAAA fd00::3"},
		},
		{
			"one of two ports", "_stats._tcp.db.alice.svc.", dns.TypeSRV, 0,
			[]string{"_stats._tcp.db.alice.svc. 5 IN SRV 0 1 9187 10-0-1-2.db.alice.svc.", "_stats._tcp.db.alice.svc. 5 IN SRV 0 1 9187 db-0.db.alice.svc."},
			nil,
			[]string{a("10-0-1-2.db.alice.svc.", "10.0.1.2"), a("db-0.db.alice.svc.", "10.0.1.1")},
		},
		{
			"every port", "web.alice.svc.", dns.TypeSRV, 0,
			[]string{"web.alice.svc. 5 IN SRV 0 1 8080 10-0-0-1.web.alice.svc.", "web.alice.svc. 5 IN SRV 0 1 8080 10-0-0-2.web.alice.svc.", "web.alice.svc. 5 IN SRV 0 1 9090 10-0-0-2.web.alice.svc."},
			nil,
			[]string{a("10-0-0-1.web.alice.svc.", "10.0.0.1"), a("10-0-0-2.web.alice.svc.", "10.0.0.2")},
		},
		{
			"a port behind the gateway is the gateway's", "_http._tcp.open.alice.svc.", dns.TypeSRV, 0,
			[]string{"_http._tcp.open.alice.svc. 5 IN SRV 0 1 80 open.alice.svc."},
			nil,
			[]string{a("open.alice.svc.", gatewayAt)},
		},
		{"a port that the service does not have", "_ftp._tcp.web.alice.svc.", dns.TypeSRV, dns.RcodeNameError, nil, missing, nil},
		{"ports over UDP", "_http._udp.web.alice.svc.", dns.TypeSRV, dns.RcodeNameError, nil, missing, nil},
		{"a port has no address", "_http._tcp.web.alice.svc.", dns.TypeA, 0, nil, missing, nil},
		{"the transport has names below it", "_tcp.web.alice.svc.", dns.TypeA, 0, nil, missing, nil},
		{"SRV of what has no ports", "db-0.db.alice.svc.", dns.TypeSRV, 0, nil, missing, nil},

		{"the name of a pod's address", reverseOfPod, dns.TypePTR, 0, []string{reverseOfPod + " 5 IN PTR db-0.db.alice.svc."}, nil, nil},
		{"the name of the gateway's address", "9.9.9.10.in-addr.arpa.", dns.TypePTR, 0, []string{"9.9.9.10.in-addr.arpa. 5 IN PTR gateway.alice.svc."}, nil, nil},
		{"the name of an IPv6 address", "1.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa.", dns.TypePTR, 0, []string{
			"1.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa. 5 IN PTR first.ring.alice.svc.",
		}, nil, nil},
		{"the name of somebody else's address", "1.2.0.192.in-addr.arpa.", dns.TypePTR, toTheNext, nil, nil, nil},

		{"svc has an SOA", "svc.", dns.TypeSOA, 0, missing, nil, nil},
		{"svc has a name server", "svc.", dns.TypeNS, 0, []string{"svc. 5 IN NS gateway.alice.svc."}, nil, []string{a("gateway.alice.svc.", gatewayAt)}},
		{"svc has no address", "svc.", dns.TypeA, 0, nil, missing, nil},
		{"a domain has names below it", "alice.svc.", dns.TypeA, 0, nil, missing, nil},
		{"a partner's domain has names below it", "bob.svc.", dns.TypeNS, 0, nil, missing, nil},
		{"text of a service", "web.alice.svc.", dns.TypeTXT, 0, nil, missing, nil},
		{"everything of a service is little", "web.alice.svc.", dns.TypeANY, 0, []string{`web.alice.svc. 5 IN HINFO "RFC8482" ""`}, nil, nil},
		{"everything of nothing", "none.alice.svc.", dns.TypeANY, dns.RcodeNameError, nil, missing, nil},

		{"an unknown service of the own domain does not exist", "none.alice.svc.", dns.TypeA, dns.RcodeNameError, nil, missing, nil},
		{"an unknown host of the own domain", "a.b.c.alice.svc.", dns.TypeA, dns.RcodeNameError, nil, missing, nil},
		{"a host below a partner's service cannot be reached", "host.psi.bob.svc.", dns.TypeA, dns.RcodeNameError, nil, missing, nil},
		{"a host with svc twice, from a search list", "psi.bob.svc.svc.", dns.TypeA, dns.RcodeNameError, nil, missing, nil},
		{"a domain with svc twice, from a search list", "bob.svc.svc.", dns.TypeA, dns.RcodeNameError, nil, missing, nil},
		{"a host with the own domain behind it, from a search list", "psi.bob.svc.alice.svc.", dns.TypeA, dns.RcodeNameError, nil, missing, nil},
		{"svc twice", "svc.svc.", dns.TypeA, dns.RcodeNameError, nil, missing, nil},
		{"a port stuck to a service", "psi:80.bob.svc.", dns.TypeA, dns.RcodeNameError, nil, missing, nil},
		{"a port stuck to a host", "psi.bob.svc:80.", dns.TypeA, dns.RcodeNameError, nil, []string{fmt.Sprintf(soaOfShort, "psi.bob.svc:80.")}, nil},
		{"a port stuck to a word", "datamesh:8071.", dns.TypeA, dns.RcodeNameError, nil, []string{fmt.Sprintf(soaOfShort, "datamesh:8071.")}, nil},
		{"an escaped dot", `a\.b.alice.svc.`, dns.TypeA, dns.RcodeNameError, nil, missing, nil},
		{"a byte that is no character", `\000.bob.svc.`, dns.TypeA, dns.RcodeNameError, nil, missing, nil},
		{"a star", "*.bob.svc.", dns.TypeA, dns.RcodeNameError, nil, missing, nil},

		{"a name of the world", "www.example.org.", dns.TypeA, toTheNext, nil, nil, nil},
		{"a short name of the world", "example.org.", dns.TypeA, toTheNext, nil, nil, nil},
		{"a single label that nobody has", "localhost.", dns.TypeA, toTheNext, nil, nil, nil},
		{"the own domain as a domain of the world", "none.alice.", dns.TypeA, toTheNext, nil, nil, nil},
		{"a host with a search list of the world", "psi.bob.svc.cluster.local.", dns.TypeA, toTheNext, nil, nil, nil},
		{"the root", ".", dns.TypeNS, toTheNext, nil, nil, nil},
		{"an escaped name of the world", `a\.b.example.org.`, dns.TypeA, toTheNext, nil, nil, nil},
	}
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range answerCases() {
		for _, packed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, packed %t", c.name, packed), func(t *testing.T) {
				t.Parallel()
				h := synced(alice())
				h.packed = packed
				w := &writer{}
				if rcode, err := h.ServeDNS(t.Context(), w, ask(c.qname, c.qtype)); err != nil || rcode != 0 && rcode != toTheNext {
					t.Fatalf("ServeDNS: %s, %v", dns.RcodeToString[rcode], err)
				}
				reply := w.reply(t)
				if c.rcode == toTheNext {
					if reply.Rcode != toTheNext {
						t.Fatalf("the next plugin was not asked:\n%s", reply)
					}
					return
				}
				want := test.Case{
					Qname: c.qname, Qtype: c.qtype, Rcode: c.rcode, Authoritative: true,
					Answer: records(t, c.answer...), Ns: records(t, c.ns...), Extra: records(t, c.extra...),
				}
				if err := test.SortAndCheck(reply, want); err != nil {
					t.Errorf("%v\n%s", err, reply)
				}
			})
		}
	}
}

// Both ways to answer say the same, whatever the request looks like.
func TestPackedAnswersSayWhatMessagesSay(t *testing.T) {
	t.Parallel()
	packed, plain := synced(alice()), synced(alice())
	packed.packed = true
	requests := map[string]func(*dns.Msg){
		"plain":             func(*dns.Msg) {},
		"no recursion":      func(m *dns.Msg) { m.RecursionDesired = false },
		"checking disabled": func(m *dns.Msg) { m.CheckingDisabled = true },
		"authentic data":    func(m *dns.Msg) { m.AuthenticatedData = true },
		"EDNS":              func(m *dns.Msg) { m.SetEdns0(1232, false) },
		"EDNS with DO":      func(m *dns.Msg) { m.SetEdns0(4096, true) },
		"EDNS with a cookie": func(m *dns.Msg) {
			m.SetEdns0(4096, false).IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: "0123456789abcdef"}}
		},
		"a tiny EDNS size":    func(m *dns.Msg) { m.SetEdns0(1, false) },
		"a record too many":   func(m *dns.Msg) { m.Extra = records(t, "web.alice.svc. 5 IN A 10.0.0.1") },
		"an answer in it":     func(m *dns.Msg) { m.Answer = records(t, "web.alice.svc. 5 IN A 10.0.0.1") },
		"upper case":          func(m *dns.Msg) { m.Question[0].Name = strings.ToUpper(m.Question[0].Name) },
		"the number zero":     func(m *dns.Msg) { m.Id = 0 },
		"the highest number":  func(m *dns.Msg) { m.Id = 1<<16 - 1 },
		"the reserved Z flag": func(m *dns.Msg) { m.Zero = true },
	}
	hits := 0
	for title, change := range requests {
		for _, c := range answerCases() {
			var replies []*dns.Msg
			for _, h := range []*Handler{plain, packed} {
				q := ask(c.qname, c.qtype)
				change(q)
				w := &scrubbed{request: q.Copy()}
				if _, err := h.ServeDNS(t.Context(), w, q); err != nil {
					t.Fatal(err)
				}
				if w.packed != nil {
					hits++
				}
				reply := w.reply(t)
				reply.Id = 0
				replies = append(replies, reply)
			}
			if diff := cmp.Diff(replies[0].String(), replies[1].String()); diff != "" {
				t.Errorf("%s, %s (-message +packed):\n%s", title, c.name, diff)
			}
		}
	}
	if hits == 0 {
		t.Error("no answer was packed")
	}
}

func TestBeforeTheFirstMesh(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, qname string
		want        int
	}{
		{"a service of the own domain is refused for now", "web.alice.svc.", dns.RcodeServerFailure},
		{"a name that will not exist is refused for now", "none.alice.svc.", dns.RcodeServerFailure},
		{"a partner is refused for now", "psi.bob.svc.", dns.RcodeServerFailure},
		{"svc is refused for now", "svc.", dns.RcodeServerFailure},
		{"a word is refused for now", "datamesh.", dns.RcodeServerFailure},
		{"a name without svc is refused for now", "web.alice.", dns.RcodeServerFailure},
		{"a name of the world is answered", "example.org.", toTheNext},
		{"a longer name of the world is answered", "www.example.org.", toTheNext},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := New(Config{Domain: "alice", Mesh: never})
			h.Next, h.packed, h.Fall = plugin.HandlerFunc(next), true, fall.Root
			rcode, err := h.ServeDNS(t.Context(), &writer{}, ask(c.qname, dns.TypeA))
			if rcode != c.want {
				t.Errorf("got %s, want %s", dns.RcodeToString[rcode], dns.RcodeToString[c.want])
			}
			if wantErr := c.want == dns.RcodeServerFailure; wantErr != errors.Is(err, errNotSynced) {
				t.Errorf("error %v", err)
			}
			if h.Ready() {
				t.Error("ready without a mesh")
			}
		})
	}
}

func TestTransfersAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"svc.", "alice.svc.", "web.alice.svc.", "none.alice.svc.", "psi.bob.svc.", "web."} {
		for _, qtype := range []uint16{dns.TypeAXFR, dns.TypeIXFR} {
			rcode, err := synced(alice()).ServeDNS(t.Context(), &writer{}, ask(name, qtype))
			if rcode != dns.RcodeRefused || err != nil {
				t.Errorf("%s %s: %s, %v", name, dns.TypeToString[qtype], dns.RcodeToString[rcode], err)
			}
		}
	}
}

func TestFallthrough(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, qname string
		zones       []string
		want        int
	}{
		{"without it an unknown name of the own domain ends here", "none.alice.svc.", nil, dns.RcodeSuccess},
		{"with it everywhere the next plugin is asked", "none.alice.svc.", []string{"."}, toTheNext},
		{"with it for the own domain", "none.alice.svc.", []string{"alice.svc."}, toTheNext},
		{"with it for another domain", "none.alice.svc.", []string{"bob.svc."}, dns.RcodeSuccess},
		{"a name that exists never falls through", "web.alice.svc.", []string{"."}, dns.RcodeSuccess},
		{"nor one without such a type", "web.alice.svc.", []string{"."}, dns.RcodeSuccess},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := synced(alice())
			h.Fall.Zones = c.zones
			if rcode, err := h.ServeDNS(t.Context(), &writer{}, ask(c.qname, dns.TypeTXT)); rcode != c.want || err != nil {
				t.Errorf("got %s, %v, want %s", dns.RcodeToString[rcode], err, dns.RcodeToString[c.want])
			}
		})
	}
}

func TestNamesOutsideTheZonesGoToTheNextPlugin(t *testing.T) {
	t.Parallel()
	h := synced(alice())
	h.Zones = []string{"alice.svc."}
	for name, want := range map[string]int{"web.alice.svc.": 0, "WEB.ALICE.SVC.": 0, "psi.bob.svc.": toTheNext, "web.": toTheNext, "none.alice.svc.": 0} {
		if rcode, err := h.ServeDNS(t.Context(), &writer{}, ask(name, dns.TypeA)); rcode != want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", name, dns.RcodeToString[rcode], err, dns.RcodeToString[want])
		}
	}
}

func TestEachAnswerBeginsWithAnotherAddress(t *testing.T) {
	t.Parallel()
	for _, packed := range []bool{false, true} {
		h := synced(with(alice(), &mesh.Service{Name: "many"}, endpoints("10.1.0.1:80", "10.1.0.2:80", "10.1.0.3:80")))
		h.packed = packed
		var got []string
		for range 4 {
			w := &writer{}
			if _, err := h.ServeDNS(t.Context(), w, ask("many.alice.svc.", dns.TypeA)); err != nil {
				t.Fatal(err)
			}
			var line []string
			for _, rr := range w.reply(t).Answer {
				line = append(line, rr.(*dns.A).A.String())
			}
			got = append(got, strings.Join(line, " "))
		}
		want := []string{"10.1.0.1 10.1.0.2 10.1.0.3", "10.1.0.2 10.1.0.3 10.1.0.1", "10.1.0.3 10.1.0.1 10.1.0.2", "10.1.0.1 10.1.0.2 10.1.0.3"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("packed %t (-want +got):\n%s", packed, diff)
		}
	}
}

func TestWithoutAGatewayNamesBehindItAreRefusedAndNotDenied(t *testing.T) {
	t.Parallel()
	for _, packed := range []bool{false, true} {
		m := alice()
		m.Gateways = none[*mesh.Gateway]()
		h := synced(m)
		h.packed = packed
		for _, name := range []string{"psi.bob.svc.", "open.alice.svc.", "datamesh."} {
			rcode, err := h.ServeDNS(t.Context(), &writer{}, ask(name, dns.TypeA))
			if rcode != dns.RcodeServerFailure || !errors.Is(err, errNoGateway) {
				t.Errorf("%s: %s, %v", name, dns.RcodeToString[rcode], err)
			}
		}
	}
}

// Nobody but IN queries: what else comes is not for this plugin.
func TestOtherRequestsGoToTheNextPlugin(t *testing.T) {
	t.Parallel()
	requests := map[string]func(*dns.Msg){
		"another class":  func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS },
		"a notification": func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify },
		"no question":    func(m *dns.Msg) { m.Question = nil },
		"two questions":  func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) },
	}
	for title, change := range requests {
		q := ask("web.alice.svc.", dns.TypeA)
		change(q)
		if rcode, err := synced(alice()).ServeDNS(t.Context(), &writer{}, q); rcode != toTheNext || err != nil {
			t.Errorf("%s: %s, %v", title, dns.RcodeToString[rcode], err)
		}
	}
}
