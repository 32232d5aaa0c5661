package mesh

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/entente-mesh/entente/api/names"
)

// labelFault says what keeps s from being one label of a host (RFC 1123, lower case); empty for a good one.
func labelFault(s string) string {
	switch {
	case s == "":
		return "is empty"
	case len(s) > 63:
		return fmt.Sprintf("has %d characters, at most 63 are allowed", len(s))
	case s[0] == '-' || s[len(s)-1] == '-':
		return "begins or ends with '-'"
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return fmt.Sprintf("contains %q", r)
		}
	}
	return ""
}

// domainFault says what keeps id from being the id of a domain, and what to do about it; empty for a good one.
func domainFault(id string) (reason, remedy string) {
	if err := names.ValidateDomainID(id); err != nil {
		reason, remedy, _ = strings.Cut(err.Error(), "; ")
	}
	return reason, remedy
}

// host reads an address or a DNS name as a partner's or an external host. The name comes back in lower case; an address comes back as netip
// writes it. fault is empty for a good one.
func host(s string) (canonical string, address bool, fault string) {
	if a, err := netip.ParseAddr(s); err == nil {
		if fault := addressFault(a); fault != "" {
			return "", false, fault
		}
		return a.Unmap().String(), true, ""
	}
	if len(s) > 253 {
		return "", false, fmt.Sprintf("has %d characters, at most 253 are allowed", len(s))
	}
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	last := ""
	for part := range strings.SplitSeq(s, ".") {
		if fault := labelFault(part); fault != "" {
			return "", false, "has a label that " + fault
		}
		last = part
	}
	if last != "" && strings.Trim(last, "0123456789") == "" {
		return "", false, "ends in a number and is no address" // resolvers read such names as addresses of old notations
	}
	return s, false, ""
}

// addressFault says why nobody can be reached at an address; empty for a good one.
func addressFault(a netip.Addr) string {
	switch {
	case a.Zone() != "":
		return "has a zone, which means something on one machine only"
	case a.IsUnspecified():
		return "is unspecified"
	case a.IsMulticast():
		return "is a multicast address"
	}
	return ""
}

// tokenChars are the characters of a header's or cookie's name (RFC 9110, token).
const tokenChars = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

// isToken says whether s can be the name of a header or a cookie.
func isToken(s string) bool {
	return s != "" && len(s) <= 128 && strings.Trim(s, tokenChars) == ""
}
