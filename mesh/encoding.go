package mesh

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"net/netip"

	"github.com/entente-mesh/entente/internal/live"
)

// An encoding is a piece as bytes: two pieces say the same exactly when their encodings are equal. It never leaves the process but as a
// hash.
type encoding struct {
	bytes   []byte
	salt    string // goes into the hash of each secret, so that nobody can guess a secret from a version
	version bool   // the version of the piece's Ref counts too: it is there already
}

// text adds strings; their lengths keep neighbors apart.
func (e *encoding) text(texts ...string) {
	for _, t := range texts {
		e.bytes = binary.AppendUvarint(e.bytes, uint64(len(t)))
		e.bytes = append(e.bytes, t...)
	}
}

// number adds a number, such as the length of the list that follows.
func (e *encoding) number(n uint64) { e.bytes = binary.AppendUvarint(e.bytes, n) }

// flags adds booleans.
func (e *encoding) flags(flags ...bool) {
	for _, f := range flags {
		if f {
			e.bytes = append(e.bytes, 1)
		} else {
			e.bytes = append(e.bytes, 0)
		}
	}
}

// list adds a list of strings.
func (e *encoding) list(texts []string) {
	e.number(uint64(len(texts)))
	e.text(texts...)
}

// address adds an address, or that there is none.
func (e *encoding) address(a netip.Addr) { e.text(string(a.AsSlice()), a.Zone()) }

// secret adds the hash of a secret.
func (e *encoding) secret(s Secret) {
	h := sha256.Sum256([]byte(e.salt + s.text))
	e.bytes = append(e.bytes, h[:]...)
}

// object adds the object that a Ref names.
func (e *encoding) object(r live.Ref) {
	e.text(r.Kind, r.Namespace, r.Name)
	if e.version {
		e.text(r.Version)
	}
}

// A piece is one value of a mesh that can be told from another.
type piece interface {
	comparable
	encode(*encoding)
}

// same says that two pieces are equal in all they say.
func same[P piece](a, b P) bool {
	left, right := encoding{version: true}, encoding{version: true}
	a.encode(&left)
	b.encode(&right)
	return bytes.Equal(left.bytes, right.bytes)
}

// version is the Ref.Version of a piece: short, and another one for another content.
func version[P piece](p P, salt Secret) string {
	e := encoding{salt: salt.text}
	p.encode(&e)
	return hash(e.bytes)
}

func hash(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:8])
}

func (s *Service) encode(e *encoding) {
	e.object(s.Ref)
	e.text(s.Name, string(s.Protocol), string(s.Scope), s.ExternalName, s.Affinity.Cookie, s.Affinity.Header)
	e.number(uint64(s.Affinity.CookieTTL))
	e.flags(s.Restricted, s.Affinity.ClientIP, s.ViaGateway, s.Headless, s.Builtin != nil)
	e.list(s.Callers)
	e.address(s.ClusterIP)
	e.number(uint64(len(s.Bandwidth)))
	for _, b := range s.Bandwidth {
		e.text(b.Destination, b.Task)
		e.number(b.KiBps)
	}
	e.number(uint64(len(s.Ports)))
	for _, p := range s.Ports {
		e.text(p.Name)
		e.number(uint64(p.Number))
	}
	if s.Builtin != nil {
		s.Builtin.encode(e)
	}
}

func (b *Builtin) encode(e *encoding) {
	e.object(b.Ref)
	e.text(b.Ref.Version, b.Name, b.Socket, string(b.Protocol))
	e.address(b.Address.Addr())
	e.number(uint64(b.Address.Port()))
	e.list(b.Paths)
	e.flags(b.External, b.Control, b.Open, b.Callers != nil)
	e.list(b.Callers)
}

func (p *Endpoints) encode(e *encoding) {
	e.object(p.Ref)
	e.text(p.Service)
	e.number(uint64(len(p.Ready)))
	for _, r := range p.Ready {
		e.address(r.Address.Addr())
		e.number(uint64(r.Address.Port()))
		e.text(r.Hostname)
	}
}

func (p *Pod) encode(e *encoding) {
	e.object(p.Ref)
	e.text(p.Name, p.Hostname, p.Subdomain)
	e.number(uint64(len(p.Addresses)))
	for _, a := range p.Addresses {
		e.address(a)
	}
}

func (g *Gateway) encode(e *encoding) {
	e.object(g.Ref)
	e.text(g.Name)
	e.address(g.Address)
}

func (r *Route) encode(e *encoding) {
	e.object(r.Ref)
	e.text(r.Name, r.Source, r.Destination, string(r.Protocol), string(r.Auth), r.Host, r.Via, string(r.Encryption), r.Client)
	e.flags(r.ReverseTunnel, r.GRPCDegrade, r.TLS != nil)
	e.number(uint64(len(r.Hops)))
	for _, h := range r.Hops {
		e.text(h.Name, h.Prefix)
		e.number(uint64(h.Port))
		e.flags(h.GRPC, h.TLS, h.Handshake)
	}
	if r.TLS != nil {
		e.text(r.TLS.CA, r.TLS.Certificate, r.TLS.Name)
		e.secret(r.TLS.Key)
	}
	e.number(uint64(len(r.From)))
	for _, p := range r.From {
		e.address(p.Addr())
		e.number(uint64(p.Bits()))
	}
	e.list(r.TransitTo)
	e.number(uint64(len(r.Headers)))
	for _, h := range r.Headers {
		e.text(h.Name)
		e.secret(h.Value)
	}
}

func (t *Tokens) encode(e *encoding) {
	e.object(t.Ref)
	e.text(t.Destination, t.Credential.Kind, t.Credential.Namespace, t.Credential.Name, t.Credential.Version)
	e.secret(t.Current)
	e.tokens(t.All)
}

func (k *Keys) encode(e *encoding) {
	e.object(k.Ref)
	e.text(k.Source)
	e.tokens(k.All)
}

func (e *encoding) tokens(tokens []Token) {
	e.number(uint64(len(tokens)))
	for _, t := range tokens {
		e.number(uint64(t.Revision))
		e.secret(t.Value)
	}
}
