package mesh

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/entente-mesh/entente/api/v1alpha1"
)

// A material is what became of the certificates of one DomainRoute. It does not depend on the time.
type material struct {
	from   v1alpha1.MTLSConfig // what it was read from; without a key in it also from the domain's
	pinned bool                // it is the source's certificate as the destination must see it

	ca, certificate string
	key             Secret
	spans           []span
	field           string // what is at fault; empty when all is good
	err             error
}

// A span is when the certificates of a field are valid.
type span struct {
	field       string
	from, until time.Time // until is the first instant at which it is over
}

// material reads what the source of a route brings, or takes it from the reading before when that was the same.
func (c *compiler) material(o *v1alpha1.DomainRoute, was *reading) *material {
	from := v1alpha1.MTLSConfig{}
	if o.Spec.MTLSConfig != nil {
		from = *o.Spec.MTLSConfig
	}
	own := ""
	if from.SourceClientCert != "" && from.SourceClientPrivateKey == "" {
		own = c.settings.DomainKey.Reveal()
	}
	if kept := c.keptMaterial(was, from, false); kept != nil {
		return kept
	}
	m := &material{from: from}
	m.read(own)
	return m
}

// pinned reads the certificate that the destination of a route must see.
func (c *compiler) pinned(o *v1alpha1.DomainRoute, was *reading) *material {
	from := v1alpha1.MTLSConfig{SourceClientCert: o.Spec.MTLSConfig.SourceClientCert}
	if kept := c.keptMaterial(was, from, true); kept != nil {
		return kept
	}
	m := &material{from: from, pinned: true}
	chain, _, err := certificates(from.SourceClientCert)
	m.set(fieldCertificate, err)
	if err == nil {
		m.certificate = pemOf(chain[0]) // compared as a whole, so the rest of the chain proves nothing more
		m.span(fieldCertificate, chain[:1])
	}
	return m
}

// keptMaterial is that of the reading before, when it was read from the same.
func (c *compiler) keptMaterial(was *reading, from v1alpha1.MTLSConfig, pinned bool) *material {
	if c.fresh || was == nil || was.tls == nil || was.tls.from != from || was.tls.pinned != pinned {
		return nil
	}
	return was.tls
}

// Fields of DomainRoutes with certificates.
const (
	fieldAuthority   = "spec.mTLSConfig.tlsCA"
	fieldCertificate = "spec.mTLSConfig.sourceClientCert"
	fieldKey         = "spec.mTLSConfig.sourceClientPrivateKey"
)

// read parses all parts. own is the domain's key in PEM, for a certificate that comes without one.
func (m *material) read(own string) {
	if m.from.TLSCA != "" {
		chain, text, err := certificates(m.from.TLSCA)
		m.set(fieldAuthority, err)
		m.ca = text
		m.span(fieldAuthority, chain)
	}
	if m.from.SourceClientCert == "" {
		if m.from.SourceClientPrivateKey != "" {
			m.set(fieldKey, errors.New("the key has no certificate"))
		}
		return
	}
	chain, text, err := certificates(m.from.SourceClientCert)
	m.set(fieldCertificate, err)
	if err != nil {
		return
	}
	m.certificate = text
	m.span(fieldCertificate, chain[:1])
	raw := []byte(own)
	if m.from.SourceClientPrivateKey != "" {
		raw, err = decode(m.from.SourceClientPrivateKey)
	} else if own == "" {
		err = errors.New("the certificate has no key, and the domain's own is not known here")
	}
	if err == nil {
		m.key, err = privateKey(raw, chain[0])
	}
	m.set(fieldKey, err)
}

// set notes the first fault.
func (m *material) set(field string, err error) {
	if m.err == nil && err != nil {
		m.field, m.err = field, err
	}
}

// span notes when certificates are valid together.
func (m *material) span(field string, chain []*x509.Certificate) {
	if len(chain) == 0 {
		return
	}
	s := span{field: field, from: chain[0].NotBefore, until: chain[0].NotAfter.Add(time.Second)}
	for _, cert := range chain[1:] {
		if cert.NotBefore.After(s.from) {
			s.from = cert.NotBefore
		}
		if until := cert.NotAfter.Add(time.Second); until.Before(s.until) {
			s.until = until
		}
	}
	m.spans = append(m.spans, s)
}

