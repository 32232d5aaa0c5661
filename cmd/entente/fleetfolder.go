package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/auth/issue"
	"github.com/entente-mesh/entente/auth/keys"
)

// Files in a domain's folder.
const (
	folderKey         = "domain.key"    // the domain's private key: opens its tokens, and is its authority's
	folderCertificate = "domain.crt"    // the authority's certificate; may be missing, since the key says it all
	folderGateways    = "gateways.yaml" // where its gateways listen; may be missing
)

// A fleetFolder is what the folder of one domain says. It is immutable.
type fleetFolder struct {
	domain   string
	key      *rsa.PrivateKey
	roots    *x509.CertPool // whose certificates its gateways have
	gateways map[string]fleetGateway
	shared   bool              // others can read the key
	sum      [sha256.Size]byte // of all that was read: another one means that the domain has changed
}

// A fleetGateway is where one gateway is, as gateways.yaml says it under the gateway's name.
type fleetGateway struct {
	// Address is where the domain's pods reach the gateway. It is needed to prove its doors, and so to publish it.
	Address netip.Addr `json:"address"`
	// External and Internal are listeners in place of those of the command line.
	External netip.AddrPort   `json:"external"`
	Internal []netip.AddrPort `json:"internal"`
	// Logs is the folder of access logs on the gateway's machine; empty means none.
	Logs string `json:"logs"`
}

// readFleetFolder reads a domain's folder, which has the domain's name.
func readFleetFolder(dir string) (*fleetFolder, error) {
	f := &fleetFolder{domain: filepath.Base(dir)}
	if err := names.ValidateDomainID(f.domain); err != nil {
		return nil, fmt.Errorf("folder %s: %w", dir, err)
	}
	digest := sha256.New()
	read := func(name string) ([]byte, error) {
		text, err := readBounded(filepath.Join(dir, name))
		if err == nil {
			fmt.Fprintf(digest, "%s %d\n%s", name, len(text), text)
		}
		return text, err
	}
	keyText, err := read(folderKey)
	if err != nil {
		return nil, fmt.Errorf("the private key of domain %s: %w; put it there, in PEM", f.domain, err)
	}
	if info, err := os.Stat(filepath.Join(dir, folderKey)); err == nil {
		f.shared = info.Mode().Perm()&0o077 != 0
	}
	if f.key, err = keys.ParsePrivate(base64.StdEncoding.EncodeToString(keyText)); err != nil {
		return nil, fmt.Errorf("the private key of domain %s in %s: %w", f.domain, filepath.Join(dir, folderKey), err)
	}
	certificate, err := read(folderCertificate)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the certificate of domain %s: %w", f.domain, err)
	}
	authority, err := folderAuthority(f.domain, f.key, certificate)
	if err != nil {
		return nil, err
	}
	f.roots = x509.NewCertPool()
	f.roots.AddCert(authority.Certificate())
	listeners, err := read(folderGateways)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("the gateways of domain %s: %w", f.domain, err)
	}
	if f.gateways, err = parseFleetGateways(listeners); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, folderGateways), err)
	}
	digest.Sum(f.sum[:0])
	return f, nil
}

// folderAuthority is a domain's authority of its key. The certificate, in PEM, may be empty: one made of the key stands for all others.
func folderAuthority(domain string, key *rsa.PrivateKey, certificate []byte) (*issue.Authority, error) {
	if len(certificate) == 0 {
		return issue.NewAuthority(key, domain, issue.Terms{Now: time.Now(), Lifetime: issue.AuthorityLife, Rand: rand.Reader})
	}
	authority, err := issue.ParseAuthority(certificate, key)
	if err == nil && authority.Domain() != domain {
		err = fmt.Errorf("it belongs to domain %s; remove it, or put it into that domain's folder", authority.Domain())
	}
	if err != nil {
		return nil, fmt.Errorf("the certificate %s of domain %s: %w", folderCertificate, domain, err)
	}
	return authority, nil
}

// parseFleetGateways reads gateways.yaml and refuses what no Envoy could do.
func parseFleetGateways(text []byte) (map[string]fleetGateway, error) {
	var all map[string]fleetGateway
	if err := yaml.UnmarshalStrict(text, &all); err != nil {
		return nil, fmt.Errorf("%w; write for each gateway its name with address, external, internal and logs under it", err)
	}
	for name, g := range all {
		if err := names.ValidateName("gateway name", name); err != nil {
			return nil, err
		}
		if err := g.check(); err != nil {
			return nil, fmt.Errorf("gateway %s: %w", name, err)
		}
	}
	return all, nil
}

func (g *fleetGateway) check() error {
	if a := g.Address; a.IsValid() && (!a.Is4() || a.IsUnspecified() || a.IsMulticast()) {
		return fmt.Errorf("address %s: give the IPv4 address at which pods reach the gateway", a)
	}
	if g.External.IsValid() && g.External.Port() == 0 {
		return fmt.Errorf("external %s: give a port from 1 to 65535", g.External)
	}
	for _, at := range g.Internal {
		if !at.IsValid() || at.Port() == 0 {
			return fmt.Errorf("internal %s: give an address and a port from 1 to 65535", at)
		}
	}
	if g.Logs != "" && !filepath.IsAbs(g.Logs) {
		return fmt.Errorf("logs %q: give an absolute path", g.Logs)
	}
	return nil
}

// gateway is where a gateway of the domain listens, given where it listens when the folder does not say.
func (f *fleetFolder) gateway(name string, external, internal netip.AddrPort) fleetGateway {
	g := f.gateways[name]
	if !g.External.IsValid() {
		g.External = external
	}
	if len(g.Internal) == 0 {
		g.Internal = []netip.AddrPort{internal}
	}
	return g
}

// door is where the gateway's listener for partners can be reached, if anybody knows.
func (g *fleetGateway) door() (netip.AddrPort, bool) {
	return netip.AddrPortFrom(g.Address, g.External.Port()), g.Address.IsValid()
}
