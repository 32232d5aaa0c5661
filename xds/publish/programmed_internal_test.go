package publish

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAStandingIsOneLineThatSaysWhatItIsAbout(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		of   standing
		want string
	}{
		"good":                                 {standing{good: true, version: "v1"}, "true (v1)"},
		"bad":                                  {standing{version: "v1", reason: "no such thing"}, "false (v1): no such thing"},
		"bad, and nothing of it could be used": {standing{reason: "no such thing"}, "false: no such thing"},
	} {
		if got := c.of.String(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestALongReasonIsCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	for shift := range 4 {
		got := short(strings.Repeat("x", shift) + strings.Repeat("界", reasonLimit))
		if !utf8.ValidString(got) || len(got) > reasonLimit+len("…") || !strings.HasSuffix(got, "…") {
			t.Errorf("shifted by %d: %d bytes, valid %t", shift, len(got), utf8.ValidString(got))
		}
	}
	if got := short("fits"); got != "fits" {
		t.Errorf("short = %q", got)
	}
}
