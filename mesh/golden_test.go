package mesh_test

import (
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/entente-mesh/entente/internal/golden"
	"github.com/entente-mesh/entente/mesh"
)

// TestGolden shows what objects of bob's namespace mean. A case may bring settings.yaml.
func TestGolden(t *testing.T) {
	t.Parallel()
	golden.Dir(t, "testdata/golden", func(t testing.TB, in map[string][]byte) map[string][]byte {
		o := objects(t, string(in["objects.yaml"]))
		if text, ok := in["settings.yaml"]; ok {
			must(t, yaml.UnmarshalStrict(text, o.Settings))
		}
		return map[string][]byte{"mesh.yaml": readable(t, dump(t, mesh.Compile(o, nil)))}
	})
}
