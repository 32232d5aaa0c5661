package issue

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/entente-mesh/entente/api/names"
)

// AuthorityLife is the life of a domain's own certificate. It is as long as the original's: partners keep the certificate for its key,
// and nothing would renew it there.
const AuthorityLife = 50 * 365 * 24 * time.Hour

// Terms are what issuing takes from outside.
type Terms struct {
	Now      time.Time
	Lifetime time.Duration // from Now on; cut to the end of the authority
	Rand     io.Reader     // secure; each certificate takes 16 bytes of it as its serial number
}

// An Authority issues the certificates of one domain. Its key is the domain key, its certificate self-signed with the domain id as common
// name. It is immutable.
type Authority struct {
	cert *x509.Certificate
	key  *rsa.PrivateKey
}

// NewAuthority makes the authority of a domain with a new certificate. Those that it makes of the same key and domain are interchangeable:
// what one has issued, the certificate of the other verifies. (Another tool may spell the name in other bytes, and then they are not.)
func NewAuthority(key *rsa.PrivateKey, domain string, terms Terms) (*Authority, error) {
	if err := names.ValidateDomainID(domain); err != nil {
		return nil, err
	}
	if err := sound(&key.PublicKey); err != nil {
		return nil, err
	}
	template, err := template(terms)
	if err != nil {
		return nil, err
	}
	template.Subject = pkix.Name{CommonName: domain}
	template.IsCA = true
	template.MaxPathLenZero = true // it signs no other authority
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature
	cert, err := create(template, template, &key.PublicKey, key, terms.Rand)
	if err != nil {
		return nil, fmt.Errorf("make the certificate of domain %s: %w", domain, err)
	}
	return &Authority{cert: cert, key: key}, nil
}

// ParseAuthority takes a domain's certificate from PEM and its key. It refuses a certificate of another key, and one that may not issue.
func ParseAuthority(certificate []byte, key *rsa.PrivateKey) (*Authority, error) {
	const remedy = "remove the file, and a new certificate is made from the domain key"
	cert, err := ParseCertificate(certificate)
	if err != nil {
		return nil, err
	}
	if err := names.ValidateDomainID(cert.Subject.CommonName); err != nil {
		return nil, fmt.Errorf("common name of the domain's certificate: %w", err)
	}
	switch {
	case !key.PublicKey.Equal(cert.PublicKey):
		return nil, &Error{"the domain's certificate is of another key than the domain's", remedy}
	case !cert.IsCA || cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return nil, &Error{"the domain's certificate is not that of an authority", remedy}
	}
	if err := sound(&key.PublicKey); err != nil {
		return nil, err
	}
	return &Authority{cert: cert, key: key}, nil
}

// Domain is the domain's id.
func (a *Authority) Domain() string { return a.cert.Subject.CommonName }

// Certificate is the authority's own certificate. It is shared and must not be changed.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// Issue makes a certificate of the public key for what the profile says. It refuses weak keys, names that cannot stand in a certificate,
// and to issue outside the authority's own life.
func (a *Authority) Issue(key crypto.PublicKey, p Profile, terms Terms) (*x509.Certificate, error) {
	if err := sound(key); err != nil {
		return nil, err
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	if terms.Now.Before(a.cert.NotBefore) || !terms.Now.Before(a.cert.NotAfter) {
		reason := fmt.Sprintf("the certificate of domain %s is valid from %s to %s only", a.Domain(), a.cert.NotBefore.Format(time.RFC3339), a.cert.NotAfter.Format(time.RFC3339))
		return nil, &Error{reason, "set the clock, or replace the domain's certificate"}
	}
	template, err := template(terms)
	if err != nil {
		return nil, err
	}
	p.fill(template)
	if _, ok := key.(*rsa.PublicKey); ok {
		template.KeyUsage |= x509.KeyUsageKeyEncipherment // for TLS 1.2 without ephemeral keys
	}
	if template.NotAfter.After(a.cert.NotAfter) {
		template.NotAfter = a.cert.NotAfter
	}
	cert, err := create(template, a.cert, key, a.key, terms.Rand)
	if err != nil {
		return nil, fmt.Errorf("issue a certificate to %.80q: %w", p.CommonName, err)
	}
	return cert, nil
}

// template is what all certificates have in common: a serial number of 128 random bits and real times.
func template(terms Terms) (*x509.Certificate, error) {
	if terms.Lifetime <= 0 {
		return nil, &Error{fmt.Sprintf("a certificate cannot live %v", terms.Lifetime), "give a positive lifetime"}
	}
	serial := make([]byte, 16)
	if _, err := io.ReadFull(terms.Rand, serial); err != nil {
		return nil, fmt.Errorf("draw a serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber:          new(big.Int).SetBytes(serial),
		NotBefore:             terms.Now.Add(-Skew).UTC().Truncate(time.Second),
		NotAfter:              terms.Now.Add(terms.Lifetime).UTC().Truncate(time.Second),
		SignatureAlgorithm:    x509.SHA256WithRSA,
		BasicConstraintsValid: true,
	}, nil
}

func create(template, parent *x509.Certificate, key crypto.PublicKey, signer crypto.Signer, rand io.Reader) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand, template, parent, key, signer)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
