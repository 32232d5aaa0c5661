package seal

import (
	"crypto/rsa"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"io"
)

// redacted stands wherever a secret would be shown.
const redacted = "[redacted]"

// A Half is what one side of a route gives to a token. However it is printed, logged or marshaled, it shows nothing of itself; only as an
// unexported field of a printed struct it cannot help being shown, since fmt then does not ask it.
type Half [16]byte

// NewHalf draws a half from a secure source.
func NewHalf(rand io.Reader) (Half, error) {
	var h Half
	if _, err := io.ReadFull(rand, h[:]); err != nil {
		return Half{}, fmt.Errorf("draw half a token: %w", err)
	}
	return h, nil
}

// OpenHalf reads a sealed half, or returns [ErrNotOpened].
func OpenHalf(key *rsa.PrivateKey, sealed string) (Half, error) {
	var h Half
	if err := open(key, sealed, h[:]); err != nil {
		return Half{}, err
	}
	return h, nil
}

// Seal returns the half sealed under the key of the side that may open it. Two sealed texts of one half differ. Since Go 1.26 crypto/rsa
// reads the system's secure randomness and ignores rand; the parameter stays because a rule package names its sources.
func (h Half) Seal(key *rsa.PublicKey, rand io.Reader) (string, error) { return seal(key, h[:], rand) }

// Equal compares in constant time.
func (h Half) Equal(other Half) bool { return subtle.ConstantTimeCompare(h[:], other[:]) == 1 }

// String does not tell the half.
func (Half) String() string { return redacted }

// GoString does not tell the half.
func (Half) GoString() string { return redacted }

// Format does not tell the half, whatever the verb.
func (Half) Format(f fmt.State, _ rune) { redact(f) }

// MarshalText does not tell the half. It also keeps it out of JSON, YAML and structured logs.
func (Half) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// A Token proves a source to a destination: 32 bytes, which a request carries as [Token.Header]. It hides itself as a [Half] does.
type Token [32]byte

// NewToken draws a whole token from a secure source.
func NewToken(rand io.Reader) (Token, error) {
	var t Token
	if _, err := io.ReadFull(rand, t[:]); err != nil {
		return Token{}, fmt.Errorf("draw a token: %w", err)
	}
	return t, nil
}

// Join makes the token of a handshake in which each side gave a half.
func Join(source, destination Half) Token {
	var t Token
	copy(t[:], source[:])
	copy(t[len(source):], destination[:])
	return t
}

// OpenToken reads a sealed token, or returns [ErrNotOpened].
func OpenToken(key *rsa.PrivateKey, sealed string) (Token, error) {
	var t Token
	if err := open(key, sealed, t[:]); err != nil {
		return Token{}, err
	}
	return t, nil
}

// Seal is [Half.Seal] for a whole token.
func (t Token) Seal(key *rsa.PublicKey, rand io.Reader) (string, error) {
	return seal(key, t[:], rand)
}

// Header is the token as requests carry it: 44 characters of base64. It is the secret itself.
func (t Token) Header() string { return base64.StdEncoding.EncodeToString(t[:]) }

// Equal compares in constant time.
func (t Token) Equal(other Token) bool { return subtle.ConstantTimeCompare(t[:], other[:]) == 1 }

// String does not tell the token.
func (Token) String() string { return redacted }

// GoString does not tell the token.
func (Token) GoString() string { return redacted }

// Format does not tell the token, whatever the verb.
func (Token) Format(f fmt.State, _ rune) { redact(f) }

// MarshalText does not tell the token. It also keeps it out of JSON, YAML and structured logs.
func (Token) MarshalText() ([]byte, error) { return []byte(redacted), nil }

func redact(w io.Writer) {
	_, _ = io.WriteString(w, redacted) // Formatter has no way to report it, and fmt's writers do not fail
}
