package bootstrap_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/entente-mesh/entente/internal/lab/envoy"
	"github.com/entente-mesh/entente/xds/bootstrap"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds the waits for a real Envoy on a busy machine.
const patience = 60 * time.Second

func TestARealEnvoyAsksItsControlPlaneOverTheSocket(t *testing.T) {
	t.Parallel()
	c := node()
	dir := envoy.Dir(t)
	c.Admin, c.Socket = filepath.Join(dir, "admin.sock"), filepath.Join(dir, "xds.sock")
	c.MaxHeapBytes = 1 << 30
	l, err := net.Listen("unix", c.Socket)
	if err != nil {
		t.Fatal(err)
	}
	asked := control(t, l, nil)
	e := envoy.Start(t, envoy.Options{Dir: dir, Bootstrap: mustMake(t, c), NotLive: true})
	await(t, asked, func(q question) bool { return bytes.Contains(q.body, []byte("kuscia-gateway-alice-gateway-0")) })
	if state := e.Ask("/ready"); state == "LIVE\n" {
		t.Error("an Envoy that was told nothing is live")
	}
	limits := e.Stats(`^overload\.envoy\.resource_monitors\.`)
	if len(limits) == 0 {
		t.Error("no monitor of connections and heap runs")
	}
}

// A fleet's certificates are renewed while it runs.
func TestARealEnvoyProvesItselfAndTakesRenewedCertificates(t *testing.T) {
	t.Parallel()
	envoy.Binary(t)
	dir := envoy.Dir(t)
	ca := newAuthority(t)
	certificates := filepath.Join(dir, "tls")
	if err := os.Mkdir(certificates, 0o700); err != nil {
		t.Fatal(err)
	}
	c := bootstrap.Config{Domain: "bob", Gateway: "edge-7", Admin: filepath.Join(dir, "admin.sock"), TLS: &bootstrap.TLS{
		Folder: dir, ServerName: "control.example", CA: filepath.Join(dir, "ca.pem"),
		Certificate: filepath.Join(certificates, "edge.pem"), Key: filepath.Join(certificates, "edge.key"),
	}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.Address = l.Addr().String()
	files, err := c.TLS.Files()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	write(t, c.TLS.CA, ca.pem())
	ca.issue(t, "first").write(t, c.TLS)

	stranger := ca.issue(t, "somebody.else")
	server := ca.issue(t, "control.example")
	config := &tls.Config{
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.pool(), MinVersion: tls.VersionTLS13, NextProtos: []string{"h2"},
	}
	refused := make(chan struct{}, 100)
	strange := true
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { // called by one connection after the other
		if hello.ServerName != "control.example" {
			return nil, errors.New("asked for " + hello.ServerName)
		}
		if strange { // the first time an impostor answers
			strange = false
			refused <- struct{}{}
			return stranger.tls(), nil
		}
		return server.tls(), nil
	}
	asked := control(t, l, config)
	envoy.Start(t, envoy.Options{Dir: dir, Bootstrap: mustMake(t, c), NotLive: true})
	<-refused
	first := await(t, asked, func(q question) bool { return bytes.Contains(q.body, []byte("kuscia-gateway-bob-edge-7")) })
	if first.client != "first" {
		t.Errorf("the client proved to be %q, want first", first.client)
	}
	ca.issue(t, "second").write(t, c.TLS)
	// Connections that exist are not touched; whoever ends them sees the new certificate.
	close(first.hangUp)
	for {
		q := await(t, asked, func(question) bool { return true })
		if q.client == "second" {
			return
		}
		close(q.hangUp)
	}
}

// A question is a stream of discovery that an Envoy opened.
type question struct {
	body   []byte // the first bytes
	client string // the common name of the certificate
	hangUp chan struct{}
}

// control is a control plane that hears and says nothing.
func control(t *testing.T, l net.Listener, config *tls.Config) <-chan question {
	t.Helper()
	asked := make(chan question, 100)
	ctx, cancel := context.WithCancel(t.Context())
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	protocols.SetHTTP2(true)
	server := &http.Server{Protocols: protocols, ErrorLog: log.New(io.Discard, "", 0), TLSConfig: config, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Connection", "close")     // the next stream comes over a new connection
		_ = http.NewResponseController(w).Flush() // a client that is gone shows below
		if r.URL.Path != "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources" {
			t.Errorf("asked for %s", r.URL.Path)
		}
		body := make([]byte, 64<<10)
		n, err := r.Body.Read(body)
		if err != nil {
			return
		}
		q := question{body: body[:n], hangUp: make(chan struct{})}
		if r.TLS != nil {
			q.client = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		asked <- q
		select {
		case <-ctx.Done():
		case <-q.hangUp:
			panic(http.ErrAbortHandler)
		}
	})}
	done := make(chan error, 1)
	go func() {
		if config == nil {
			done <- server.Serve(l)
		} else {
			done <- server.ServeTLS(l, "", "")
		}
	}()
	t.Cleanup(func() {
		cancel()
		_ = server.Close() // what it says is in done
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return asked
}

func await(t *testing.T, asked <-chan question, ok func(question) bool) question {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case q := <-asked:
			if ok(q) {
				return q
			}
		case <-timer.C:
			t.Fatalf("Envoy did not ask within %s", patience)
		}
	}
}

func mustMake(t *testing.T, c bootstrap.Config) []byte {
	t.Helper()
	text, err := bootstrap.Make(c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func write(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// An authority signs certificates for both sides.
type authority struct{ pair }

// A pair is a certificate and its key.
type pair struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	return authority{sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: "fleet"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil)}
}

func (a authority) issue(t *testing.T, name string) pair {
	t.Helper()
	return sign(t, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, &a.pair)
}

func (a authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

// sign makes a certificate of the parent's, or one that signs itself.
func sign(t *testing.T, template *x509.Certificate, parent *pair) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	signer := pair{template, key}
	if parent != nil {
		signer = *parent
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer.certificate, key.Public(), signer.key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return pair{certificate, key}
}

func (p pair) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.certificate.Raw})
}

func (p pair) tls() *tls.Certificate {
	return &tls.Certificate{Certificate: [][]byte{p.certificate.Raw}, PrivateKey: p.key}
}

// write puts the pair where Envoy looks for it, the certificate last: the move of either makes it read both.
func (p pair) write(t *testing.T, at *bootstrap.TLS) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(p.key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, at.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	write(t, at.Certificate, p.pem())
}
