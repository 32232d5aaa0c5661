package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/entente-mesh/entente/auth/issue"
	"github.com/entente-mesh/entente/auth/keys"
	"github.com/entente-mesh/entente/xds/bootstrap"
)

// gatewayLife is how long a gateway's certificate lives. Whoever has it sees the domain's tokens, so it does not live for years.
const gatewayLife = 90 * 24 * time.Hour

// bootstrapFlags are the command line of `entente gateway bootstrap`.
type bootstrapFlags struct {
	domain, name        string
	server, serverName  string
	domainKey, serverCA string
	dir                 string
}

func newGatewayBootstrap() *cobra.Command {
	var f bootstrapFlags
	cmd := &cobra.Command{
		Use:   "bootstrap",
		Short: "Make the folder that an Envoy of the fleet starts from",
		Long: `Make the folder that an Envoy of the fleet starts from: a key, a certificate of the domain's authority for this one gateway, and bootstrap.json.
The folder holds absolute paths: it must have the same path on the gateway's machine.

The certificate lives 90 days. Call this again to renew it; a running Envoy takes the new one up by itself.`,
		Example: "  entente gateway bootstrap --domain alice --name gw-0 --server fleet.example.org:18000 --domain-key alice/domain.key --server-ca ca.crt -o /etc/envoy/alice",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := given(cmd, "domain", "name", "server", "domain-key", "server-ca", "output"); err != nil {
				return err
			}
			return f.write(cmd.OutOrStdout(), time.Now())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.domain, "domain", "", "the gateway's domain (required)")
	flags.StringVar(&f.name, "name", "", "the gateway's name (required)")
	flags.StringVar(&f.server, "server", "", "where `entente gateway` listens, as host:port (required)")
	flags.StringVar(&f.serverName, "server-name", "", "DNS name that the server's certificate must have (default the host of --server)")
	flags.StringVar(&f.domainKey, "domain-key", "", "the domain's private key, in PEM, with domain.crt beside it if that was not made by Entente (required)")
	flags.StringVar(&f.serverCA, "server-ca", "", "certificates, in PEM, one of which has signed the server's (required)")
	flags.StringVarP(&f.dir, "output", "o", "", "folder to make (required)")
	_ = cmd.MarkFlagDirname("output") // the flag exists
	return cmd
}

// write makes the folder and says how to start the Envoy.
func (f *bootstrapFlags) write(w io.Writer, now time.Time) error {
	dir, err := filepath.Abs(f.dir)
	if err != nil {
		return fmt.Errorf("find the folder %s: %w", f.dir, err)
	}
	files, certificate, err := f.files(dir, now)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder: %w; choose another with -o", err)
	}
	for _, file := range files {
		if err := replaceFile(filepath.Join(dir, file.name), file.text); err != nil {
			return fmt.Errorf("write %s: %w", file.name, err)
		}
	}
	_, err = fmt.Fprintf(w, `The certificate of gateway %s of domain %s is valid until %s; renew it from %s on by the same command.
Start the gateway with:
  envoy -c %s --disable-hot-restart --reject-unknown-dynamic-fields --component-log-level misc:error --skip-deprecated-logs
`, f.name, f.domain, certificate.NotAfter.Format(time.DateOnly), issue.RenewAt(certificate).Format(time.DateOnly), shellWord(filepath.Join(dir, "bootstrap.json")))
	return err
}

// A namedText is a file to write.
type namedText struct {
	name string
	text []byte
}

// files are what the folder holds, in the order in which they are written: a running Envoy looks again after each, and the last makes the pair
// of certificate and key whole again.
func (f *bootstrapFlags) files(dir string, now time.Time) ([]namedText, *x509.Certificate, error) {
	serverName, err := f.hostToProve()
	if err != nil {
		return nil, nil, err
	}
	ca, err := readBounded(f.serverCA)
	if err != nil {
		return nil, nil, fmt.Errorf("--server-ca: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(ca) {
		return nil, nil, fmt.Errorf("--server-ca %s holds no certificate in PEM; give that of the authority that signed the server's", f.serverCA)
	}
	certificate, key, err := f.issue(now)
	if err != nil {
		return nil, nil, err
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	proof := &bootstrap.TLS{Folder: dir, Certificate: at("gateway.crt"), Key: at("gateway.key"), CA: at("ca.crt"), ServerName: serverName}
	text, err := bootstrap.Make(bootstrap.Config{Domain: f.domain, Gateway: f.name, Admin: at("admin.sock"), Address: f.server, TLS: proof})
	if err != nil {
		return nil, nil, err
	}
	secrets, err := proof.Files()
	if err != nil {
		return nil, nil, err
	}
	files := []namedText{{"ca.crt", ca}, {"bootstrap.json", text}}
	for name, secret := range secrets {
		files = append(files, namedText{name, secret})
	}
	return append(files, namedText{"gateway.crt", issue.EncodeCertificate(certificate)}, namedText{"gateway.key", key}), certificate, nil
}

// hostToProve is the DNS name by which Envoy knows the server.
func (f *bootstrapFlags) hostToProve() (string, error) {
	if f.serverName != "" {
		return f.serverName, nil
	}
	host, _, err := net.SplitHostPort(f.server)
	if err != nil {
		return "", usageError{fmt.Errorf("--server %q: give host:port, such as fleet.example.org:18000", f.server)}
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return "", usageError{fmt.Errorf("--server %s names an address; add --server-name with a DNS name that the server's certificate has", f.server)}
	}
	return host, nil
}

// issue makes the gateway's key and certificate.
func (f *bootstrapFlags) issue(now time.Time) (certificate *x509.Certificate, key []byte, err error) {
	profile, err := issue.Gateway(f.domain, f.name)
	if err != nil {
		return nil, nil, usageError{err}
	}
	text, err := readBounded(f.domainKey)
	if err != nil {
		return nil, nil, fmt.Errorf("--domain-key: %w", err)
	}
	signer, err := keys.ParsePrivate(base64.StdEncoding.EncodeToString(text))
	if err != nil {
		return nil, nil, fmt.Errorf("--domain-key %s: %w", f.domainKey, err)
	}
	beside, err := readBounded(filepath.Join(filepath.Dir(f.domainKey), folderCertificate))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, fmt.Errorf("the domain's certificate: %w", err)
	}
	authority, err := folderAuthority(f.domain, signer, beside)
	if err != nil {
		return nil, nil, err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	certificate, err = authority.Issue(&private.PublicKey, profile, issue.Terms{Now: now, Lifetime: gatewayLife, Rand: rand.Reader})
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// shellWord quotes a path for a shell where it must be quoted.
func shellWord(path string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/.-_", r)
	}
	if strings.TrimFunc(path, plain) == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
