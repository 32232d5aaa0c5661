package config

import (
	"strings"
	"testing"

	"github.com/entente-mesh/entente/internal/golden"
)

func TestTheReferencePageIsThatOfTheSource(t *testing.T) {
	t.Parallel()
	golden.File(t, "../../docs/reference/config.md", []byte(Reference()))
}

func TestEveryKeyHasAMeaningAndAnExample(t *testing.T) {
	t.Parallel()
	walk("", new(Config).keys(), nil, func(path string, k key, _ []Mode) {
		if !strings.HasSuffix(k.meaning, ".") || k.example == "" || strings.ContainsAny(k.meaning+k.fallback+k.what, "|\n") {
			t.Errorf("%s: %q, such as %q", path, k.meaning, k.example)
		}
	})
}
