package issue

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/auth/keys"
)

// A Request is what a certificate request that was found good says.
type Request struct {
	Domain      string           // the common name
	Key         crypto.PublicKey // *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey; its private half has signed the request
	DeployToken DeployToken      // zero when there is none
}

// NewRequest makes a certificate request for a domain, as PEM. The deploy token, if there is one, is written as a master of the original
// looks for it: the extension [names.DeployTokenOID] whose value is the raw text, not wrapped into an ASN.1 string.
func NewRequest(key crypto.Signer, domain string, token DeployToken, rand io.Reader) ([]byte, error) {
	if err := names.ValidateDomainID(domain); err != nil {
		return nil, err
	}
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: domain}}
	if token.text != "" {
		template.ExtraExtensions = []pkix.Extension{{Id: deployTokenOID(), Value: []byte(token.text)}}
	}
	der, err := x509.CreateCertificateRequest(rand, template, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate request for domain %s: %w", domain, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemRequest, Bytes: der}), nil
}

// ParseRequest reads a certificate request from PEM and refuses one that is not for the domain, whose key is weak, or that its own key has
// not signed (which a master of the original does not look at).
func ParseRequest(text []byte, domain string) (*Request, error) {
	const remedy = "make a new request"
	der, err := block(text, pemRequest)
	if err != nil {
		return nil, err
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, &Error{fmt.Sprintf("the certificate request is damaged (%v)", err), remedy}
	}
	if csr.Subject.CommonName != domain {
		return nil, &Error{fmt.Sprintf("the certificate request is for %.80q, not for domain %.80q", csr.Subject.CommonName, domain), "make a request with the domain id as common name"}
	}
	if err := names.ValidateDomainID(domain); err != nil {
		return nil, err
	}
	if err := sound(csr.PublicKey); err != nil { // before the signature, whose cost grows with the key
		return nil, err
	}
	if err := csr.CheckSignature(); err != nil {
		return nil, &Error{"the certificate request is not signed by its own key", remedy}
	}
	token, err := deployToken(csr)
	if err != nil {
		return nil, err
	}
	return &Request{Domain: domain, Key: csr.PublicKey, DeployToken: token}, nil
}

// ParseRequestText is [ParseRequest] of base64 of the PEM, as registrations carry it.
func ParseRequestText(base64PEM, domain string) (*Request, error) {
	const remedy = "encode the PEM text in base64"
	if limit := base64.StdEncoding.EncodedLen(maxPEM); len(base64PEM) > limit {
		return nil, &Error{fmt.Sprintf("the certificate request has %d characters, at most %d are read", len(base64PEM), limit), remedy}
	}
	text, err := base64.StdEncoding.DecodeString(base64PEM)
	if err != nil {
		return nil, &Error{"the certificate request is not base64", remedy}
	}
	return ParseRequest(text, domain)
}

// deployToken is the deploy token of a request, zero when it has none.
func deployToken(csr *x509.CertificateRequest) (DeployToken, error) {
	var found DeployToken
	for _, e := range csr.Extensions {
		if !e.Id.Equal(deployTokenOID()) {
			continue
		}
		if found.text != "" {
			return DeployToken{}, &Error{"the certificate request has more than one deploy token", "make a new request with one"}
		}
		var err error
		if found, err = ParseDeployToken(string(e.Value)); err != nil {
			return DeployToken{}, err
		}
	}
	return found, nil
}

// deployTokenOID is [names.DeployTokenOID].
func deployTokenOID() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{1, 2, 3, 4} }

// sound refuses keys that are weak, that cost much to check, or whose kind the TLS stacks of the mesh do not share.
func sound(key crypto.PublicKey) error {
	const remedy = "use RSA with 2048 to 8192 bits, ECDSA on P-256, or Ed25519"
	switch k := key.(type) {
	case *rsa.PublicKey:
		_, err := keys.ParsePublic(keys.EncodePublic(k)) // one judgment of RSA keys, wherever they come from
		return err
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return &Error{fmt.Sprintf("an ECDSA key on %s is not accepted", k.Curve.Params().Name), remedy}
		}
		return nil
	case ed25519.PublicKey:
		if len(k) != ed25519.PublicKeySize {
			return &Error{fmt.Sprintf("an Ed25519 key of %d bytes is none", len(k)), remedy}
		}
		return nil
	}
	return &Error{fmt.Sprintf("a key of type %T is not accepted", key), remedy}
}
