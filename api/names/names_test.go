package names_test

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/validation"
)

// TestEveryWordIsPinned compares both ways: a constant that changed, came or went without its line in testdata/names.txt fails, and so
// does a line that no constant answers to. The test has no switch to rewrite the file: each line is a promise to partners and users.
func TestEveryWordIsPinned(t *testing.T) {
	t.Parallel()
	pinned, err := os.ReadFile("testdata/names.txt")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for line := range strings.Lines(string(pinned)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			want = append(want, line)
		}
	}
	var got []string
	for name, value := range constants(t) {
		got = append(got, name+" "+value.ExactString())
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the constants differ from testdata/names.txt (-pinned +built):\n%s", diff)
	}
}

func TestLabelsAnnotationsAndResourcesAreKeysThatKubernetesTakes(t *testing.T) {
	t.Parallel()
	for name, value := range constants(t) {
		group := slices.IndexFunc([]string{"Label", "Annotation", "Taint", "Resource"}, func(g string) bool {
			return strings.HasPrefix(name, g)
		})
		if group < 0 {
			continue
		}
		key := constant.StringVal(value)
		if strings.HasSuffix(name, "Prefix") {
			key += "x" // the beginning of a key
		}
		if faults := validation.IsQualifiedName(key); len(faults) > 0 {
			t.Errorf("%s = %q is no key: %v", name, key, faults)
		}
	}
}

func TestNoTwoWordsOfOneGroupAreTheSame(t *testing.T) {
	t.Parallel()
	owners := map[string]string{}
	for name, value := range constants(t) {
		for _, group := range []string{"Label", "Annotation", "Header", "Env", "Template", "Port", "Service", "Condition", "Reason"} {
			if !strings.HasPrefix(name, group) {
				continue
			}
			word := group + " " + strings.ToLower(value.ExactString())
			if other, taken := owners[word]; taken {
				t.Errorf("%s and %s are both %s", other, name, value)
			}
			owners[word] = name
		}
	}
}

// constants returns every exported constant of the package as the compiler sees it. An exported variable fails the test: it could not be
// pinned.
func constants(t *testing.T) map[string]constant.Value {
	t.Helper()
	fset := token.NewFileSet()
	entries, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range entries {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	// No constant rests on an import, so imports need not resolve; what they break is only in functions, which are left out.
	config := types.Config{IgnoreFuncBodies: true, Importer: noImports{}, Error: func(error) {}}
	pkg, _ := config.Check("names", fset, files, nil)
	found := map[string]constant.Value{}
	for _, name := range pkg.Scope().Names() {
		if !token.IsExported(name) {
			continue
		}
		switch object := pkg.Scope().Lookup(name).(type) {
		case *types.Const:
			if object.Val().Kind() == constant.Unknown {
				t.Fatalf("%s: the value of %s cannot be computed here; write it out", fset.Position(object.Pos()), name)
			}
			found[name] = object.Val()
		case *types.Var:
			t.Errorf("%s: %s is a variable; a word is a constant", fset.Position(object.Pos()), name)
		}
	}
	if len(found) == 0 {
		t.Fatal("no constants found")
	}
	return found
}

type noImports struct{}

func (noImports) Import(path string) (*types.Package, error) {
	return nil, fmt.Errorf("import %s: not needed", path)
}
