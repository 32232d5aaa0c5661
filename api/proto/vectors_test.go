package proto_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/api/proto/v1alpha1/handshake"
)

// sealed has the size and the alphabet of a token sealed with a 2048-bit key: the bytes 255 down to 0, whose base64 starts with a slash
// and has plus signs too, which a careless encoder would escape.
func sealed() string {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(255 - i)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// hash has the size of a pubhash.
func hash() string { return sealed()[:43] + "=" }

type vector struct {
	name  string
	file  string
	value any
}

func vectors() []vector {
	return []vector{
		{"a source that has a revision sends it along with its half", "request-rsa.json", &handshake.HandShakeRequest{
			DomainId: "alice", Type: names.HandshakeRSA, RequestTime: 1732329600000000001,
			TokenConfig: &handshake.TokenConfig{Token: sealed(), Revision: 3, Pubhash: hash()},
		}},
		{"a source without a revision leaves it out", "request-rsa-first.json", &handshake.HandShakeRequest{
			DomainId: "alice", Type: names.HandshakeRSA, RequestTime: 1732329600000000001,
			TokenConfig: &handshake.TokenConfig{Token: sealed(), Pubhash: hash()},
		}},
		{"a source that lets the destination make the token sends no half", "request-uid.json", &handshake.HandShakeRequest{
			DomainId: "alice", Type: names.HandshakeUID, RequestTime: 1732329600000000001,
		}},
		{"a granted token comes with an empty status", "reply-granted.json", handshake.Grant(&handshake.Token{
			Token: sealed(), ExpirationTime: 4888089600000000001, Revision: 4,
		})},
		{"a refusal is a status with code and message", "reply-refused.json", handshake.Refuse("publickey hash mismatch")},
		{"a heartbeat for a good token says state 0", "heartbeat-ready.json", &handshake.Heartbeat{Namespace: "bob"}},
		{"a heartbeat for an unknown token says state 4", "heartbeat-not-found.json", &handshake.Heartbeat{
			Namespace: "bob", State: handshake.TokenNotFound,
		}},
		{"a lite registers with the nanosecond of the second", "register-request.json", &handshake.RegisterRequest{
			DomainId: "alice", Csr: "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K", RequestTime: 123456789,
		}},
		{"a master answers with a certificate and its key, without status", "register-response.json", &handshake.RegisterResponse{
			Cert: "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==", MasterPubkey: "LS0tLS1CRUdJTiBSU0EgUFVCTElDIEtFWS0tLS0tCg==",
		}},
		{"a master leaves its key out when it makes the tokens", "register-response-uid.json", &handshake.RegisterResponse{
			Cert: "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==",
		}},
		{"a gateway says who refused a request without a token", "unauthorized.json", &handshake.Unauthorized{
			Domain: "bob", Instance: "bob-gateway-0", Kuscia: "v0.1.0", Reason: names.UnauthorizedReason,
		}},
	}
}

func TestMessagesHaveTheShapeThatWasMeasuredOnTheWire(t *testing.T) {
	t.Parallel()
	for _, v := range vectors() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			file, err := os.ReadFile(filepath.Join("testdata", v.file))
			if err != nil {
				t.Fatal(err)
			}
			encoded, err := json.Marshal(v.value)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(file), string(encoded)+"\n"); diff != "" {
				t.Errorf("encoded differs from %s (-file +encoded):\n%s", v.file, diff)
			}
			if diff := cmp.Diff(v.value, decode(t, v.value, string(file)), protocmp.Transform()); diff != "" {
				t.Errorf("decoded differs (-want +decoded %s):\n%s", v.file, diff)
			}
		})
	}
}

func TestReadersIgnoreMembersThatTheyDoNotKnow(t *testing.T) {
	t.Parallel()
	for _, v := range vectors() {
		t.Run(v.file, func(t *testing.T) {
			t.Parallel()
			file, err := os.ReadFile(filepath.Join("testdata", v.file))
			if err != nil {
				t.Fatal(err)
			}
			extended := `{"later":{"nonce":"x","share":[1,2]},` + strings.TrimPrefix(string(file), "{")
			if diff := cmp.Diff(v.value, decode(t, v.value, extended), protocmp.Transform()); diff != "" {
				t.Errorf("decoded differs (-want +decoded):\n%s", diff)
			}
		})
	}
}

func TestEveryVectorFileIsUsed(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, v := range vectors() {
		want = append(want, filepath.Join("testdata", v.file))
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("vector files (-used +there):\n%s", diff)
	}
}

// An extended reply embeds the original's and adds members beside it: no method of the embedded one may take over the encoding.
func TestAMessageCanBeEmbeddedAndExtended(t *testing.T) {
	t.Parallel()
	extended := struct {
		*handshake.HandShakeResponse
		Version int `json:"version"`
	}{handshake.Grant(&handshake.Token{Token: "dA==", Revision: 1}), 1}
	got, err := json.Marshal(extended)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`{"status":{},"token":{"token":"dA==","revision":1},"version":1}`, string(got)); diff != "" {
		t.Errorf("encoded (-want +got):\n%s", diff)
	}
}

func TestStatesHaveTheNumbersOfTheOriginal(t *testing.T) {
	t.Parallel()
	want := []handshake.State{
		handshake.TokenReady, handshake.DomainIDMissing, handshake.RevisionMissing, handshake.TokenNotReady,
		handshake.TokenNotFound, handshake.NotAuthorized, handshake.InternalError, handshake.NetworkUnreachable,
	}
	words := map[string]bool{}
	for i, s := range want {
		if int(s) != i {
			t.Errorf("state %v is %d on the wire, want %d", s, int(s), i)
		}
		words[s.String()] = true
	}
	if len(words) != len(want) {
		t.Errorf("two states have the same word: %v", words)
	}
	if got := handshake.State(8).String(); got != "unknown state 8" {
		t.Errorf("a state that we do not know reads %q", got)
	}
}

// decode reads text into a new value of the type that like points to.
func decode(t *testing.T, like any, text string) any {
	t.Helper()
	got := reflect.New(reflect.TypeOf(like).Elem()).Interface()
	if err := json.Unmarshal([]byte(text), got); err != nil {
		t.Fatal(err)
	}
	return got
}
