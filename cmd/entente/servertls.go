package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/entente-mesh/entente/auth/issue"
	"github.com/entente-mesh/entente/internal/config"
	"github.com/entente-mesh/entente/mesh"
)

// serverLife is how long a certificate lives that the node issues to its own listener; it is renewed when two thirds are over.
const serverLife = 90 * 24 * time.Hour

// A serverTLS keeps what the external listener proves itself with: the configured certificate, taken up anew when its files change, or one of
// the domain's own authority, renewed in time.
type serverTLS struct {
	config    *config.Config
	authority *issue.Authority
	addresses []netip.Addr // of the gateway
	set       func(*mesh.ServerTLS)
	log       *slog.Logger
	ready     chan struct{}
}

// String names the part.
func (s *serverTLS) String() string { return "server certificate" }

// Ready is closed when no change can be missed any more.
func (s *serverTLS) Ready() <-chan struct{} { return s.ready }

// Run renews, or follows the files, until ctx ends.
func (s *serverTLS) Run(ctx context.Context) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the certificate: %w", err)
	}
	defer watcher.Close()
	for _, folder := range s.folders() {
		if err := watcher.Add(folder); err != nil {
			return fmt.Errorf("watch the certificate: %w", err)
		}
	}
	renew := time.NewTimer(s.renewal())
	defer renew.Stop()
	close(s.ready)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-renew.C:
		case _, open := <-watcher.Events:
			if !open {
				return fsnotify.ErrClosed
			}
		case err := <-watcher.Errors:
			s.log.Warn("watching the certificate of the gateway; a change may be missed", "error", err)
			continue
		}
		material, err := s.load(time.Now())
		if err != nil {
			// Files may be half written; what the gateway has goes on.
			s.log.Warn("the gateway keeps its certificate: the new one cannot be used", "error", err)
		} else {
			s.set(material)
		}
		renew.Reset(s.renewal())
	}
}

// renewal is the time until an own certificate is renewed; a configured one is its owner's business.
func (s *serverTLS) renewal() time.Duration { return serverLife * 2 / 3 }

func (s *serverTLS) files() (certificate, key, ca string) {
	t := s.config.DomainRoute.ExternalTLS
	at := func(path string) string { return besideFile(s.config.File(), path) }
	return at(t.CertFile), at(t.KeyFile), at(t.CAFile)
}

// folders are watched instead of the files, which are replaced and not written.
func (s *serverTLS) folders() []string {
	seen := map[string]bool{}
	var folders []string
	certificate, key, ca := s.files()
	for _, file := range []string{certificate, key, ca} {
		if folder := filepath.Dir(file); file != "" && !seen[folder] {
			seen[folder] = true
			folders = append(folders, folder)
		}
	}
	return folders
}

// load returns what the listener proves itself with now; nil without TLS.
func (s *serverTLS) load(now time.Time) (*mesh.ServerTLS, error) {
	t := s.config.DomainRoute.ExternalTLS
	if !t.EnableTLS {
		return nil, nil
	}
	certFile, keyFile, caFile := s.files()
	certificate, err := material(certFile, t.CertData)
	if err != nil {
		return nil, s.config.Problem("domainRoute.externalTLS.certFile", err.Error(), "give a readable file with a certificate in PEM")
	}
	key, err := material(keyFile, t.KeyData)
	if err != nil {
		return nil, s.config.Problem("domainRoute.externalTLS.keyFile", err.Error(), "give a readable file with a private key in PEM")
	}
	ca, err := material(caFile, t.CAData)
	if err != nil {
		return nil, s.config.Problem("domainRoute.externalTLS.caFile", err.Error(), "give a readable file with certificates in PEM")
	}
	if certificate == nil {
		if certificate, key, err = s.issue(now); err != nil {
			return nil, err
		}
	} else if _, err := tls.X509KeyPair(certificate, key); err != nil {
		return nil, s.config.Problem("domainRoute.externalTLS", "certificate and key do not belong together: "+err.Error(), "give a certificate and its own key")
	}
	if ca != nil && !x509.NewCertPool().AppendCertsFromPEM(ca) {
		return nil, s.config.Problem("domainRoute.externalTLS.caFile", "it holds no certificate", "give the certificates of the authorities of partners in PEM")
	}
	return &mesh.ServerTLS{Certificate: string(certificate), Key: mesh.Hide(string(key)), ClientCA: string(ca)}, nil
}

// material is a file's text, or what stands in the configuration itself.
func material(file, data string) ([]byte, error) {
	if file != "" {
		return readBounded(file)
	}
	if data == "" {
		return nil, nil
	}
	text, err := base64.StdEncoding.DecodeString(data)
	if err != nil {
		return nil, errors.New("it is no base64")
	}
	return text, nil
}

// issue makes a key and a certificate of the domain's own authority.
func (s *serverTLS) issue(now time.Time) (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	profile, err := issue.External(s.authority.Domain(), nil, s.addresses)
	if err != nil {
		return nil, nil, err
	}
	cert, err := s.authority.Issue(&private.PublicKey, profile, issue.Terms{Now: now, Lifetime: serverLife, Rand: rand.Reader})
	if err != nil {
		return nil, nil, fmt.Errorf("issue the certificate of the external listener: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return issue.EncodeCertificate(cert), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
