package dns

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/pkg/upstream"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"
)

// maxAliases bounds how many aliases are followed for one answer: services may name each other in a circle.
const maxAliases = 8

// A question is a query that is answered with a message.
type question struct {
	query
	key  string // in the index
	port string // of an SRV question for one port of the entry; empty for every port
}

// answer answers everything, slower than writePacked and with the same result where both can.
func (h *Handler) answer(ctx context.Context, w dns.ResponseWriter, r *dns.Msg, q *question) (int, error) {
	qtype := r.Question[0].Qtype
	if q.entry == nil && q.kind.indexed() {
		h.lookFurther(q)
	}
	switch {
	case q.entry == nil && (q.kind == short || q.kind == foreign):
		return plugin.NextOrFailure(pluginName, h.Next, ctx, w, r)
	case qtype == dns.TypeAXFR || qtype == dns.TypeIXFR:
		return dns.RcodeRefused, nil
	case q.entry == nil && (q.kind == own || q.kind == nobody):
		if h.Fall.Through(r.Question[0].Name) {
			return plugin.NextOrFailure(pluginName, h.Next, ctx, w, r)
		}
		return h.write(w, r, q, &dns.Msg{MsgHdr: dns.MsgHdr{Rcode: dns.RcodeNameError}})
	case qtype == dns.TypeANY:
		return h.write(w, r, q, &dns.Msg{Answer: []dns.RR{h.minimalAny(r)}})
	case q.kind == apex:
		return h.write(w, r, q, h.apexRecords(r, q))
	case q.kind == middle:
		return h.write(w, r, q, &dns.Msg{})
	case q.entry.target != "":
		return h.follow(ctx, w, r, q)
	case q.entry.gateway && q.view.gateway == nil && (qtype == dns.TypeA || qtype == dns.TypeAAAA):
		return dns.RcodeServerFailure, errNoGateway
	}
	return h.write(w, r, q, h.records(r, q))
}

// write sends a reply. One without an answer says for how long that holds (RFC 2308).
func (h *Handler) write(w dns.ResponseWriter, r *dns.Msg, q *question, content *dns.Msg) (int, error) {
	m := new(dns.Msg).SetReply(r)
	m.Rcode, m.Authoritative, m.Compress = content.Rcode, true, true
	m.Answer, m.Ns, m.Extra, m.Truncated = content.Answer, content.Ns, content.Extra, content.Truncated
	if len(m.Answer) == 0 && len(m.Ns) == 0 {
		m.Ns = []dns.RR{q.soa(r.Question[0].Name)}
	}
	if err := w.WriteMsg(m); err != nil {
		return dns.RcodeSuccess, fmt.Errorf("answer %s: %w", r.Question[0].Name, err)
	}
	return dns.RcodeSuccess, nil // also for NXDOMAIN: it says that the reply has been written
}

// soa is the record for a reply without an answer. Its owner must be at or above the name.
func (q *question) soa(name string) *dns.SOA {
	soa := *q.view.soa
	if q.kind == short || q.kind == foreign || q.kind == nobody && !belowSvc(name) {
		soa.Hdr.Name = name
	}
	return &soa
}

// records are the records of a name that is no alias.
func (h *Handler) records(r *dns.Msg, q *question) *dns.Msg {
	name, qtype := r.Question[0].Name, r.Question[0].Qtype
	switch qtype {
	case dns.TypeSRV:
		return h.services(name, q)
	case dns.TypePTR:
		m := &dns.Msg{}
		for _, key := range q.entry.pointers {
			m.Answer = append(m.Answer, &dns.PTR{Hdr: h.header(name, dns.TypePTR), Ptr: h.absolute(key)})
		}
		return m
	}
	if q.port != "" {
		return &dns.Msg{} // _port._tcp.<service> has SRV records alone
	}
	return &dns.Msg{Answer: h.addressRecords(name, qtype, q.addresses())}
}

