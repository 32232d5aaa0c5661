package archtest

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strings"
)

// A ban forbids one selector, such as time.Sleep, in some files.
type ban struct {
	pkg, name string
	rule      string
	applies   func(Room, *File) bool
}

func inRules(r Room, f *File) bool   { return r.Kind == Rule && !f.Test }
func inTests(_ Room, f *File) bool   { return f.Test }
func notWiring(r Room, f *File) bool { return r.Kind != Wiring && !f.Test }
func bans() []ban {
	const clock, sleep, exits, background = "rules never ask the clock", "tests never sleep on the real clock", "only cmd exits", "contexts are born in cmd and tests"
	return []ban{
		{"time", "Now", clock, inRules},
		{"time", "Since", clock, inRules},
		{"time", "Until", clock, inRules},
		{"time", "After", clock, inRules},
		{"time", "AfterFunc", clock, inRules},
		{"time", "Sleep", clock, inRules},
		{"time", "Tick", clock, inRules},
		{"time", "NewTimer", clock, inRules},
		{"time", "NewTicker", clock, inRules},
		{"time", "Sleep", sleep, inTests},
		{"os", "Exit", exits, notWiring},
		{"log", "Fatal", exits, notWiring},
		{"log", "Fatalf", exits, notWiring},
		{"context", "Background", background, notWiring},
		{"context", "TODO", background, notWiring},
	}
}

// exempt lists the few places where a ban must be broken, each with its reason.
var exempt = map[string]string{
	"dns/setup.go":           "CoreDNS calls it, and has no contexts to give",
	"internal/lab/holder.go": "it holds the context of a process of its own, re-executed by lab.Init",
	"internal/lab/lab.go":    "the re-executed holder of a lab's namespaces is a command of its own: nobody is left to return to",
}

var (
	plainNolint = regexp.MustCompile(`^//\s*nolint`)
	goodNolint  = regexp.MustCompile(`^//nolint:[a-z0-9,]+ // \S`)
	todo        = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)
	goodTodo    = regexp.MustCompile(`\b(TODO|FIXME)\(#[0-9]+\)`)
)

// mechanics holds one file against the rules that a program can check.
func mechanics(f *File) []Violation {
	room, ok := roomOf(f.Dir())
	if !ok || f.Generated {
		return nil
	}
	found := comments(f)
	names := importNames(f.Syntax)
	synctest := slices.ContainsFunc(f.Syntax.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"testing/synctest"` })
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Recv == nil && n.Name.Name == "init" && room.Kind != Wiring && room.Path != "dns" {
				found = append(found, f.violation(n, "no init", "func init"))
			}
		case *ast.SelectorExpr:
			pkg, ok := n.X.(*ast.Ident)
			if !ok {
				break
			}
			for _, b := range bans() {
				if names[pkg.Name] == b.pkg && n.Sel.Name == b.name && b.applies(room, f) && exempt[f.Path] == "" && !(f.Test && b.name == "Sleep" && synctest) {
					found = append(found, f.violation(n, b.rule, b.pkg+"."+b.name))
				}
			}
		}
		return true
	})
	return found
}

// comments holds the comments of one file against the rules for suppressions and to-dos.
func comments(f *File) []Violation {
	var found []Violation
	for _, group := range f.Syntax.Comments {
		for _, c := range group.List {
			if plainNolint.MatchString(c.Text) && !goodNolint.MatchString(c.Text) {
				found = append(found, f.violation(c, "a suppression names its check and its reason", c.Text))
			}
			if todo.MatchString(c.Text) && !goodTodo.MatchString(c.Text) && !strings.HasPrefix(f.Path, "internal/archtest/") {
				found = append(found, f.violation(c, "a TODO names an issue", c.Text))
			}
		}
	}
	return found
}

// importNames maps the names that a file uses for its imports to their paths.
func importNames(file *ast.File) map[string]string {
	names := map[string]string{}
	for _, spec := range file.Imports {
		p := strings.Trim(spec.Path.Value, `"`)
		name := p[strings.LastIndex(p, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = p
	}
	return names
}

func (f *File) violation(n ast.Node, rule, what string) Violation {
	return Violation{Where: fmt.Sprintf("%s:%d", f.Path, f.Positions.Position(n.Pos()).Line), Rule: rule, What: what}
}
