// Package archtest holds the architecture's walls: which room may import which, where heavy dependencies enter, and the
// mechanical rules of the house style. The table in rooms.go is the diagram of docs/architecture.md.
package archtest

import (
	"cmp"
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A Violation is one broken rule.
type Violation struct {
	Where string // file, or package folder
	Rule  string // which rule, in words
	What  string // what was found
}

// String renders the violation for a person.
func (v Violation) String() string { return fmt.Sprintf("%s: %s (%s)", v.Where, v.What, v.Rule) }

// Check holds every file of the tree against the table, the doors and the mechanical rules.
func Check(tree *Tree) []Violation {
	var found []Violation
	for _, f := range tree.Files {
		found = append(found, imports(tree.Module, f)...)
		found = append(found, mechanics(f)...)
	}
	found = append(found, packages(tree)...)
	slices.SortFunc(found, func(a, b Violation) int {
		return cmp.Or(cmp.Compare(a.Where, b.Where), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.What, b.What))
	})
	return found
}

// imports holds one file's imports against the rooms and the doors.
func imports(module string, f *File) []Violation {
	room, ok := roomOf(f.Dir())
	if !ok {
		return []Violation{{f.Path, "every package belongs to a room", "no row of the table claims " + f.Dir()}}
	}
	var found []Violation
	for _, spec := range f.Syntax.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has accepted it, so this cannot be
		}
		if ours, ok := strings.CutPrefix(imported, module+"/"); ok {
			if !f.Test && !mayImport(room, path.Base(f.Path), ours) {
				found = append(found, Violation{f.Path, "import table", fmt.Sprintf("%s (%s) imports %s", room.Path, room.Kind, ours)})
			}
			continue
		}
		found = append(found, throughDoor(f, imported)...)
		if room.Kind == Rule && !f.Test && impure(imported) {
			found = append(found, Violation{f.Path, "rules touch nothing", "imports " + imported})
		}
	}
	return found
}

// mayImport says whether a file of the room may import our package.
func mayImport(from Room, file, ours string) bool {
	to, ok := roomOf(ours)
	if !ok {
		return false
	}
	if sameRoom(from, to, ours) {
		return true
	}
	switch {
	case to.Kind == Wiring || from.Kind == Words:
		return false
	case to.Kind == Words:
		return true
	case to.Kind == Leaf:
		return from.Kind != Rule
	case strings.HasPrefix(to.Path, "internal/"): // a leaf that is itself held to the rules' walls
		return true
	}
	return slices.ContainsFunc(append(slices.Clone(from.May), from.MayIn[file]...), func(entry string) bool { return matches(entry, ours) })
}

// sameRoom reports whether our package lies in the room that imports it; the children of a starred room are rooms apart.
func sameRoom(from, to Room, ours string) bool {
	return from.Path == to.Path && (from.name == "" || ours == from.name || strings.HasPrefix(ours, from.name+"/"))
}

// matches holds a May entry against a package folder.
func matches(entry, ours string) bool {
	if entry == "..." {
		return true
	}
	if prefix, ok := strings.CutSuffix(entry, "/..."); ok {
		return strings.HasPrefix(ours, prefix+"/")
	}
	room, ok := roomOf(ours)
	return ok && (room.Path == entry || room.name == entry)
}

// throughDoor reports a heavy dependency that comes in elsewhere than through its door.
func throughDoor(f *File, imported string) []Violation {
	for _, door := range Doors() {
		if imported != door.Import && !strings.HasPrefix(imported, door.Import+"/") {
			continue
		}
		open := f.Test && door.Tests || slices.ContainsFunc(door.Rooms, func(entry string) bool { return matches(entry, f.Dir()) })
		if !open {
			return []Violation{{f.Path, "heavy dependencies have one door", fmt.Sprintf("imports %s; only %s may", imported, strings.Join(door.Rooms, ", "))}}
		}
	}
	return nil
}

// impure reports whether a rule must not import the package: it would touch the world, the clock or chance.
func impure(imported string) bool {
	switch imported {
	case "net/netip", "net/url":
		return false
	case "context", "net", "os", "log", "syscall", "crypto/rand", "math/rand", "math/rand/v2", "io/fs", "io/ioutil", "unsafe":
		return true
	}
	for _, prefix := range []string{"net/", "os/", "log/", "google.golang.org/grpc", "k8s.io/client-go", "sigs.k8s.io/controller-runtime", "golang.org/x/sys"} {
		if strings.HasPrefix(imported, prefix) {
			return true
		}
	}
	return false
}

// A claimed room: the row, and for a starred row the child folder that it stands for.
func roomOf(dir string) (Room, bool) {
	var best Room
	length := -1
	for _, room := range Rooms() {
		prefix, starred := strings.CutSuffix(room.Path, "/*")
		name := ""
		switch {
		case starred && strings.HasPrefix(dir, prefix+"/"):
			child, _, _ := strings.Cut(strings.TrimPrefix(dir, prefix+"/"), "/")
			name = prefix + "/" + child
		case !starred && (dir == room.Path || strings.HasPrefix(dir, room.Path+"/")):
		default:
			continue
		}
		// A row with the full name wins over the starred one, which is shorter.
		if len(prefix) > length {
			best, length = room, len(prefix)
			best.name = name
		}
	}
	return best, length >= 0
}

// packages holds what belongs to whole packages: names and comments.
func packages(tree *Tree) []Violation {
	var found []Violation
	documented := map[string]bool{}
	for _, f := range tree.Files {
		if !f.Test {
			documented[f.Dir()] = documented[f.Dir()] || hasText(f.Syntax.Doc)
		}
	}
	for dir, ok := range documented {
		if !ok {
			found = append(found, Violation{dir, "every package says what it promises", "no package comment"})
		}
		if name := path.Base(dir); slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "base", "misc", "types", "manager"}, name) {
			found = append(found, Violation{dir, "packages are named after the thing", "the name " + name + " says nothing"})
		}
	}
	return found
}

func hasText(doc *ast.CommentGroup) bool { return doc != nil && strings.TrimSpace(doc.Text()) != "" }