// addresses are those of the entry or of the gateway; nil if there are none.
func (q *question) addresses() *addresses {
	if q.entry.gateway {
		return q.view.gateway
	}
	return q.entry.addresses
}

// addressRecords are the addresses of one type, beginning with another one each time.
func (h *Handler) addressRecords(name string, qtype uint16, a *addresses) []dns.RR {
	if a == nil {
		return nil
	}
	f, _, ok := a.family(qtype)
	if !ok {
		return nil
	}
	first := a.first(len(f.list))
	var records []dns.RR
	for _, address := range slices.Concat(f.list[first:], f.list[:first]) {
		records = append(records, h.addressRecord(name, address))
	}
	return records
}

func (h *Handler) addressRecord(name string, address netip.Addr) dns.RR {
	if address.Is4() {
		return &dns.A{Hdr: h.header(name, dns.TypeA), A: net.IP(address.AsSlice())}
	}
	return &dns.AAAA{Hdr: h.header(name, dns.TypeAAAA), AAAA: net.IP(address.AsSlice())}
}

func (h *Handler) header(name string, rrtype uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: rrtype, Class: dns.ClassINET, Ttl: h.ttl}
}

// absolute is the full name of a key.
func (h *Handler) absolute(key string) string { return key + "." + h.domain + "." + svc + "." }

// minimalAny answers ANY with one small record (RFC 8482, 4.2): whoever asks for everything mostly wants a large answer for a third party.
func (h *Handler) minimalAny(r *dns.Msg) dns.RR {
	return &dns.HINFO{Hdr: h.header(r.Question[0].Name, dns.TypeHINFO), Cpu: "RFC8482"}
}

// apexRecords are the records of svc.
func (h *Handler) apexRecords(r *dns.Msg, q *question) *dns.Msg {
	m, name := &dns.Msg{}, r.Question[0].Name
	switch r.Question[0].Qtype {
	case dns.TypeSOA:
		soa := q.soa(name)
		soa.Hdr.Name = name
		m.Answer = []dns.RR{soa}
	case dns.TypeNS:
		m.Answer = []dns.RR{&dns.NS{Hdr: h.header(name, dns.TypeNS), Ns: nameServer(h.domain)}}
		m.Extra = h.hosts(nameServer(h.domain), q.view.gateway.all())
	}
	return m
}

// follow answers with an alias and what its target has. The target is asked of this server itself, so that it may be a name of the mesh,
// of another plugin, or of the world.
func (h *Handler) follow(ctx context.Context, w dns.ResponseWriter, r *dns.Msg, q *question) (int, error) {
	name, qtype := r.Question[0].Name, r.Question[0].Qtype
	m := &dns.Msg{Answer: []dns.RR{&dns.CNAME{Hdr: h.header(name, dns.TypeCNAME), Target: q.entry.target}}}
	if qtype == dns.TypeCNAME || ctx.Value(dnsserver.Key{}) == nil {
		return h.write(w, r, q, m)
	}
	depth, _ := ctx.Value(dnsserver.LoopKey{}).(int)
	if depth >= maxAliases {
		return dns.RcodeServerFailure, fmt.Errorf("follow the alias %s: more than %d aliases in a row: point one of the services to an address", name, maxAliases)
	}
	state := request.Request{W: w, Req: r}
	found, err := upstream.New().Lookup(context.WithValue(ctx, dnsserver.LoopKey{}, depth+1), state, q.entry.target, qtype)
	if err != nil {
		return dns.RcodeServerFailure, fmt.Errorf("follow the alias %s to %s: %w", name, q.entry.target, err)
	}
	if found == nil || !plugin.ClientWrite(found.Rcode) {
		return dns.RcodeServerFailure, fmt.Errorf("follow the alias %s to %s: no answer", name, q.entry.target)
	}
	m.Rcode, m.Truncated = found.Rcode, found.Truncated // the code is that of the last name (RFC 6604, 3)
	m.Answer, m.Ns = append(m.Answer, found.Answer...), found.Ns
	return h.write(w, r, q, m)
}
