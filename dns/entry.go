package dns

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/miekg/dns"

	"github.com/entente-mesh/entente/mesh"
)

// An entry is what one key of the index answers. It does not change but for its turn.
type entry struct {
	// service is set for services, so that SRV finds their ports, and endpoints for those that answer their own addresses.
	service   *mesh.Service
	endpoints []mesh.Endpoint
	// gateway says that the gateway's addresses are the answer.
	gateway bool
	// addresses are the answer of all others; nil means that the name exists without an address.
	addresses *addresses
	// target is another name, absolute, where the answer is found; empty without one.
	target string
	// pointers are the keys that a reverse name points to, sorted.
	pointers []string
}

// addresses are the addresses of a name, each family ready for the wire. Each answer begins with another address.
type addresses struct {
	v4, v6 family
	turn   atomic.Uint32
}

// A family holds the addresses of one family.
type family struct {
	list []netip.Addr
	// wire are their resource records, one after the other, whose owner is a pointer to the question (RFC 1035, 4.1.4).
	wire []byte
}

// Sizes of resource records with a pointer as owner.
const (
	recordHead = 12 // pointer, type, class, TTL, length
	sizeA      = recordHead + 4
	sizeAAAA   = recordHead + 16
)

// questionPointer points to the name in the question, which begins after the header.
const questionPointer = 0xC000 | headerSize

// newAddresses sorts the addresses by family and drops those that are there twice. It returns nil if there is none.
func newAddresses(list []netip.Addr, ttl uint32) *addresses {
	a := &addresses{}
	for _, address := range list {
		switch address = address.Unmap().WithZone(""); {
		case address.Is4():
			a.v4.list = append(a.v4.list, address)
		case address.Is6():
			a.v6.list = append(a.v6.list, address)
		}
	}
	if len(a.v4.list)+len(a.v6.list) == 0 {
		return nil
	}
	a.v4.pack(dns.TypeA, ttl)
	a.v6.pack(dns.TypeAAAA, ttl)
	return a
}

func (f *family) pack(rrtype uint16, ttl uint32) {
	slices.SortFunc(f.list, netip.Addr.Compare)
	f.list = slices.Clip(slices.Compact(f.list))
	for _, address := range f.list {
		octets := address.AsSlice()
		f.wire = binary.BigEndian.AppendUint16(f.wire, questionPointer)
		f.wire = binary.BigEndian.AppendUint16(f.wire, rrtype)
		f.wire = binary.BigEndian.AppendUint16(f.wire, dns.ClassINET)
		f.wire = binary.BigEndian.AppendUint32(f.wire, ttl)
		f.wire = binary.BigEndian.AppendUint16(f.wire, uint16(len(octets)))
		f.wire = append(f.wire, octets...)
	}
}

// all are the addresses of both families; none of nil.
func (a *addresses) all() []netip.Addr {
	if a == nil {
		return nil
	}
	return slices.Concat(a.v4.list, a.v6.list)
}

// first is where the next answer with n addresses begins.
func (a *addresses) first(n int) int {
	if n < 2 {
		return 0
	}
	return int(a.turn.Add(1)-1) % n
}

// family returns the addresses of the type of a question, and how long a record of it is; false for types without addresses.
func (a *addresses) family(qtype uint16) (f *family, size int, ok bool) {
	switch qtype {
	case dns.TypeA:
		return &a.v4, sizeA, true
	case dns.TypeAAAA:
		return &a.v6, sizeAAAA, true
	}
	return nil, 0, false
}
