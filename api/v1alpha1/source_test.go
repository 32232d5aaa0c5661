package v1alpha1_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parseSource returns the syntax of the package's own files, without tests and generated code.
func parseSource(t testing.TB) []*ast.File {
	t.Helper()
	paths, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	set := token.NewFileSet()
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "zz_generated") {
			continue
		}
		file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// readEnumerations returns testdata/enumerations.txt: the sorted values of each string type.
func readEnumerations(t testing.TB) map[string][]string {
	t.Helper()
	data, err := os.ReadFile("testdata/enumerations.txt")
	if err != nil {
		t.Fatal(err)
	}
	values := map[string][]string{}
	for line := range strings.Lines(string(data)) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		for _, word := range words[1:] {
			values[words[0]] = append(values[words[0]], strings.Trim(word, `"`))
		}
		slices.Sort(values[words[0]])
	}
	return values
}

func TestConstantsAreTheEnumerations(t *testing.T) {
	t.Parallel()
	got := map[string][]string{}
	for _, file := range parseSource(t) {
		for node := range ast.Preorder(file) {
			spec, ok := node.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				continue
			}
			literal, ok := spec.Values[0].(*ast.BasicLit)
			if !ok {
				continue
			}
			value, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			name := "untyped"
			if typed, ok := spec.Type.(*ast.Ident); ok {
				name = typed.Name
			}
			got[name] = append(got[name], value)
			slices.Sort(got[name])
		}
	}
	if diff := cmp.Diff(readEnumerations(t), got); diff != "" {
		t.Errorf("the constants differ from the enumerations (-enumerations +constants):\n%s", diff)
	}
}

func TestEveryExportedNameSaysWhatItMeans(t *testing.T) {
	t.Parallel()
	check := func(name *ast.Ident, docs ...*ast.CommentGroup) {
		if !name.IsExported() {
			return
		}
		for _, doc := range docs {
			if strings.HasPrefix(doc.Text(), name.Name+" ") {
				return
			}
		}
		t.Errorf("%s has no comment that starts with its name", name.Name)
	}
	for _, file := range parseSource(t) {
		for node := range ast.Preorder(file) {
			switch node := node.(type) {
			case *ast.GenDecl:
				for _, spec := range node.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						check(spec.Name, node.Doc, spec.Doc)
					case *ast.ValueSpec:
						check(spec.Names[0], node.Doc, spec.Doc)
					}
				}
			case *ast.FuncDecl:
				check(node.Name, node.Doc)
			case *ast.StructType:
				for _, field := range node.Fields.List {
					for _, name := range field.Names {
						check(name, field.Doc)
					}
				}
			}
		}
	}
}
