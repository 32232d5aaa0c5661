package translate_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/translate"
)

// With an authority for clients the external listener wants a certificate of it; a partner of authenticationType MTLS is known by exactly its own.
func TestAPartnerIsKnownByItsCertificate(t *testing.T) {
	t.Parallel()
	ca := newIdentity(t, "authority", nil)
	bank, other := newIdentity(t, "bank", ca), newIdentity(t, "bank", ca)
	server := newIdentity(t, "bob", ca)
	d := newDraft("bob").service(mesh.Service{Name: "echo"}, echo(t, "echo")).
		called(mesh.Route{Source: "alice"}, 'A').
		called(mesh.Route{Source: "bank", Auth: mesh.AuthMTLS, Client: bank.cert}, 0)
	d.Settings.ExternalTLS = &mesh.ServerTLS{Certificate: server.cert, Key: mesh.Hide(server.key), ClientCA: ca.cert}
	g := newGate(t, d.done())
	claim := map[string]string{names.HeaderHost: "echo.bob.svc", names.HeaderSource: "bank"}
	for _, c := range []struct {
		name   string
		shows  *identity
		header map[string]string
		want   int // 0: no answer
	}{
		{"with the partner's certificate", bank, claim, 200},
		{"with another one of the same name", other, claim, 403},
		{"with the partner's certificate and another's name", bank, with(claim, names.HeaderSource, "alice"), 401},
		{"with any certificate and a token", other, as("alice", "bob", "echo.bob.svc", 'A'), 200},
		{"with a certificate of nobody", newIdentity(t, "bank", nil), claim, 0},
		{"without certificate", nil, as("alice", "bob", "echo.bob.svc", 'A'), 0},
	} {
		for _, http2 := range []bool{false, true} {
			if got := c.shows.ask(t, g, ca, c.header, http2); got != c.want {
				t.Errorf("%s, HTTP/2 %v: %d, want %d", c.name, http2, got, c.want)
			}
		}
	}
}

func TestWithoutClientCertificatesAPartnerOfMTLSIsRefusedAndReported(t *testing.T) {
	t.Parallel()
	d := newDraft("bob").called(mesh.Route{Source: "bank", Auth: mesh.AuthMTLS, Client: "x"}, 0)
	_, problems := translate.Delta(nil, d.done())
	if len(problems) != 1 || problems[0].Field != "spec.authenticationType" {
		t.Errorf("problems: %v", problems)
	}
}

// An identity is a certificate and its key.
type identity struct {
	cert, key string
	parsed    *x509.Certificate
	signer    *ecdsa.PrivateKey
}

// newIdentity makes a certificate of an authority, or, without one, of itself.
func newIdentity(t testing.TB, name string, ca *identity) *identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: ca == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	parent, signer := template, key
	if ca != nil {
		parent, signer = ca.parsed, ca.signer
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return &identity{
		cert:   string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		key:    string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
		parsed: parsed, signer: key,
	}
}

// ask calls the external listener with the identity's certificate, or with none, and returns the status, 0 without an answer.
func (i *identity) ask(t testing.TB, g *gate, ca *identity, header map[string]string, http2 bool) int {
	t.Helper()
	config := &tls.Config{RootCAs: x509.NewCertPool(), ServerName: "bob"}
	config.RootCAs.AddCert(ca.parsed)
	if i != nil {
		pair, err := tls.X509KeyPair([]byte(i.cert), []byte(i.key))
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	transport := &http.Transport{TLSClientConfig: config, Protocols: new(http.Protocols), DisableKeepAlives: true}
	transport.Protocols.SetHTTP1(!http2)
	transport.Protocols.SetHTTP2(http2)
	transport.DialContext = (&net.Dialer{}).DialContext
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+g.address(translate.ListenerExternal).String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	response, err := transport.RoundTrip(r)
	if err != nil {
		return 0 // the server ends the connection, and when the client notices is chance
	}
	defer func() { _ = response.Body.Close() }() // read below
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}
