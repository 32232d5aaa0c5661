package kubeconfig

import (
	"fmt"
	"strconv"
	"strings"
)

// Version is a Kubernetes version as far as decisions need it.
type Version struct {
	Major, Minor int
	// Full is the version in the server's own words, such as v1.36.3+k3s1.
	Full string
}

// Oldest is the oldest version that is served: the scheduler that runs beside the cluster cannot emulate an older one.
func Oldest() Version { return Version{Major: 1, Minor: 34, Full: "v1.34"} }

// ParseVersion reads a version as API servers and people write it: v1.36.3+k3s1, 1.34, v1.35.0-rc.1, v1.34.2-eks-0a1b2c.
// The text after the minor number is kept in Full and otherwise not looked at.
func ParseVersion(s string) (Version, error) {
	bad := fmt.Errorf("version %q is not of the form v1.36.3", s)
	if len(s) > 128 {
		return Version{}, fmt.Errorf("version of %d characters is not of the form v1.36.3", len(s))
	}
	major, rest, ok := strings.Cut(strings.TrimPrefix(s, "v"), ".")
	if !ok {
		return Version{}, bad
	}
	end := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(rest)
	}
	// "1.34+" is what some providers put into the minor field of /version.
	if end < len(rest) && !strings.ContainsRune(".-+", rune(rest[end])) {
		return Version{}, bad
	}
	v := Version{Full: s}
	var ok1, ok2 bool
	v.Major, ok1 = number(major)
	v.Minor, ok2 = number(rest[:end])
	if !ok1 || !ok2 {
		return Version{}, bad
	}
	return v, nil
}

// number reads up to four digits.
func number(s string) (int, bool) {
	if len(s) == 0 || len(s) > 4 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// Before says whether v is an older minor version than w.
func (v Version) Before(w Version) bool {
	return v.Major < w.Major || v.Major == w.Major && v.Minor < w.Minor
}

// MajorMinor is the short form, such as 1.36.
func (v Version) MajorMinor() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// String is the version in the server's own words.
func (v Version) String() string { return v.Full }
