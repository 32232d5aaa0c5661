package issue

import (
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/api/proto/v1alpha1/handshake"
)

// registrationLife is how long a signed registration can be presented. A master of the original expects five minutes.
const registrationLife = 5 * time.Minute

// maxJWT bounds a signed registration: claims of 400 bytes and a signature of an RSA key of 8192 bits take 2 kB.
const maxJWT = 4 << 10

// claims bind a JWT to the body beside it. The order of the fields is that on the wire.
type claims struct {
	RequestHash requestHash `json:"req_hash"` // names.ClaimRequestHash
	jwt.RegisteredClaims
}

// requestHash is SHA-256 over a request; in JSON an array of 32 integers, as Go writes a byte array.
type requestHash [sha256.Size]byte

// UnmarshalJSON insists on exactly 32 integers. Go's own reading of an array would fill up a short one and cut a long one.
func (h *requestHash) UnmarshalJSON(text []byte) error {
	var numbers []uint16 // bytes would also be read from base64
	if err := json.Unmarshal(text, &numbers); err != nil {
		return errors.New("the hash of the request is no array of bytes")
	}
	if len(numbers) != len(h) {
		return fmt.Errorf("the hash of the request has %d bytes, not %d", len(numbers), len(h))
	}
	for i, n := range numbers {
		if n > 0xff {
			return fmt.Errorf("the hash of the request holds %d, which is no byte", n)
		}
		h[i] = byte(n)
	}
	return nil
}

func hashRequest(r *handshake.RegisterRequest) requestHash {
	return sha256.Sum256(fmt.Appendf(nil, "%s_%s_%d", r.GetDomainId(), r.GetCsr(), r.GetRequestTime()))
}

// SignRegistration makes the JWT that goes beside a registration in the header [names.HeaderJWT]: RS256 by the key of the request's CSR.
func SignRegistration(r *handshake.RegisterRequest, key *rsa.PrivateKey, now time.Time) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims{
		RequestHash: hashRequest(r),
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    r.GetDomainId(),
			Subject:   r.GetDomainId(),
			ExpiresAt: jwt.NewNumericDate(now.Add(registrationLife)),
			IssuedAt:  jwt.NewNumericDate(now),
		},
	})
	signed, err := token.SignedString(key)
	if err != nil {
		return "", fmt.Errorf("sign the registration of domain %.80q: %w", r.GetDomainId(), err)
	}
	return signed, nil
}

// VerifyRegistration returns nil when the JWT was signed by the key for exactly this request, and is neither over nor from the future (by
// more than [Skew]). The key is that of the request's CSR, so success proves that the sender holds it. A second presentation within the
// life is not noticed: it changes nothing that the first one did not.
func VerifyRegistration(r *handshake.RegisterRequest, signed string, key *rsa.PublicKey, now time.Time) error {
	const remedy = "set the clocks of both sides, and register again"
	if len(signed) > maxJWT {
		return &Error{fmt.Sprintf("the registration's JWT has %d characters, at most %d are read", len(signed), maxJWT), "register again"}
	}
	if err := names.ValidateDomainID(r.GetDomainId()); err != nil { // an empty one would match any issuer
		return err
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Alg()}), jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(func() time.Time { return now }), jwt.WithLeeway(Skew),
		jwt.WithExpirationRequired(), jwt.WithIssuedAt(),
		jwt.WithIssuer(r.GetDomainId()), jwt.WithSubject(r.GetDomainId()),
	)
	var c claims
	if _, err := parser.ParseWithClaims(signed, &c, func(*jwt.Token) (any, error) { return key, nil }); err != nil {
		return fmt.Errorf("registration of domain %.80q: %w", r.GetDomainId(), err)
	}
	if c.ExpiresAt.After(now.Add(registrationLife + Skew)) {
		return &Error{fmt.Sprintf("the registration's JWT lives until %s, longer than %v", c.ExpiresAt.UTC().Format(time.RFC3339), registrationLife), remedy}
	}
	if c.RequestHash != hashRequest(r) {
		return &Error{"the registration's JWT was signed for another request", "register again"}
	}
	return nil
}
