package mesh_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/mesh"
)

// An identity is a key with a certificate, in PEM.
type identity struct{ cert, key string }

func issue(t testing.TB, key crypto.Signer, from, until time.Time) identity {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "bob"}, NotBefore: from, NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return identity{block("CERTIFICATE", der), block("PRIVATE KEY", raw)}
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return k
}

// secure is bob's route to alice, with TLS and these certificates.
func secure(cfg *v1alpha1.MTLSConfig) *v1alpha1.DomainRoute {
	return &v1alpha1.DomainRoute{ObjectMeta: metav1.ObjectMeta{Name: "bob-alice"}, Spec: v1alpha1.RouteSpec{
		Source: "bob", Destination: "alice", AuthenticationType: v1alpha1.AuthToken, MTLSConfig: cfg,
		Endpoint: v1alpha1.RouteEndpoint{Host: "alice.example", Ports: []v1alpha1.RoutePort{{Name: "https", Port: 443, Protocol: v1alpha1.PortHTTP, IsTLS: true}}},
	}}
}

func compile(settings *mesh.Settings, at time.Time, route *v1alpha1.DomainRoute) *mesh.Mesh {
	o := mesh.Objects{Settings: settings, Now: at}
	o.Routes = o.Routes.With(route.Name, route)
	return mesh.Compile(o, nil)
}

// A tlsCase is what a route brings and what becomes of it.
type tlsCase struct {
	name     string
	cfg      *v1alpha1.MTLSConfig
	settings mesh.Settings
	want     *mesh.ClientTLS // nil: the route is left out
	problem  string
}

func tlsCases(t *testing.T) []tlsCase {
	t.Helper()
	good := issue(t, ecKey(t), now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0))
	own := issue(t, rsaKey(), now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0))
	old := issue(t, ecKey(t), now.AddDate(-2, 0, 0), now.AddDate(-1, 0, 0))
	early := issue(t, ecKey(t), now.AddDate(1, 0, 0), now.AddDate(2, 0, 0))
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	ed := issue(t, edKey, now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0))
	pkcs1 := block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey()))

	return []tlsCase{
		{
			name: "without certificates the system's authorities and the host's name are checked",
			want: &mesh.ClientTLS{Name: "alice.example"},
		},
		{
			name:    "authority, certificate and key are written anew, without what stands between the blocks",
			cfg:     &v1alpha1.MTLSConfig{TLSCA: b64("a note\n" + old.cert + "\n\n" + good.cert), SourceClientCert: b64(good.cert), SourceClientPrivateKey: b64(good.key) + "\n"},
			want:    &mesh.ClientTLS{CA: old.cert + good.cert, Certificate: good.cert, Key: mesh.Hide(good.key), Name: "alice.example"},
			problem: "spec.mTLSConfig.tlsCA: the certificate has ended at 2025-03-01T12:00:00Z; replace it by a new one at both ends",
		},
		{
			name: "a certificate without a key belongs to the domain's own key",
			cfg:  &v1alpha1.MTLSConfig{SourceClientCert: b64(own.cert)}, settings: mesh.Settings{DomainKey: mesh.Hide(pkcs1)},
			want: &mesh.ClientTLS{Certificate: own.cert, Key: mesh.Hide(pkcs1), Name: "alice.example"},
		},
		{
			name: "where the domain's own key is not known, the route is left out", cfg: &v1alpha1.MTLSConfig{SourceClientCert: b64(own.cert)},
			problem: "spec.mTLSConfig.sourceClientPrivateKey: the certificate has no key, and the domain's own is not known here",
		},
		{
			name: "a key of another certificate leaves the route out", cfg: &v1alpha1.MTLSConfig{SourceClientCert: b64(good.cert), SourceClientPrivateKey: b64(own.key)},
			problem: "the private key belongs to another certificate",
		},
		{
			name: "an ended certificate stays in force and is told", cfg: &v1alpha1.MTLSConfig{SourceClientCert: b64(old.cert), SourceClientPrivateKey: b64(old.key)},
			want:    &mesh.ClientTLS{Certificate: old.cert, Key: mesh.Hide(old.key), Name: "alice.example"},
			problem: "spec.mTLSConfig.sourceClientCert: the certificate has ended at 2025-03-01T12:00:00Z",
		},
		{
			name: "so does one that is not valid yet", cfg: &v1alpha1.MTLSConfig{SourceClientCert: b64(early.cert), SourceClientPrivateKey: b64(early.key)},
			want:    &mesh.ClientTLS{Certificate: early.cert, Key: mesh.Hide(early.key), Name: "alice.example"},
			problem: "the certificate is not valid before 2027-03-01T12:00:00Z",
		},
		{
			name: "an authority that cannot be read leaves the route out, not unchecked", cfg: &v1alpha1.MTLSConfig{TLSCA: b64("nothing")},
			problem: "spec.mTLSConfig.tlsCA: there is no certificate in it",
		},
		{name: "PEM that was not encoded", cfg: &v1alpha1.MTLSConfig{TLSCA: good.cert}, problem: "the text is not base64"},
		{
			name: "a key where a certificate belongs", cfg: &v1alpha1.MTLSConfig{TLSCA: b64(good.key)},
			problem: `a PEM block of type "PRIVATE KEY" stands where a certificate belongs`,
		},
		{name: "a damaged certificate", cfg: &v1alpha1.MTLSConfig{TLSCA: b64(block("CERTIFICATE", []byte("x")))}, problem: "the certificate is damaged"},
		{
			name: "a damaged key", cfg: &v1alpha1.MTLSConfig{SourceClientCert: b64(good.cert), SourceClientPrivateKey: b64(block("PRIVATE KEY", []byte("x")))},
			problem: "the private key is damaged",
		},
		{
			name: "a key of a kind that no gateway takes", cfg: &v1alpha1.MTLSConfig{SourceClientCert: b64(ed.cert), SourceClientPrivateKey: b64(ed.key)},
			problem: "the private key is neither RSA nor of an elliptic curve that gateways know",
		},
		{name: "a key without a certificate", cfg: &v1alpha1.MTLSConfig{SourceClientPrivateKey: b64(good.key)}, problem: "the key has no certificate"},
		{name: "a text without end", cfg: &v1alpha1.MTLSConfig{TLSCA: strings.Repeat("A", 1<<20)}, problem: "the text has 1048576 characters, at most 131072 are read"},
	}
}

