package issue_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/api/proto/v1alpha1/handshake"
	"github.com/entente-mesh/entente/auth/issue"
	"github.com/entente-mesh/entente/auth/keys"
)

// registered is when registration.jwt was signed.
var registered = time.Unix(1732329600, 0)

func registration(tb testing.TB) *handshake.RegisterRequest {
	tb.Helper()
	return &handshake.RegisterRequest{DomainId: "alice", Csr: string(file(tb, "request.base64")), RequestTime: 123456789}
}

func TestARegistrationIsSignedByteForByteAsPartnersSignIt(t *testing.T) {
	t.Parallel()
	got, err := issue.SignRegistration(registration(t), rsaKey(t, "key.pem"), registered.Add(999*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	if want := string(file(t, "registration.jwt")); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(got, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(payload, &c); err != nil {
		t.Fatal(err)
	}
	if hash, ok := c[names.ClaimRequestHash].([]any); !ok || len(hash) != 32 {
		t.Errorf("the claim %s is %v, want an array of 32 integers", names.ClaimRequestHash, c[names.ClaimRequestHash])
	}
}

func TestAPartnersRegistrationIsAcceptedForItsLifeAndTheSkewOfClocks(t *testing.T) {
	t.Parallel()
	signed := string(file(t, "registration.jwt"))
	key := &rsaKey(t, "key.pem").PublicKey
	const life = 5 * time.Minute
	for _, c := range []struct {
		name string
		at   time.Duration
		good bool
	}{
		{"when it was signed", 0, true},
		{"just before it ends", life - time.Second, true},
		{"when our clock is late", -issue.Skew, true},
		{"when our clock is early", life + issue.Skew - time.Second, true},
		{"when it has ended", life + issue.Skew + time.Second, false},
		{"when it comes from the future", -issue.Skew - time.Second, false},
	} {
		err := issue.VerifyRegistration(registration(t), signed, key, registered.Add(c.at))
		if (err == nil) != c.good {
			t.Errorf("%s: got %v, want it accepted: %t", c.name, err, c.good)
		}
	}
}

func TestARegistrationThatWasChangedIsRefused(t *testing.T) {
	t.Parallel()
	signed := string(file(t, "registration.jwt"))
	for name, change := range map[string]func(*handshake.RegisterRequest){
		"another domain":  func(r *handshake.RegisterRequest) { r.DomainId = "bob" },
		"no domain":       func(r *handshake.RegisterRequest) { r.DomainId = "" },
		"another request": func(r *handshake.RegisterRequest) { r.Csr += "A" },
		"another time":    func(r *handshake.RegisterRequest) { r.RequestTime++ },
	} {
		r := registration(t)
		change(r)
		if err := issue.VerifyRegistration(r, signed, &rsaKey(t, "key.pem").PublicKey, registered); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	if err := issue.VerifyRegistration(registration(t), signed, &rsaKey(t, "ca.pem").PublicKey, registered); !errors.Is(err, jwt.ErrTokenSignatureInvalid) {
		t.Errorf("another key: got %v, want a bad signature", err)
	}
}

// crafted is a JWT of any header and claims, signed well.
func crafted(tb testing.TB, header, payload string) string {
	tb.Helper()
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, rsaKey(tb, "key.pem"), crypto.SHA256, sum[:])
	if err != nil {
		tb.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestAJWTOfAnotherShapeIsRefusedThoughSignedWell(t *testing.T) {
	t.Parallel()
	const header = `{"alg":"RS256","typ":"JWT"}`
	r := registration(t)
	sum := sha256.Sum256([]byte("alice_" + r.GetCsr() + "_123456789"))
	numbers, err := json.Marshal(sum)
	if err != nil {
		t.Fatal(err)
	}
	hash := string(numbers)
	claims := func(hash, rest string) string { return fmt.Sprintf(`{"req_hash":%s,%s}`, hash, rest) }
	const rest = `"iss":"alice","sub":"alice","exp":1732329900,"iat":1732329600`
	good := crafted(t, header, claims(hash, rest))
	if err := issue.VerifyRegistration(r, good, &rsaKey(t, "key.pem").PublicKey, registered); err != nil {
		t.Fatalf("the sound one is refused, so the others show nothing: %v", err)
	}
	unsigned := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(good, ".")[1] + "."
	mac := hmac.New(sha256.New, []byte(keys.EncodePublic(&rsaKey(t, "key.pem").PublicKey)))
	symmetric := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + strings.Split(good, ".")[1]
	mac.Write([]byte(symmetric))
	for name, signed := range map[string]string{
		"no signature":               unsigned,
		"a public key as a password": symmetric + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)),
		"another algorithm":          crafted(t, `{"alg":"RS512","typ":"JWT"}`, claims(hash, rest)),
		"no algorithm":               crafted(t, `{}`, claims(hash, rest)),
		"another issuer":             crafted(t, header, claims(hash, strings.Replace(rest, `"iss":"alice"`, `"iss":"bob"`, 1))),
		"another subject":            crafted(t, header, claims(hash, strings.Replace(rest, `"sub":"alice"`, `"sub":"bob"`, 1))),
		"no end":                     crafted(t, header, claims(hash, `"iss":"alice","sub":"alice"`)),
		"an end far away":            crafted(t, header, claims(hash, strings.Replace(rest, "1732329900", "4102444800", 1))),
		"an end beyond all time":     crafted(t, header, claims(hash, strings.Replace(rest, "1732329900", "1e300", 1))),
		"no hash":                    crafted(t, header, "{"+rest+"}"),
		"an empty hash":              crafted(t, header, claims("null", rest)),
		"a short hash":               crafted(t, header, claims(hash[:strings.LastIndex(hash, ",")]+"]", rest)),
		"a long hash":                crafted(t, header, claims(strings.TrimSuffix(hash, "]")+",0]", rest)),
		"a hash of large numbers":    crafted(t, header, claims("["+strings.Repeat("256,", 31)+"256]", rest)),
		"a hash in base64":           crafted(t, header, claims(`"`+base64.StdEncoding.EncodeToString(sum[:])+`"`, rest)),
		"claims that are no object":  crafted(t, header, "[]"),
		"claims that are no JSON":    crafted(t, header, "hello"),
		"two parts":                  strings.Join(strings.Split(good, ".")[:2], "."),
		"nothing":                    "",
		"a very long text":           strings.Repeat("A", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := issue.VerifyRegistration(r, signed, &rsaKey(t, "key.pem").PublicKey, registered); err == nil {
				t.Error("it was accepted")
			}
		})
	}
}

func FuzzVerifyRegistration(f *testing.F) {
	r, good := registration(f), string(file(f, "registration.jwt"))
	key := &rsaKey(f, "key.pem").PublicKey
	f.Add(good)
	f.Add(crafted(f, `{"alg":"RS256"}`, `{"req_hash":[1,2,3],"exp":1e300}`))
	f.Fuzz(func(t *testing.T, signed string) {
		if err := issue.VerifyRegistration(r, signed, key, registered); err == nil && signed != good {
			t.Fatalf("accepted %q", signed)
		}
	})
}
