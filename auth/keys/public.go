package keys

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
)

// PEM labels of public keys (RFC 8017 appendix A.1.1, RFC 7468 section 13).
const (
	pemPublicPKCS1 = "RSA PUBLIC KEY"
	pemPublicPKIX  = "PUBLIC KEY"
)

// EncodePublic is the form that gateways, routes and registrations carry and compare as a string: base64 of a PEM block in PKCS#1, in lines
// of 64 columns with a trailing newline. For 2048 bits the PEM has 426 bytes and the result 568 characters.
func EncodePublic(k *rsa.PublicKey) string {
	return encode(pemPublicPKCS1, x509.MarshalPKCS1PublicKey(k))
}

// ParsePublic reads a partner's key: base64 of a PEM block in PKCS#1 or in PKIX, which partners accept but do not write. The key is RSA, of
// [MinBits] to [MaxBits]; anything else is an [*Error].
func ParsePublic(publicKey string) (*rsa.PublicKey, error) {
	b, err := block(publicKey, "public")
	if err != nil {
		return nil, err
	}
	k, err := publicOf(b)
	if err != nil {
		return nil, err
	}
	if err := sound(k); err != nil {
		return nil, err
	}
	return k, nil
}

func publicOf(b *pem.Block) (*rsa.PublicKey, error) {
	const remedy = "ask the key's owner for the base64 text of its RSA public key"
	switch b.Type {
	case pemPublicPKCS1:
		k, err := x509.ParsePKCS1PublicKey(b.Bytes)
		if err != nil {
			return nil, &Error{"the public key is damaged", remedy}
		}
		return k, nil
	case pemPublicPKIX:
		anyKey, err := x509.ParsePKIXPublicKey(b.Bytes)
		if err != nil {
			return nil, &Error{"the public key is damaged", remedy}
		}
		k, ok := anyKey.(*rsa.PublicKey)
		if !ok {
			return nil, &Error{"the public key is not an RSA key", remedy}
		}
		return k, nil
	}
	return nil, &Error{"the PEM block is no public key", remedy}
}

// Hash is the pubhash by which a handshake names a public key: base64 of the SHA-256 of the PEM bytes inside the base64 text, 44 characters.
// It covers the text as it is: the same key in PKIX has another hash. Text that is no base64 has no hash, which is an error and never an
// empty string that could equal a missing one.
func Hash(publicKey string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(publicKey)
	if err != nil || len(raw) == 0 {
		return "", &Error{"the public key is not base64", "give the text as the gateway's status shows it"}
	}
	sum := sha256.Sum256(raw)
	return base64.StdEncoding.EncodeToString(sum[:]), nil
}
