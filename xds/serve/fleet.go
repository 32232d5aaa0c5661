package serve

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/entente-mesh/entente/api/names"
)

// Fleet lets in the gateways of many domains over mutual TLS 1.3. A gateway's certificate names its domain and itself in one URI,
// spiffe://<domain>/gateway/<name>, and must be signed by an authority of that very domain: one domain's authority cannot make another's
// gateways.
//
// The TLS handshake itself lets every client in, certificate or not, so that a client that is refused reads why in the status of its stream
// and not in a bare alert. Nothing is served before the certificate has been verified, and a connection without streams is soon closed.
type Fleet struct {
	tls   *tls.Config
	roots func(domain string) *x509.CertPool
}

// NewFleet returns an authenticator. The certificate is the server's own and is asked for at each handshake, so that it may be renewed. Roots
// are the authorities that sign for a domain's gateways; it returns nil for a domain that is not served.
func NewFleet(certificate func() (*tls.Certificate, error), roots func(domain string) *x509.CertPool) Fleet {
	return Fleet{
		tls: &tls.Config{
			MinVersion:             tls.VersionTLS13,
			NextProtos:             []string{"h2"},
			ClientAuth:             tls.RequestClientCert,
			SessionTicketsDisabled: true, // a resumed session would carry a certificate that was shown long ago
			GetCertificate:         func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate() },
		},
		roots: roots,
	}
}

// Handshake does the TLS handshake.
func (f Fleet) Handshake(raw net.Conn) (net.Conn, Proof, error) {
	conn := tls.Server(raw, f.tls)
	if err := conn.Handshake(); err != nil { //nolint:noctx // grpc-go has set the deadline on raw
		var plain tls.RecordHeaderError
		if errors.As(err, &plain) {
			return nil, nil, fmt.Errorf("%v does not speak TLS, which this port demands: give Envoy's cluster for us a TLS transport socket: %w", raw.RemoteAddr(), err)
		}
		return nil, nil, fmt.Errorf("TLS handshake with %v: %w", raw.RemoteAddr(), err)
	}
	chain := conn.ConnectionState().PeerCertificates
	return conn, func(now time.Time) (Right, error) { return f.right(chain, now) }, nil
}

// Buffered is true: a TLS connection reads whole records.
func (f Fleet) Buffered() bool { return true }

// String is "mtls".
func (f Fleet) String() string { return "mtls" }

// right is what a chain of certificates, the peer's own first, proves now.
func (f Fleet) right(chain []*x509.Certificate, now time.Time) (Right, error) {
	if len(chain) == 0 {
		return Right{}, unproven("the connection has no client certificate: give Envoy the one of its gateway")
	}
	leaf := chain[0]
	right, err := gatewayURI(leaf.URIs)
	if err != nil {
		return Right{}, unproven(fmt.Sprintf("the certificate is no gateway's: %v", err))
	}
	roots := f.roots(right.Domain)
	if roots == nil {
		return Right{}, status.Error(codes.PermissionDenied, fmt.Sprintf("domain %s is not served here: check the address, or add the domain", right.Domain))
	}
	intermediates := x509.NewCertPool()
	for _, c := range chain[1:] {
		intermediates.AddCert(c)
	}
	_, err = leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, CurrentTime: now,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return Right{}, unproven(fmt.Sprintf("the certificate of gateway %s of domain %s is refused: %v", right.Gateway, right.Domain, whyInvalid(leaf, now, err)))
	}
	right.Until = leaf.NotAfter
	return right, nil
}

// whyInvalid puts the errors that operators meet most into words that name the remedy.
func whyInvalid(leaf *x509.Certificate, now time.Time, err error) error {
	var foreign x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &foreign):
		return errors.New("it was not signed by an authority of that domain: have it issued anew")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && now.Before(leaf.NotBefore):
		return fmt.Errorf("it is valid only from %s: check the clocks", leaf.NotBefore.UTC().Format(time.RFC3339))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && now.After(leaf.NotAfter):
		return fmt.Errorf("it expired at %s: renew it", leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	return err
}

// gatewayURI reads the identity out of a certificate's URIs. As SPIFFE demands, there must be exactly one.
func gatewayURI(uris []*url.URL) (Right, error) {
	if len(uris) != 1 {
		return Right{}, fmt.Errorf("it has %d URIs instead of one, spiffe://<domain>/gateway/<name>", len(uris))
	}
	uri := uris[0]
	name, ok := strings.CutPrefix(uri.Path, "/gateway/")
	plain := url.URL{Scheme: "spiffe", Host: uri.Host, Path: uri.Path}
	if !ok || *uri != plain || names.ValidateDomainID(uri.Host) != nil || names.ValidateName("gateway", name) != nil {
		return Right{}, fmt.Errorf("its URI is %.200q instead of spiffe://<domain>/gateway/<name>", uri.String())
	}
	return Right{Domain: uri.Host, Gateway: name}, nil
}

func unproven(why string) error { return status.Error(codes.Unauthenticated, why) }
