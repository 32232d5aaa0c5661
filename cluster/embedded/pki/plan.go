package pki

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// The validity times. A leaf is renewed when a third of its life is left, so a machine may be switched off for four months
// without harm; an authority is reported during its last year, when it starts to shorten what it signs.
const (
	authorityLife = 10 * 365 * 24 * time.Hour
	leafLife      = 365 * 24 * time.Hour
	warnBefore    = 365 * 24 * time.Hour
	// skew is how far a certificate's start lies in the past, for clients whose clock is behind.
	skew = 5 * time.Minute
)

// The authorities. Clients and servers have an authority each: a server certificate can then never log in as a user, and a
// later signer of client certificates never gets the power to pose as the API server, whatever the key usages say. The
// front proxy needs its own by Kubernetes' rules, because whoever holds a certificate of it may claim to be any user.
const (
	serverCA     = "server-ca"
	clientCA     = "client-ca"
	frontProxyCA = "front-proxy-ca"
)

var authorityNames = [...]string{serverCA, clientCA, frontProxyCA}

// The certificates.
const (
	leafServing           = "apiserver"
	leafKubeletClient     = "kubelet-client"
	leafFrontProxy        = "front-proxy-client"
	leafAdmin             = "admin"
	leafControllerManager = "controller-manager"
	leafScheduler         = "scheduler"
)

// leaf says what one certificate must say.
type leaf struct {
	name      string
	authority string
	user      string // common name; for clients the Kubernetes user name
	group     string // organization; for clients the Kubernetes group
	usage     x509.ExtKeyUsage
	dns       []string
	ips       []netip.Addr
}

// leaves lists every certificate. Only the local administrator is in system:masters, the group that no rule can bind; the
// other users get their rights from Kubernetes' own default roles by name.
func leaves(dns []string, ips []netip.Addr) []leaf {
	const client = x509.ExtKeyUsageClientAuth
	return []leaf{
		{name: leafServing, authority: serverCA, user: "kube-apiserver", usage: x509.ExtKeyUsageServerAuth, dns: dns, ips: ips},
		{name: leafKubeletClient, authority: clientCA, user: "kube-apiserver-kubelet-client", usage: client},
		{name: leafFrontProxy, authority: frontProxyCA, user: "front-proxy-client", usage: client},
		{name: leafAdmin, authority: clientCA, user: "kubernetes-admin", group: "system:masters", usage: client},
		{name: leafControllerManager, authority: clientCA, user: "system:kube-controller-manager", usage: client},
		{name: leafScheduler, authority: clientCA, user: "system:kube-scheduler", usage: client},
	}
}

// servingNames joins the given names and addresses with those that every API server has, sorted, each once.
func servingNames(names []string, ips []netip.Addr) ([]string, []netip.Addr, error) {
	dns := []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
	addrs := []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	for _, ip := range ips {
		if !ip.IsValid() || ip.IsUnspecified() {
			return nil, nil, fmt.Errorf("API server address %q cannot stand in a certificate: give the address that clients connect to", ip)
		}
		addrs = append(addrs, ip.Unmap().WithZone(""))
	}
	for _, n := range names {
		if ip, err := netip.ParseAddr(n); err == nil && !ip.IsUnspecified() {
			addrs = append(addrs, ip.Unmap().WithZone(""))
			continue
		}
		if !hostName(n) {
			return nil, nil, fmt.Errorf("API server name %q is neither a host name nor an address: correct the list of names", n)
		}
		dns = append(dns, strings.ToLower(n))
	}
	slices.Sort(dns)
	slices.SortFunc(addrs, netip.Addr.Compare)
	return slices.Compact(dns), slices.Compact(addrs), nil
}

// hostName says whether s is a DNS name as RFC 1123 has it, with the underscore that container runtimes put into names and
// a wildcard as the whole first label.
func hostName(s string) bool {
	if len(s) == 0 || len(s) > 253 {
		return false
	}
	labels := strings.Split(s, ".")
	for i, l := range labels {
		if l == "*" && i == 0 && len(labels) > 1 {
			continue
		}
		if len(l) == 0 || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
		for _, r := range l {
			if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_') {
				return false
			}
		}
	}
	// A name that ends in a number would be read as a broken IPv4 address (RFC 1123, 2.1).
	last := labels[len(labels)-1]
	return strings.Trim(last, "0123456789") != ""
}

