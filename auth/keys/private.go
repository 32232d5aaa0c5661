package keys

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
)

// PEM labels of private keys (RFC 7468, RFC 8017 appendix A.1.2).
const (
	pemPKCS1     = "RSA PRIVATE KEY"
	pemPKCS8     = "PRIVATE KEY"
	pemEncrypted = "ENCRYPTED PRIVATE KEY"
	pemEC        = "EC PRIVATE KEY"
)

// generatedBits is the size of a new key: what partners expect, whose parsers were only ever fed 2048 bits.
const generatedBits = 2048

// GeneratePrivate makes a new key of 2048 bits. Since Go 1.26 crypto/rsa reads the system's secure randomness and ignores rand; the
// parameter stays because a rule package names its sources.
func GeneratePrivate(rand io.Reader) (*rsa.PrivateKey, error) {
	k, err := rsa.GenerateKey(rand, generatedBits)
	if err != nil {
		return nil, fmt.Errorf("generate an RSA key of %d bits: %w", generatedBits, err)
	}
	return k, nil
}

// ParsePrivate reads base64 of a PEM block in PKCS#1 or PKCS#8, as the configuration key domainKeyData holds it. The key is RSA, of
// [MinBits] to [MaxBits], unencrypted and consistent; anything else is an [*Error].
func ParsePrivate(base64PEM string) (*rsa.PrivateKey, error) {
	b, err := block(base64PEM, "private")
	if err != nil {
		return nil, err
	}
	k, err := privateOf(b)
	if err != nil {
		return nil, err
	}
	if err := sound(&k.PublicKey); err != nil {
		return nil, err
	}
	return k, nil
}

// privateOf reads a block by its content; the label only serves to say what a wrong block is, since tools mix up PKCS#1 and PKCS#8.
func privateOf(b *pem.Block) (*rsa.PrivateKey, error) {
	const fresh = "make a key with: openssl genrsa 2048"
	switch {
	case b.Type == pemEncrypted || b.Headers["DEK-Info"] != "":
		return nil, &Error{"the private key is encrypted with a passphrase", "decrypt it first with: openssl rsa -in FILE -out FILE2"}
	case b.Type == pemEC:
		return nil, &Error{"the key is an elliptic curve key, RSA is needed", fresh}
	case b.Type != pemPKCS1 && b.Type != pemPKCS8:
		return nil, &Error{"the PEM block is no private key", "give the file that begins with the line BEGIN " + pemPKCS1 + " or BEGIN " + pemPKCS8}
	}
	if k, err := x509.ParsePKCS1PrivateKey(b.Bytes); err == nil {
		return k, nil
	}
	any8, err := x509.ParsePKCS8PrivateKey(b.Bytes)
	if err != nil {
		// Neither parser's error is repeated: it describes bytes of the key.
		return nil, &Error{"the private key is damaged", "copy the whole file again, or " + fresh}
	}
	k, ok := any8.(*rsa.PrivateKey)
	if !ok {
		return nil, &Error{"the private key is not an RSA key", fresh}
	}
	return k, nil
}

// EncodePrivate is what [ParsePrivate] reads: base64 of a PEM block in PKCS#1. The result is a secret.
func EncodePrivate(k *rsa.PrivateKey) string {
	return encode(pemPKCS1, x509.MarshalPKCS1PrivateKey(k))
}
