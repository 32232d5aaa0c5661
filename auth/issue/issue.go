// Package issue makes and judges the certificates of one domain and the papers by which a node asks for one: certificate requests, deploy
// tokens and signed registrations.
//
// A certificate says only what the domain decided: of a request it takes over the public key and nothing else. Validity times are real, so
// a certificate that is not renewed (see [RenewAt]) ends.
package issue

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"
)

// Skew is how far clocks may differ: a certificate is valid this long before it was made, and a registration this long around its times.
const Skew = 5 * time.Minute

// maxPEM bounds a certificate or request before it is decoded. An RSA key of 8192 bits with its signature takes about 4 kB.
const maxPEM = 16 << 10

const (
	pemCertificate = "CERTIFICATE"
	pemRequest     = "CERTIFICATE REQUEST" // RFC 7468 section 7
)

// An Error says why something was refused and what to do about it. Neither sentence holds a secret.
type Error struct {
	Reason string
	Remedy string
}

// Error gives both sentences on one line.
func (e *Error) Error() string { return e.Reason + "; " + e.Remedy }

// EncodeCertificate is a certificate as PEM.
func EncodeCertificate(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: c.Raw})
}

// ParseCertificate reads one certificate from PEM. It judges nothing but the form.
func ParseCertificate(text []byte) (*x509.Certificate, error) {
	der, err := block(text, pemCertificate)
	if err != nil {
		return nil, err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, &Error{fmt.Sprintf("the certificate is damaged (%v)", err), "copy the whole file again"}
	}
	return c, nil
}

// block decodes the one PEM block of a type that text may hold.
func block(text []byte, kind string) ([]byte, error) {
	remedy := "give one PEM block that begins with the line BEGIN " + kind
	if len(text) > maxPEM {
		return nil, &Error{fmt.Sprintf("the text has %d bytes, at most %d are read", len(text), maxPEM), remedy}
	}
	b, rest := pem.Decode(text)
	switch {
	case b == nil:
		return nil, &Error{"the text holds no PEM block", remedy}
	case b.Type != kind:
		return nil, &Error{fmt.Sprintf("the PEM block is a %.40q", b.Type), remedy}
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, &Error{fmt.Sprintf("%d bytes follow the PEM block", len(rest)), remedy}
	}
	return b.Bytes, nil
}

// RenewAt is when a certificate should be replaced: after two thirds of its life, so that a third is left for things to go wrong. It has no
// jitter, since each certificate has a start of its own.
func RenewAt(c *x509.Certificate) time.Time {
	return c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 3 * 2)
}