func TestTheSourceProvesItselfWithWhatTheRouteBrings(t *testing.T) {
	t.Parallel()
	for _, c := range tlsCases(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.settings.Domain = "bob"
			m := compile(&c.settings, now, secure(c.cfg))
			var got *mesh.ClientTLS
			if r, ok := m.Outbound.Get("alice"); ok {
				got = r.TLS
			}
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(mesh.Secret{})); diff != "" {
				t.Errorf("TLS (-want +got):\n%s", diff)
			}
			told := ""
			for _, p := range m.Problems.All() {
				told += p.Error() + "\n"
			}
			if !strings.Contains(told, c.problem) || (c.problem == "") != (told == "") {
				t.Errorf("got problems %q, want one with %q", told, c.problem)
			}
			if strings.Contains(told, "PRIVATE KEY-") {
				t.Errorf("a problem holds a key: %s", told)
			}
		})
	}
}

func TestTheDestinationPinsTheLeafOfTheSourcesCertificate(t *testing.T) {
	t.Parallel()
	leaf := issue(t, ecKey(t), now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0))
	authority := issue(t, ecKey(t), now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0))
	route := &v1alpha1.DomainRoute{ObjectMeta: metav1.ObjectMeta{Name: "alice-bob"}, Spec: v1alpha1.RouteSpec{
		Source: "alice", Destination: "bob", AuthenticationType: v1alpha1.AuthMTLS,
		MTLSConfig: &v1alpha1.MTLSConfig{SourceClientCert: b64(leaf.cert + authority.cert), TLSCA: "not looked at"},
	}}
	m := compile(&mesh.Settings{Domain: "bob"}, now, route)
	r, _ := m.Inbound.Get("alice")
	if r == nil || r.Client != leaf.cert || r.Auth != mesh.AuthMTLS || m.Problems.Len() != 0 {
		t.Errorf("got the route %+v with %d problems, want the leaf pinned and none", r, m.Problems.Len())
	}
	route.Spec.MTLSConfig.SourceClientCert = b64("nonsense")
	if m = compile(&mesh.Settings{Domain: "bob"}, now, route); m.Inbound.Len() != 0 || m.Problems.Len() != 1 {
		t.Errorf("got %d routes and %d problems, want no route whose client cannot be told", m.Inbound.Len(), m.Problems.Len())
	}
}

