package archtest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

const module = "github.com/entente-mesh/entente"

// The real tree keeps every rule.
func TestTheTreeKeepsTheRules(t *testing.T) {
	t.Parallel()
	tree, err := Parse(module, os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Files) < 10 {
		t.Fatalf("only %d files found: the walk looks in the wrong place", len(tree.Files))
	}
	for _, v := range Check(tree) {
		t.Error(v)
	}
}

// Each archive is a small tree with planted violations; its "want" file lists exactly those that must be found.
func TestPlantedViolationsAreFound(t *testing.T) {
	t.Parallel()
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatalf("no planted trees: %v", err)
	}
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(name)
			if err != nil {
				t.Fatal(err)
			}
			root := fstest.MapFS{}
			var want []string
			for _, f := range archive.Files {
				if f.Name == "want" {
					want = strings.Split(strings.TrimSpace(string(f.Data)), "\n")
					continue
				}
				root[f.Name] = &fstest.MapFile{Data: f.Data}
			}
			tree, err := Parse(module, root)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, v := range Check(tree) {
				got = append(got, v.String())
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("violations (-want +got):\n%s", diff)
			}
		})
	}
}

// A 200 MB link for each test package would cost more than all tests together: tests start the built binary instead.
func TestNoTestLinksKubernetes(t *testing.T) {
	t.Parallel()
	const format = `{{if .ForTest}}{{.ForTest}}{{else}}{{.ImportPath}}{{end}} {{join .Deps " "}}`
	cmd := exec.CommandContext(t.Context(), "go", "list", "-test", "-f", `{{if or .ForTest (eq .Name "main")}}`+format+`{{end}}`, "./...")
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	linked := testsThatLink("k8s.io/kubernetes", string(out))
	for _, pkg := range linked {
		t.Errorf("the tests of %s link k8s.io/kubernetes; let them start the built binary (internal/lab)", pkg)
	}
}

func TestALinkedKubernetesIsFound(t *testing.T) {
	t.Parallel()
	listing := "m/good k8s.io/api/core/v1 fmt\nm/bad.test k8s.io/kubernetes/cmd/kube-apiserver/app fmt\nm/cmd/entente k8s.io/kubernetes/pkg/x\n"
	if diff := cmp.Diff([]string{"m/bad"}, testsThatLink("k8s.io/kubernetes", listing)); diff != "" {
		t.Errorf("testsThatLink (-want +got):\n%s", diff)
	}
}

// testsThatLink reads lines "package dep dep …" and returns the test binaries (package ends in .test) that link the module.
func testsThatLink(heavy, listing string) []string {
	var found []string
	for line := range strings.Lines(listing) {
		fields := strings.Fields(line)
		if len(fields) == 0 || !strings.HasSuffix(fields[0], ".test") {
			continue
		}
		if slices.ContainsFunc(fields[1:], func(dep string) bool { return strings.HasPrefix(dep, heavy+"/") }) {
			found = append(found, strings.TrimSuffix(fields[0], ".test"))
		}
	}
	return found
}
