package dns

import (
	"bytes"
	"strings"
)

// A kind is whose name somebody asks for.
type kind uint8

const (
	// other is a name outside the mesh.
	other kind = iota
	// nobody is a name below svc that cannot exist, or a name with a port stuck to it.
	nobody
	// apex is svc itself.
	apex
	// middle is <domain>.svc, which has no records but names below it.
	middle
	// partner is <service>.<domain>.svc of another domain, whose gateway alone knows whether it exists.
	partner
	// own is a name below <own domain>.svc.
	own
	// short is a name of the domain without svc: <service>, <service>.<own domain>, <hostname>.<service>.<own domain>.
	short
	// foreign is a name outside the mesh that an object of the mesh may have: <hostname>.<service>, or the reverse name of an address.
	foreign
)

// indexed says whether the index may have such a name.
func (k kind) indexed() bool { return k == own || k == short || k == foreign }

// svc is the last label of all hosts of the mesh; see names.HostSuffix.
const svc = "svc"

// maxName is the most bytes that a name has in text without its last dot (RFC 1035, 3.1: 255 on the wire).
const maxName = 253

// A lowered name is a query's name in lower case and without the dot at its end.
type lowered struct {
	text [maxName]byte
	size int
}

// set takes a name in CoreDNS's text form. It refuses names with an escape, which no object can have.
func (l *lowered) set(name string) bool {
	name = strings.TrimSuffix(name, ".")
	if len(name) > maxName {
		return false
	}
	for i := range len(name) {
		c := name[i]
		if c == '\\' {
			return false
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		l.text[i] = c
	}
	l.size = len(name)
	return true
}

func (l *lowered) bytes() []byte { return l.text[:l.size] }

// belowSvc is for names that lowered refuses.
func belowSvc(name string) bool {
	return strings.HasSuffix(strings.ToLower(name), "."+svc+".")
}

// classify says whose name it is, and under which key the index has it. A key is the name without svc and without the own domain, so
// that a service has one entry for all its names.
func classify(name []byte, domain string) (kind, []byte) {
	rest, last := cutLast(name)
	if string(last) != svc {
		return classifyShort(name, rest, last, domain)
	}
	if rest == nil {
		return apex, nil
	}
	rest, last = cutLast(rest)
	switch {
	case rest == nil && isLabel(last) && string(last) != svc:
		return middle, nil
	case rest == nil:
		return nobody, nil
	case string(last) == domain:
		return own, rest
	case isLabel(rest) && isLabel(last) && string(last) != svc:
		return partner, nil
	}
	return nobody, nil
}

// classifyShort is classify for names that do not end in svc.
func classifyShort(name, rest, last []byte, domain string) (kind, []byte) {
	switch {
	case bytes.IndexByte(last, ':') >= 0:
		return nobody, nil // such as web.alice.svc:80, from a client that did not part host and port
	case len(name) == 0:
		return other, nil
	case rest == nil:
		return short, name
	case string(last) == domain:
		return short, rest
	case bytes.IndexByte(rest, '.') < 0, isReverse(name):
		return foreign, name
	}
	return other, nil
}

// isReverse says whether the name is that of an address, for PTR.
func isReverse(name []byte) bool {
	return bytes.HasSuffix(name, []byte(".in-addr.arpa")) || bytes.HasSuffix(name, []byte(".ip6.arpa"))
}

// cutLast parts the last label from those before it; rest is nil when there are none.
func cutLast(name []byte) (rest, last []byte) {
	dot := bytes.LastIndexByte(name, '.')
	if dot < 0 {
		return nil, name
	}
	return name[:dot], name[dot+1:]
}

// isLabel says whether the bytes are one label that a service or domain may have. The underscore is for names made by hand.
func isLabel(label []byte) bool {
	for _, c := range label {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return len(label) > 0
}
