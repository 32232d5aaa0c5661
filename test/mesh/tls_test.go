package mesh

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/auth/issue"
)

// ownCertificate says that the domain's external listener shows a certificate from files. Alice's shows one that the node issues itself.
func (d *domain) ownCertificate() bool { return d.id == "bob" }

// writeCertificate puts a new certificate of the domain's authority where the configuration says, and returns its serial number.
func (d *domain) writeCertificate() (*big.Int, error) {
	terms := issue.Terms{Now: time.Now(), Lifetime: time.Hour, Rand: rand.Reader}
	authority, err := issue.NewAuthority(d.key, d.id, terms)
	if err != nil {
		return nil, err
	}
	profile, err := issue.External(d.id, nil, []netip.Addr{d.node.IP()})
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	certificate, err := authority.Issue(&key.PublicKey, profile, terms)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	// The key comes first: for a moment the two do not belong together, which the node must bear.
	return certificate.SerialNumber, errors.Join(
		replace(d.home+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		replace(d.home+".crt", issue.EncodeCertificate(certificate)),
	)
}

func replace(file string, text []byte) error {
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// TestAChangedCertificateIsTakenUpUnderLoad: an operator replaces the files, and nobody's connection ends.
func TestAChangedCertificateIsTakenUpUnderLoad(t *testing.T) {
	world(t)
	bob.serveEcho(t, "10.2.0.1:8009")
	if err := bob.serve(t.Context(), "certified", 8009); err != nil {
		t.Fatal(err)
	}
	await(t, alice, "certified.bob.svc")
	load := startLoad(t, alice, "certified.bob.svc")
	for range 3 {
		serial, err := bob.writeCertificate()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		for shown := new(big.Int); shown.Cmp(serial) != 0; {
			if shown, err = bob.shows(ctx, alice); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		load.pass(t, 20)
	}
	load.checkFlawless(t, 50)
}

// shows is the serial number of the certificate that the domain shows to a partner.
func (d *domain) shows(ctx context.Context, to *domain) (*big.Int, error) {
	raw, err := to.node.Dial(ctx, "tcp", net.JoinHostPort(d.node.IP().String(), fmt.Sprint(names.PortExternal)))
	if err != nil {
		return nil, err
	}
	conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true}) // only what is shown is looked at
	defer conn.Close()
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	return conn.ConnectionState().PeerCertificates[0].SerialNumber, nil
}