// due says why a certificate must be signed anew, or "" when it may stay.
func due(want leaf, have, ca *x509.Certificate, now time.Time) string {
	switch {
	case have == nil:
		return "it did not exist"
	case have.CheckSignatureFrom(ca) != nil:
		return "it was signed by another authority"
	case have.Subject.CommonName != want.user || !slices.Equal(have.Subject.Organization, organization(want)):
		return "its subject changed"
	case !slices.Equal(have.ExtKeyUsage, []x509.ExtKeyUsage{want.usage}):
		return "its usage changed"
	case !sameNames(want, have):
		return "its names changed"
	case now.Before(have.NotBefore):
		return "it is not valid yet"
	}
	if at := renewAt(have, ca); !at.IsZero() && !now.Before(at) {
		return "a third of its life is left"
	}
	return ""
}

// renewAt is when a certificate has a third of its life left, zero when it lives as long as its authority, so that signing
// it anew would gain nothing.
func renewAt(have, ca *x509.Certificate) time.Time {
	if !have.NotAfter.Before(ca.NotAfter) {
		return time.Time{}
	}
	return have.NotAfter.Add(-have.NotAfter.Sub(have.NotBefore) / 3)
}

// validity is the time span of a certificate that is signed at now; it never outlives its authority. X.509 counts seconds.
func validity(now time.Time, life time.Duration, ca *x509.Certificate) (from, to time.Time) {
	from, to = now.Add(-skew).UTC().Truncate(time.Second), now.Add(life).UTC().Truncate(time.Second)
	if ca == nil {
		return from, to
	}
	if from.Before(ca.NotBefore) {
		from = ca.NotBefore
	}
	if to.After(ca.NotAfter) {
		to = ca.NotAfter
	}
	return from, to
}

// usable refuses an authority with which no certificate can be checked at now.
func usable(name string, ca *x509.Certificate, now time.Time, dir string) error {
	switch {
	case !ca.IsCA || !ca.BasicConstraintsValid:
		return fmt.Errorf("authority %s in %s: its certificate is not an authority's: restore the folder from a backup, or remove the authority's two files to start a new one", name, dir)
	case now.Before(ca.NotBefore):
		return fmt.Errorf("authority %s in %s is valid from %s, but this machine's clock says %s: set the clock", name, dir, stamp(ca.NotBefore), stamp(now))
	case now.After(ca.NotAfter):
		return fmt.Errorf("authority %s in %s ended on %s: %s", name, dir, stamp(ca.NotAfter), replaceAuthority(name))
	}
	return nil
}

// nearEnd describes an authority in its last year, or is "".
func nearEnd(name string, ca *x509.Certificate, now time.Time, dir string) string {
	if now.Add(warnBefore).Before(ca.NotAfter) {
		return ""
	}
	return fmt.Sprintf("authority %s in %s ends on %s: before that, %s", name, dir, stamp(ca.NotAfter), replaceAuthority(name))
}

// replaceAuthority is the remedy for an authority at its end.
func replaceAuthority(name string) string {
	return fmt.Sprintf("stop, remove %s.crt and %s.key there, start (new ones are made, the stored objects stay), and hand out the kubeconfigs again", name, name)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// organization is the subject field in which Kubernetes looks for groups.
func organization(l leaf) []string {
	if l.group == "" {
		return nil
	}
	return []string{l.group}
}

// sameNames compares the names of a certificate with the wanted ones as sets.
func sameNames(want leaf, have *x509.Certificate) bool {
	var ips []netip.Addr
	for _, raw := range have.IPAddresses {
		ip, ok := netip.AddrFromSlice(raw)
		if !ok {
			return false
		}
		ips = append(ips, ip.Unmap())
	}
	return sameSet(want.dns, have.DNSNames, cmp.Compare[string]) && sameSet(want.ips, ips, netip.Addr.Compare)
}

func sameSet[T comparable](a, b []T, order func(T, T) int) bool {
	return slices.Equal(slices.Compact(slices.SortedFunc(slices.Values(a), order)), slices.Compact(slices.SortedFunc(slices.Values(b), order)))
}
