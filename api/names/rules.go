package names

import (
	"fmt"
	"strings"
)

// Patterns of the original. The functions below answer the same and also say why not.
const (
	// PatternName is what the original takes as a name of anything, domain ids included.
	PatternName = `^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`
	// PatternServicePrefix is what it takes as the beginning of a deployment's service names.
	PatternServicePrefix = `^[a-z]([-a-z0-9]{0,46}[a-z0-9])?$`
)

const (
	maxName          = 63
	maxServicePrefix = 48
)

// Reserved says whether id means something else wherever a domain id stands: a namespace of Kubernetes or of the control plane, or the
// host that every lite calls its master.
func Reserved(id string) bool {
	switch id {
	case "default", "kube-system", "kube-public", "kube-node-lease", Master, CrossDomain:
		return true
	}
	return false
}

// ValidateDomainID returns nil for what can be the id of a domain, else an error that names the id, the reason and the remedy.
//
// It refuses two things that match PatternName: the reserved ids, of which the original's program refuses master alone, and dots. A
// domain's id is the name of its namespace and one label of its hosts, and neither can hold a dot: the original takes such an id and then
// never gets the domain to work.
func ValidateDomainID(id string) error {
	if Reserved(id) {
		return fmt.Errorf("domain id %q is reserved; choose another", id)
	}
	if reason := labelFault(id, maxName, "-"); reason != "" {
		return fmt.Errorf("domain id %s %s; use 1 to %d lower-case letters, digits and '-', first and last no '-'", quote(id), reason, maxName)
	}
	return nil
}

// ValidateName returns nil if name matches PatternName, else an error that names the name, the reason and the remedy. What says whose
// name it is, such as "job id".
func ValidateName(what, name string) error {
	if reason := labelFault(name, maxName, "-."); reason != "" {
		return fmt.Errorf("%s %s %s; use 1 to %d lower-case letters, digits, '-' and '.', first and last a letter or digit",
			what, quote(name), reason, maxName)
	}
	return nil
}

// ValidateServicePrefix returns nil if prefix matches PatternServicePrefix, else an error that names the prefix, the reason and the
// remedy. It is shorter than a name, so that the port fits behind it.
func ValidateServicePrefix(prefix string) error {
	reason := labelFault(prefix, maxServicePrefix, "-")
	if reason == "" && !isLetter(prefix[0]) {
		reason = fmt.Sprintf("starts with %q", prefix[0])
	}
	if reason != "" {
		return fmt.Errorf("service name prefix %s %s; use 1 to %d lower-case letters, digits and '-', first a letter, last no '-'",
			quote(prefix), reason, maxServicePrefix)
	}
	return nil
}

// labelFault says what keeps s from being 1 to limit letters, digits and inner bytes, the latter never first or last. It is empty for a
// good s.
func labelFault(s string, limit int, inner string) string {
	switch {
	case s == "":
		return "is empty"
	case len(s) > limit:
		return fmt.Sprintf("has %d bytes", len(s))
	}
	for _, r := range s {
		if r > 'z' || !isLetter(byte(r)) && !isDigit(byte(r)) && !strings.ContainsRune(inner, r) {
			return fmt.Sprintf("contains %q", r)
		}
	}
	if strings.IndexByte(inner, s[0]) >= 0 {
		return fmt.Sprintf("starts with %q", s[0])
	}
	if last := s[len(s)-1]; strings.IndexByte(inner, last) >= 0 {
		return fmt.Sprintf("ends with %q", last)
	}
	return ""
}

func isLetter(b byte) bool { return 'a' <= b && b <= 'z' }

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// quote shows a name in an error without letting a hostile one fill the log.
func quote(s string) string {
	if len(s) > maxName {
		return fmt.Sprintf("%q…", s[:maxName])
	}
	return fmt.Sprintf("%q", s)
}
