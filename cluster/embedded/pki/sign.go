package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// signer is the one kind of key in use: ECDSA on P-256, which every TLS stack takes and which is made in microseconds.
type signer = *ecdsa.PrivateKey

// pair is a certificate with its key.
type pair struct {
	cert   *x509.Certificate
	keyPEM []byte
}

// certificate is the pair's certificate, nil when there is no pair.
func (p *pair) certificate() *x509.Certificate {
	if p == nil {
		return nil
	}
	return p.cert
}

func newKey() (signer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return key, nil
}

// signAuthority makes the self-signed certificate of an authority that may sign leaves only.
func signAuthority(name string, key signer, now time.Time) (*x509.Certificate, error) {
	from, to := validity(now, authorityLife, nil)
	t := &x509.Certificate{
		Subject: pkix.Name{CommonName: "entente " + name}, NotBefore: from, NotAfter: to,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
	}
	return sign(name, t, t, key, key)
}

// signLeaf makes a new key and the certificate that l describes.
func signLeaf(l leaf, a *authority, now time.Time) (*pair, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	from, to := validity(now, leafLife, a.cert)
	t := &x509.Certificate{
		Subject: pkix.Name{CommonName: l.user, Organization: organization(l)}, NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{l.usage}, BasicConstraintsValid: true,
		DNSNames: l.dns,
	}
	for _, ip := range l.ips {
		t.IPAddresses = append(t.IPAddresses, net.IP(ip.AsSlice()))
	}
	cert, err := sign(l.name, t, a.cert, key, a.key)
	if err != nil {
		return nil, err
	}
	keyPEM, err := pemKey(key)
	return &pair{cert: cert, keyPEM: keyPEM}, err
}

// sign issues one certificate with a random serial number of 128 bits.
func sign(name string, t, parent *x509.Certificate, key, by signer) (*x509.Certificate, error) {
	limit := new(big.Int).Lsh(big.NewInt(1), 128)
	serial, err := rand.Int(rand.Reader, limit)
	if err != nil {
		return nil, fmt.Errorf("sign certificate %s: %w", name, err)
	}
	t.SerialNumber = serial.Add(serial, big.NewInt(1)) // X.509 has no serial number 0
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), by)
	if err != nil {
		return nil, fmt.Errorf("sign certificate %s: %w", name, err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("sign certificate %s: %w", name, err)
	}
	return cert, nil
}

func pemCertificate(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func pemKey(key signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
