// Package seal turns the secrets of a route into the sealed text that handshakes and custom resources carry, and back. Whoever lacks the
// domain's private key learns nothing, neither from a sealed text nor from how a bad one is refused.
//
// The form is the original's: base64 (standard, padded) of RSAES-PKCS1-v1_5 over the six letters of [names.SealPrefix] and 16 secret bytes
// (a [Half]) or 32 (a [Token]). A 2048-bit key makes 344 characters. The padding scheme is not safe in itself; the fixed length, the prefix
// and the single error leave an attacker no oracle that would tell good padding from bad.
package seal

import (
	"crypto/rsa"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"github.com/entente-mesh/entente/api/names"
)

// ErrNotOpened is the one answer to every text that does not open: another key's, damaged, of another length, or no sealed text at all. It
// says no more on purpose.
var ErrNotOpened = errors.New("the sealed text does not open with this domain's key; let the route negotiate a new token")

// seal is the sealed text of a secret under a public key.
func seal(key *rsa.PublicKey, secret []byte, rand io.Reader) (string, error) {
	framed := append([]byte(names.SealPrefix), secret...)
	//lint:ignore SA1019 the original understands no other padding
	raw, err := rsa.EncryptPKCS1v15(rand, key, framed)
	if err != nil {
		return "", fmt.Errorf("seal %d bytes under an RSA key of %d bits: %w", len(secret), key.N.BitLen(), err)
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}

// open fills secret from a sealed text, or returns [ErrNotOpened] and leaves secret alone. What is decided early depends on the text alone,
// which its sender knows; from the private key's work on, each refusal takes the same steps.
func open(key *rsa.PrivateKey, sealed string, secret []byte) error {
	if len(sealed) != base64.StdEncoding.EncodedLen(key.Size()) {
		return ErrNotOpened
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(sealed)
	if err != nil || len(raw) != key.Size() { // line breaks count as characters, and are not wanted
		return ErrNotOpened
	}
	// Bad padding and a secret of another length leave framed at zero, which is no prefix: they fail in the same comparison as a wrong
	// prefix does.
	framed := make([]byte, len(names.SealPrefix)+len(secret))
	//lint:ignore SA1019 the original seals with no other padding
	if err := rsa.DecryptPKCS1v15SessionKey(nil, key, raw, framed); err != nil {
		return ErrNotOpened // a number above the modulus
	}
	if subtle.ConstantTimeCompare(framed[:len(names.SealPrefix)], []byte(names.SealPrefix)) != 1 {
		return ErrNotOpened
	}
	copy(secret, framed[len(names.SealPrefix):])
	return nil
}