// fault says whether the material cannot be used. A route is then left out: it must be neither unchecked nor unproved.
func (m *material) fault(v *review) bool {
	if m.err != nil {
		v.refuse(m.field, m.err.Error(), "write base64 of PEM: certificates, and the key that belongs to the first of them")
	}
	return m.err != nil
}

// judge tells of certificates that are not valid at the time. They stay in force: whether a partner still takes them is the partner's to say,
// and the original hands out certificates that ended long ago (valid 1970 to 1980).
func (m *material) judge(v *review, now time.Time) {
	for _, s := range m.spans {
		switch {
		case now.IsZero():
		case now.Before(s.from):
			v.fault(s.field, "the certificate is not valid before "+dateKey(s.from), "check the clocks of both sides, or wait")
		case !now.Before(s.until):
			v.fault(s.field, "the certificate has ended at "+dateKey(s.until.Add(-time.Second)), "replace it by a new one at both ends")
		}
	}
}

// instants are the times at which judge changes its mind.
func (m *material) instants() []time.Time {
	if m == nil || m.err != nil {
		return nil
	}
	var found []time.Time
	for _, s := range m.spans {
		found = append(found, s.from, s.until)
	}
	return found
}

// maxMaterial bounds the text of certificates and keys before anything is decoded: a chain of ten takes about 25 kB.
const maxMaterial = 128 << 10

// decode is base64 of PEM as PEM.
func decode(text string) ([]byte, error) {
	if len(text) > maxMaterial {
		return nil, fmt.Errorf("the text has %d characters, at most %d are read", len(text), maxMaterial)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, errors.New("the text is not base64")
	}
	return raw, nil
}

// certificates reads at least one certificate from base64 of PEM, and writes them again without what stood between them.
func certificates(text string) ([]*x509.Certificate, string, error) {
	raw, err := decode(text)
	if err != nil {
		return nil, "", err
	}
	var chain []*x509.Certificate
	var clean strings.Builder
	for {
		var b *pem.Block
		if b, raw = pem.Decode(raw); b == nil {
			break
		}
		if b.Type != "CERTIFICATE" {
			return nil, "", fmt.Errorf("a PEM block of type %s stands where a certificate belongs", quote(b.Type))
		}
		cert, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, "", errors.New("the certificate is damaged")
		}
		chain = append(chain, cert)
		clean.WriteString(pemOf(cert))
	}
	if len(chain) == 0 {
		return nil, "", errors.New("there is no certificate in it")
	}
	return chain, clean.String(), nil
}

func pemOf(cert *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
}

// privateKey reads the key of a certificate from PEM. Errors never hold a part of it.
func privateKey(raw []byte, cert *x509.Certificate) (Secret, error) {
	for {
		b, rest := pem.Decode(raw)
		if b == nil {
			return Secret{}, errors.New("there is no private key in it")
		}
		if raw = rest; !strings.HasSuffix(b.Type, "PRIVATE KEY") {
			continue // such as the parameters before a key of an elliptic curve
		}
		key, err := parseKey(b)
		if err != nil {
			return Secret{}, err
		}
		if public, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(key.Public()) {
			return Secret{}, errors.New("the private key belongs to another certificate")
		}
		return Hide(string(pem.EncodeToMemory(&pem.Block{Type: b.Type, Bytes: b.Bytes}))), nil
	}
}

func parseKey(b *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch b.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(b.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(b.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(b.Bytes)
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if err == nil && k.N.BitLen() < 2048 {
			return nil, fmt.Errorf("the RSA key has %d bits, at least 2048 are needed", k.N.BitLen())
		}
		return k, err
	case *ecdsa.PrivateKey:
		return k, err
	}
	if err != nil {
		return nil, errors.New("the private key is damaged, or encrypted with a passphrase")
	}
	return nil, errors.New("the private key is neither RSA nor of an elliptic curve that gateways know")
}
