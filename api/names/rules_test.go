package names_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/entente-mesh/entente/api/names"
)

func TestDomainIDsAreJudgedWithReasonAndRemedy(t *testing.T) {
	t.Parallel()
	const remedy = "; use 1 to 63 lower-case letters, digits and '-', first and last no '-'"
	long := strings.Repeat("a", 64)
	for _, c := range []struct{ name, id, want string }{
		{"a word is an id", "alice", ""},
		{"a digit is an id", "7", ""},
		{"digits and dashes may stand inside", "0bank-of-x-2", ""},
		{"63 characters are not too many", long[:63], ""},
		{"nothing is no id", "", `domain id "" is empty` + remedy},
		{"64 characters are too many", long, `domain id "` + long[:63] + `"… has 64 bytes` + remedy},
		{"a capital letter is refused", "Alice", `domain id "Alice" contains 'A'` + remedy},
		{"a letter outside a to z is refused", "alizé", `domain id "alizé" contains 'é'` + remedy},
		{"the separator of party lists is refused", "a_b", `domain id "a_b" contains '_'` + remedy},
		{"a dot is refused, since a namespace has none", "org.alice", `domain id "org.alice" contains '.'` + remedy},
		{"a leading dash is refused", "-a", `domain id "-a" starts with '-'` + remedy},
		{"a trailing dash is refused", "a-", `domain id "a-" ends with '-'` + remedy},
		{"a line break cannot hide", "alice\n", `domain id "alice\n" contains '\n'` + remedy},
		{"broken text is shown, not trusted", "a\xff", `domain id "a\xff" contains '�'` + remedy},
		{"default is Kubernetes' own", "default", `domain id "default" is reserved; choose another`},
		{"kube-system is Kubernetes' own", "kube-system", `domain id "kube-system" is reserved; choose another`},
		{"kube-public is Kubernetes' own", "kube-public", `domain id "kube-public" is reserved; choose another`},
		{"kube-node-lease is Kubernetes' own", "kube-node-lease", `domain id "kube-node-lease" is reserved; choose another`},
		{"master is every lite's master", "master", `domain id "master" is reserved; choose another`},
		{"cross-domain is where jobs live", "cross-domain", `domain id "cross-domain" is reserved; choose another`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, text(names.ValidateDomainID(c.id))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNamesOfOtherThingsSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	want := `job id "Job" contains 'J'; use 1 to 63 lower-case letters, digits, '-' and '.', first and last a letter or digit`
	if diff := cmp.Diff(want, text(names.ValidateName("job id", "Job"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want = `service name prefix "1st" starts with '1'; use 1 to 48 lower-case letters, digits and '-', first a letter, last no '-'`
	if diff := cmp.Diff(want, text(names.ValidateServicePrefix("1st"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzRules compares the rules with the original's patterns.
func FuzzRules(f *testing.F) {
	for _, s := range []string{"", "a", "alice", "a.b", "a-", ".a", "A", "7", "ß", "a\n", strings.Repeat("a", 48), strings.Repeat("z", 63), strings.Repeat("0", 64)} {
		f.Add(s)
	}
	name, prefix := regexp.MustCompile(names.PatternName), regexp.MustCompile(names.PatternServicePrefix)
	f.Fuzz(func(t *testing.T, s string) {
		if want, err := name.MatchString(s), names.ValidateName("name", s); want != (err == nil) {
			t.Errorf("%q matches the pattern of names: %v; rule: %v", s, want, err)
		}
		if want, err := prefix.MatchString(s), names.ValidateServicePrefix(s); want != (err == nil) {
			t.Errorf("%q matches the pattern of service prefixes: %v; rule: %v", s, want, err)
		}
		want := name.MatchString(s) && !strings.Contains(s, ".") && !names.Reserved(s)
		if err := names.ValidateDomainID(s); want != (err == nil) {
			t.Errorf("%q should be a domain id: %v; rule: %v", s, want, err)
		}
	})
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
