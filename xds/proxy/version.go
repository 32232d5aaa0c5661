package proxy

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// A Version is what an Envoy calls itself, such as 1.40.0 or 1.41.0-dev.
type Version struct {
	Major, Minor, Patch uint32
	// Pre marks a build that comes before the release of its number; empty for the release.
	Pre string
}

// Minimum is the oldest Envoy that is accepted. Older ones were not tried, and an Envoy that ignores a field of the authentication filter
// lets everybody in.
func Minimum() Version { return Version{Major: 1, Minor: 36, Patch: 4} }

// String is the version as Envoy writes it.
func (v Version) String() string {
	text := fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
	if v.Pre != "" {
		text += "-" + v.Pre
	}
	return text
}

// Before says whether v is older than w. Of two builds before the same release neither is.
func (v Version) Before(w Version) bool {
	switch c := cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Patch, w.Patch)); {
	case c != 0:
		return c < 0
	default:
		return v.Pre != "" && w.Pre == ""
	}
}

// parseVersion reads what an Envoy writes when it is started with --version, one line of the form
//
//	<program>  version: <commit>/<version>/<Clean or Modified>/<RELEASE or DEBUG>/<TLS library>
//
// and returns the version, and the build: all that stands after "version: ".
func parseVersion(output string) (v Version, build string, err error) {
	_, rest, found := strings.Cut(output, " version: ")
	if words := strings.Fields(rest); found && len(words) > 0 {
		build = words[0]
	}
	parts := strings.Split(build, "/")
	if len(parts) < 3 {
		return Version{}, "", fmt.Errorf("%s is not what an Envoy says of its version", quote(output))
	}
	number, pre, hasPre := strings.Cut(parts[1], "-")
	numbers := strings.Split(number, ".")
	if len(numbers) != 3 || hasPre && pre == "" {
		return Version{}, "", fmt.Errorf("version %s has not the form 1.2.3", quote(parts[1]))
	}
	for i, to := range []*uint32{&v.Major, &v.Minor, &v.Patch} {
		n, err := strconv.ParseUint(numbers[i], 10, 32)
		if err != nil || strconv.FormatUint(n, 10) != numbers[i] {
			return Version{}, "", fmt.Errorf("version %s has not the form 1.2.3", quote(parts[1]))
		}
		*to = uint32(n)
	}
	v.Pre = pre
	return v, build, nil
}

// quote shortens foreign text for an error.
func quote(text string) string { return quoteUpTo(text, 200) }

func quoteUpTo(text string, most int) string {
	if len(text) > most {
		return strconv.QuoteToASCII(text[:most]) + "…"
	}
	return strconv.QuoteToASCII(text)
}
