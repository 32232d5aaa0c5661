package dns

import (
	"encoding/binary"

	"github.com/miekg/dns"

	"github.com/entente-mesh/entente/api/names"
)

// newView makes what all answers from now on share.
func (x *index) newView(gateway *addresses) *view {
	v := &view{gateway: gateway, partner: &entry{gateway: true}}
	serial := uint32(1)
	if before := x.view.Load(); before != nil {
		serial = before.soa.Serial + 1
	}
	v.soa = &dns.SOA{
		Hdr: dns.RR_Header{Name: svc + ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: x.ttl},
		Ns:  nameServer(x.domain), Mbox: "hostmaster." + x.domain + names.HostSuffix + ".",
		// Nobody transfers the zone: the times below are never used, and the serial only tells two states apart.
		Serial: serial, Refresh: 7200, Retry: 1800, Expire: 86400,
		Minttl: x.ttl, // how long one may remember that a name or type is not there (RFC 2308, 4)
	}
	v.soaTail = packSOA(v.soa)
	return v
}

// nameServer is who answers for svc: this server runs where the domain's gateway does.
func nameServer(domain string) string { return names.ServiceHost(names.ServiceGateway, domain) + "." }

// packSOA is the record on the wire without its owner, and without compression, so that it fits behind every question.
func packSOA(soa *dns.SOA) []byte {
	wire := binary.BigEndian.AppendUint16(nil, dns.TypeSOA)
	wire = binary.BigEndian.AppendUint16(wire, dns.ClassINET)
	wire = binary.BigEndian.AppendUint32(wire, soa.Hdr.Ttl)
	length := len(wire)
	wire = append(wire, 0, 0)
	wire = appendName(wire, soa.Ns)
	wire = appendName(wire, soa.Mbox)
	for _, n := range []uint32{soa.Serial, soa.Refresh, soa.Retry, soa.Expire, soa.Minttl} {
		wire = binary.BigEndian.AppendUint32(wire, n)
	}
	binary.BigEndian.PutUint16(wire[length:], uint16(len(wire)-length-2))
	return wire
}
