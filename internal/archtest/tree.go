package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strings"
)

// A Tree is the parsed source of one module, whatever its build tags.
type Tree struct {
	Module string
	Files  []*File
}

// A File is one Go file.
type File struct {
	Path      string // below the module's root, with slashes
	Test      bool
	Generated bool
	Syntax    *ast.File
	Positions *token.FileSet
}

// Dir returns the package's folder below the module's root.
func (f *File) Dir() string { return path.Dir(f.Path) }

// Parse reads every Go file of the tree. Nested modules, testdata and hidden folders are left out.
func Parse(module string, root fs.FS) (*Tree, error) {
	tree := &Tree{Module: module}
	positions := token.NewFileSet()
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return skip(root, name)
		case !strings.HasSuffix(name, ".go"):
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		syntax, err := parser.ParseFile(positions, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return fmt.Errorf("parse %s: %w", name, err)
		}
		tree.Files = append(tree.Files, &File{
			Path: name, Test: strings.HasSuffix(name, "_test.go"), Generated: ast.IsGenerated(syntax), Syntax: syntax, Positions: positions,
		})
		return nil
	})
	return tree, err
}

// skip ends the walk below folders that are not part of the module's packages.
func skip(root fs.FS, name string) error {
	base := path.Base(name)
	if name != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "bin") {
		return fs.SkipDir
	}
	if name == "." {
		return nil
	}
	if _, err := fs.Stat(root, path.Join(name, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}
