// Package keys reads and writes a domain's RSA keys in the text forms that configuration files, custom resources and the handshake carry,
// and never lets key material into an error.
//
// Every form is standard base64 of PEM. Public keys are compared as strings by partners, so [EncodePublic] has exactly one output for a key:
// PKCS#1 in 64-column lines with a trailing newline.
package keys

import (
	"bytes"
	"crypto/rsa"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
)

// Sizes of RSA keys in bits. Below the minimum a key can be broken; above the maximum one operation costs a peer's gateway tens of
// milliseconds, which a hostile key could use.
const (
	MinBits = 2048
	MaxBits = 8192
)

// maxText bounds a key's text before anything is decoded. A private key of MaxBits takes about 9 kB.
const maxText = 32 << 10

// An Error says why a key was refused and what to do about it. Neither sentence holds any part of the key.
type Error struct {
	Reason string
	Remedy string
}

// Error gives both sentences on one line.
func (e *Error) Error() string { return e.Reason + "; " + e.Remedy }

// block decodes base64 of one PEM block and refuses everything after it. What stands before the block is skipped, as RFC 7468 allows
// explanatory text there. The word what is "private" or "public".
func block(text, what string) (*pem.Block, error) {
	text = strings.TrimSpace(text)
	encode := "encode the PEM file with: base64 -w0 FILE"
	switch {
	case text == "":
		return nil, &Error{"the key is empty", "give base64 of a PEM file with an RSA " + what + " key"}
	case len(text) > maxText:
		return nil, &Error{fmt.Sprintf("the key has %d characters, at most %d are read", len(text), maxText), "give base64 of a PEM file with one RSA " + what + " key"}
	case strings.HasPrefix(text, "-----BEGIN"):
		return nil, &Error{"the key is PEM text, not base64 of it", encode}
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		// The decoder's error names an offset only, but the offset of a plain sentence helps nobody.
		return nil, &Error{"the key is not base64", encode}
	}
	b, rest := pem.Decode(raw)
	switch {
	case b == nil:
		return nil, &Error{"the base64 text holds no PEM block", encode}
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, &Error{fmt.Sprintf("%d bytes follow the PEM block", len(rest)), "leave one block in the file, then " + encode}
	}
	return b, nil
}

// sound refuses public numbers with which RSA is weak, slow or undefined.
func sound(k *rsa.PublicKey) error {
	const remedy = "make a new one with: openssl genrsa 2048"
	switch bits := k.N.BitLen(); {
	case bits < MinBits:
		return &Error{fmt.Sprintf("the RSA key has %d bits, at least %d are needed", bits, MinBits), remedy}
	case bits > MaxBits:
		return &Error{fmt.Sprintf("the RSA key has %d bits, at most %d are accepted", bits, MaxBits), remedy}
	case k.N.Bit(0) == 0:
		return &Error{"the RSA key's modulus is even", remedy}
	case k.E < 3 || k.E%2 == 0:
		return &Error{"the RSA key's exponent is not an odd number above 2", remedy}
	}
	return nil
}

// encode is base64 of one PEM block.
func encode(kind string, der []byte) string {
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