func TestTheMeshSaysWhenACertificateEnds(t *testing.T) {
	t.Parallel()
	begin, end := now.AddDate(0, 0, 1), now.AddDate(0, 0, 2)
	id := issue(t, ecKey(t), begin, end)
	route := secure(&v1alpha1.MTLSConfig{SourceClientCert: b64(id.cert), SourceClientPrivateKey: b64(id.key)})
	settings := &mesh.Settings{Domain: "bob"}

	m := compile(settings, now, route)
	piece, _ := m.Outbound.Get("alice")
	for _, step := range []struct {
		at       time.Time // wanted by the mesh
		problems int
	}{{begin, 0}, {end.Add(time.Second), 1}} {
		at, ok := m.Until()
		if !ok || !at.Equal(step.at) {
			t.Fatalf("got %v, %v; want %v", at, ok, step.at)
		}
		o := mesh.Objects{Settings: settings, Now: at}
		o.Routes = o.Routes.With(route.Name, route)
		m = mesh.Compile(o, m)
		if m.Problems.Len() != step.problems {
			t.Errorf("at %v: got %d problems, want %d", at, m.Problems.Len(), step.problems)
		}
		if again, _ := m.Outbound.Get("alice"); again != piece {
			t.Error("time alone made another piece")
		}
	}
	if at, ok := m.Until(); ok {
		t.Errorf("got %v, want no further turn", at)
	}
	if at, ok := compile(settings, time.Time{}, route).Until(); ok {
		t.Errorf("got %v although no certificate was judged", at)
	}
}

func TestACertificateEndsBetweenTwoSeconds(t *testing.T) {
	t.Parallel()
	end := now.AddDate(0, 0, 1)
	id := issue(t, ecKey(t), now, end)
	route := secure(&v1alpha1.MTLSConfig{SourceClientCert: b64(id.cert), SourceClientPrivateKey: b64(id.key)})
	settings := &mesh.Settings{Domain: "bob"}
	m := compile(settings, end.Add(-time.Second), route)
	for _, step := range []struct {
		at       time.Time
		problems int
	}{{end, 0}, {end.Add(time.Second), 1}, {end, 0}, {now, 0}, {now.Add(-time.Second), 1}, {now, 0}, {now.Add(time.Second), 0}} {
		o := mesh.Objects{Settings: settings, Now: step.at}
		o.Routes = o.Routes.With(route.Name, route)
		if m = mesh.Compile(o, m); m.Problems.Len() != step.problems {
			t.Errorf("at %v: got %d problems, want %d", step.at, m.Problems.Len(), step.problems)
		}
	}
}

func TestARouteThatTurnsRoundReadsItsCertificateAnew(t *testing.T) {
	t.Parallel()
	leaf, authority := issue(t, rsaKey(), now, now.AddDate(1, 0, 0)), issue(t, ecKey(t), now, now.AddDate(1, 0, 0))
	settings := &mesh.Settings{Domain: "bob", DomainKey: mesh.Hide(leaf.key)}
	out := secure(&v1alpha1.MTLSConfig{SourceClientCert: b64(leaf.cert + authority.cert)})
	out.Spec.AuthenticationType = v1alpha1.AuthMTLS
	in := out.DeepCopy()
	in.Spec.Source, in.Spec.Destination = "alice", "bob"

	m := compile(settings, now, in)
	o := mesh.Objects{Settings: settings, Now: now}
	o.Routes = o.Routes.With(in.Name, out)
	m = mesh.Compile(o, m)
	r, _ := m.Outbound.Get("alice")
	if r == nil || r.TLS == nil || r.TLS.Certificate != leaf.cert+authority.cert || r.TLS.Key.Empty() || m.Inbound.Len() != 0 {
		t.Errorf("got %+v and %d inbound routes, want one outbound route with the whole chain and the key", r, m.Inbound.Len())
	}
}
