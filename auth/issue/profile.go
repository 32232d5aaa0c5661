package issue

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/entente-mesh/entente/api/names"
)

// A Profile is what a certificate says about its holder. The functions below make those that are used.
type Profile struct {
	CommonName string
	Unit       string // organizational unit; may be empty
	DNS        []string
	Addresses  []netip.Addr
	URI        *url.URL // may be nil
	Server     bool     // may be shown by a TLS server
	Client     bool     // may be shown by a TLS client
}

// Gateway is the profile of a gateway process, which serves and asks for its domain's configuration. The URI
// spiffe://<domain>/gateway/<name> is what others go by.
func Gateway(domain, name string) (Profile, error) {
	if err := names.ValidateDomainID(domain); err != nil {
		return Profile{}, err
	}
	if err := names.ValidateName("gateway name", name); err != nil {
		return Profile{}, err
	}
	id := &url.URL{Scheme: "spiffe", Host: domain, Path: "/gateway/" + name}
	return Profile{CommonName: domain, URI: id, Server: true, Client: true}, nil
}

// Member is the profile of a domain that has registered: its own key under the name that it already has.
func Member(domain string) (Profile, error) {
	if err := names.ValidateDomainID(domain); err != nil {
		return Profile{}, err
	}
	return Profile{CommonName: domain, Server: true, Client: true}, nil
}

// External is the profile of the listener that partners reach. The loopback address is always among its names, as in the original.
func External(domain string, dns []string, addresses []netip.Addr) (Profile, error) {
	if err := names.ValidateDomainID(domain); err != nil {
		return Profile{}, err
	}
	return Server(names.ExternalCommonName(domain), dns, append([]netip.Addr{loopback()}, addresses...)), nil
}

// Server is the profile of a TLS server.
func Server(commonName string, dns []string, addresses []netip.Addr) Profile {
	return Profile{CommonName: commonName, DNS: dns, Addresses: addresses, Server: true}
}

// Client is the profile of a TLS client.
func Client(commonName string) Profile { return Profile{CommonName: commonName, Client: true} }

// TaskServer is the profile of a task's server: its pod's addresses, loopback, and every service name, since a task has several.
func TaskServer(pod string, addresses []netip.Addr) Profile {
	return Server(pod, []string{"*" + names.HostSuffix}, append([]netip.Addr{loopback()}, addresses...))
}

// TaskClient is the profile of a task's client. The unit tells it from the domain's own programs.
func TaskClient(pod string) Profile {
	return Profile{CommonName: pod, Unit: "external", Client: true}
}

func loopback() netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 0, 1}) }

// Bounds of what one certificate may say.
const (
	maxCommonName = 128 // RFC 5280 has 64, but the longest domain id with the suffix of [names.ExternalCommonName] has 78
	maxHosts      = 256
	maxDNSName    = 253
)

// check refuses what cannot stand in a certificate, or would make one that nobody can use.
func (p Profile) check() error {
	switch {
	case p.CommonName == "" || len(p.CommonName) > maxCommonName:
		return &Error{fmt.Sprintf("the common name has %d bytes", len(p.CommonName)), fmt.Sprintf("give 1 to %d", maxCommonName)}
	case !p.Server && !p.Client:
		return &Error{fmt.Sprintf("the certificate of %q is for neither servers nor clients", p.CommonName), "choose one"}
	case len(p.DNS)+len(p.Addresses) > maxHosts:
		return &Error{fmt.Sprintf("the certificate of %q has %d hosts", p.CommonName, len(p.DNS)+len(p.Addresses)), fmt.Sprintf("give at most %d", maxHosts)}
	}
	for _, name := range p.DNS {
		if !dnsName(name) {
			return &Error{fmt.Sprintf("%.80q is no DNS name", name), "use letters, digits, '-', '.', and '*' alone as the first label"}
		}
	}
	for _, a := range p.Addresses {
		if !a.IsValid() || a.Zone() != "" {
			return &Error{fmt.Sprintf("%q is no address for a certificate", a), "give an IPv4 or IPv6 address without a zone"}
		}
	}
	return nil
}

// dnsName says whether s can stand in a certificate as a DNS name. An address cannot: clients look for those elsewhere.
func dnsName(s string) bool {
	s = strings.TrimPrefix(s, "*.")
	if s == "" || len(s) > maxDNSName {
		return false
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		if strings.Trim(strings.ToLower(label), "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}

func (p Profile) fill(c *x509.Certificate) {
	c.Subject = pkix.Name{CommonName: p.CommonName}
	if p.Unit != "" {
		c.Subject.OrganizationalUnit = []string{p.Unit}
	}
	c.DNSNames = p.DNS
	for _, a := range p.Addresses {
		c.IPAddresses = append(c.IPAddresses, a.Unmap().AsSlice())
	}
	if p.URI != nil {
		c.URIs = []*url.URL{p.URI}
	}
	c.KeyUsage = x509.KeyUsageDigitalSignature
	if p.Server {
		c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	if p.Client {
		c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
	}
}
