package dns

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"

	"github.com/miekg/dns"
)

// headerSize is the length of a message's header.
const headerSize = 12

// Bits of the second word of the header (RFC 1035, 4.1.1; RFC 4035, 3.2.2).
const (
	bitResponse         = 1 << 15
	bitAuthoritative    = 1 << 10
	bitRecursionDesired = 1 << 8
	bitCheckingDisabled = 1 << 4
)

// optSize is the length of an OPT record without options (RFC 6891, 6.1.2).
const optSize = 11

// bitDO is the one flag of an OPT record that an answer repeats (RFC 3225, 3).
const bitDO = 1 << 15

// A buffer takes one packed answer; what does not fit is answered as a message.
type buffer struct{ wire [4096]byte }

// buffers keeps buffers between answers.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *buffer {
	if kept, ok := b.pool.Get().(*buffer); ok {
		return kept
	}
	return new(buffer)
}

func (b *buffers) put(used *buffer) { b.pool.Put(used) }

// writePacked answers questions for addresses from bytes that were made when the mesh changed; it allocates nothing. It leaves to answer
// what is rare: other types, errors, aliases, options, and answers that do not fit the client.
func (h *Handler) writePacked(w dns.ResponseWriter, r *dns.Msg, q query) (written bool, err error) {
	from := q.entry.addresses
	if q.entry.gateway {
		if from = q.view.gateway; from == nil {
			return false, nil
		}
	}
	if from == nil || q.entry.target != "" {
		return false, nil
	}
	records, size, ok := from.family(r.Question[0].Qtype)
	opt, plain := plainRequest(r)
	if !ok || !plain || !fits(w, opt, headerSize+len(r.Question[0].Name)+5+len(records.wire)+len(q.view.soaTail)+optSize) {
		return false, nil
	}
	b := h.buffers.get()
	defer h.buffers.put(b)
	wire := appendQuestion(b.wire[:headerSize], &r.Question[0])
	if len(records.wire) > 0 {
		first := from.first(len(records.list)) * size
		wire = append(append(wire, records.wire[first:]...), records.wire[:first]...)
	} else {
		wire = appendSOA(wire, q)
	}
	if opt != nil {
		wire = append(wire, 0, 0, byte(dns.TypeOPT), byte(opt.Hdr.Class>>8), byte(opt.Hdr.Class), 0, 0, byte(opt.Hdr.Ttl&bitDO>>8), 0, 0, 0)
	}
	putHeader(wire, r, len(records.list), opt != nil)
	if _, err := w.Write(wire); err != nil {
		return true, fmt.Errorf("answer %s: %w", r.Question[0].Name, err)
	}
	return true, nil
}

// plainRequest says whether the request is a question and nothing else but perhaps an OPT record without options, which it returns.
func plainRequest(r *dns.Msg) (*dns.OPT, bool) {
	if r.Response || len(r.Answer)+len(r.Ns) > 0 || len(r.Extra) > 1 {
		return nil, false
	}
	if len(r.Extra) == 0 {
		return nil, true
	}
	opt, ok := r.Extra[0].(*dns.OPT)
	return opt, ok && len(opt.Option) == 0
}

// fits says whether a client takes so many bytes, and a buffer does.
func fits(w dns.ResponseWriter, opt *dns.OPT, size int) bool {
	switch {
	case size > len(buffer{}.wire):
		return false
	case size <= dns.MinMsgSize, opt != nil && size <= int(opt.UDPSize()):
		return true
	}
	_, tcp := w.RemoteAddr().(*net.TCPAddr)
	return tcp
}

// putHeader writes the header of an answer with so many addresses, or with an SOA record if there are none.
func putHeader(wire []byte, r *dns.Msg, addresses int, opt bool) {
	bits := uint16(bitResponse | bitAuthoritative)
	if r.RecursionDesired {
		bits |= bitRecursionDesired
	}
	if r.CheckingDisabled {
		bits |= bitCheckingDisabled
	}
	authority, extra := uint16(0), uint16(0)
	if addresses == 0 {
		authority = 1
	}
	if opt {
		extra = 1
	}
	for i, word := range [...]uint16{r.Id, bits, 1, uint16(addresses), authority, extra} {
		binary.BigEndian.PutUint16(wire[2*i:], word)
	}
}

// appendSOA appends the record that says for how long there is no such type. Its owner must be at or above the name.
func appendSOA(wire []byte, q query) []byte {
	if q.kind == short || q.kind == foreign {
		wire = binary.BigEndian.AppendUint16(wire, questionPointer)
	} else {
		wire = appendName(wire, svc+".")
	}
	return append(wire, q.view.soaTail...)
}

// appendQuestion repeats the question with the case of its letters, which some clients check.
func appendQuestion(wire []byte, q *dns.Question) []byte {
	wire = appendName(wire, q.Name)
	wire = binary.BigEndian.AppendUint16(wire, q.Qtype)
	return binary.BigEndian.AppendUint16(wire, q.Qclass)
}

// appendName appends an absolute name without escapes, uncompressed.
func appendName(wire []byte, name string) []byte {
	start := len(wire)
	wire = append(wire, 0)
	for i := range len(name) {
		if name[i] != '.' {
			wire = append(wire, name[i])
			continue
		}
		wire[start] = byte(len(wire) - start - 1)
		start = len(wire)
		wire = append(wire, 0)
	}
	return wire
}
