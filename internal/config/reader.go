package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxProblems bounds what is reported of one file: who makes more mistakes has given the wrong file.
const maxProblems = 50

// maxShown bounds how much of a wrong value a problem repeats.
const maxShown = 40

// A reader walks the file's keys beside the declared ones and collects what does not fit.
type reader struct {
	file     string
	mode     Mode // empty while unknown: then every key counts
	paths    []string
	places   map[string]spot
	problems Problems
	warnings Problems
}

// A spot is where a key stands in the file.
type spot struct {
	line  int
	given bool // false for a key without a value, which counts as absent
}

// keys reads a mapping against the keys that it may have.
func (r *reader) keys(at string, n *yaml.Node, known []key) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, v := n.Content[i], n.Content[i+1]
		j := slices.IndexFunc(known, func(k key) bool { return k.name == name.Value })
		if j < 0 {
			r.unknown(at, n, i, known)
			continue
		}
		k, path := known[j], join(at, known[j].name)
		given := !empty(v) && !(v.Kind == yaml.ScalarNode && v.Value == "")
		r.mark(path, name.Line, given)
		switch {
		case !given:
		case r.mode != "" && k.only != nil && !slices.Contains(k.only, r.mode):
			r.warn(path, fmt.Sprintf("no effect in mode %s, only in %s", r.mode, modeList(k.only)), "remove it")
		default:
			k.read(r, k, path, v)
		}
	}
}

func (r *reader) mark(path string, line int, given bool) { r.places[path] = spot{line, given} }

// given tells whether the file gives a value for the key.
func (r *reader) given(path string) bool { return r.places[path].given }

func (r *reader) fault(line int, path, reason, remedy string) {
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems, Problem{File: r.file, Line: line, Path: path, Reason: reason, Remedy: remedy})
	}
}

// mistake reports a problem with a key, or with the block in which it is missing.
func (r *reader) mistake(path, reason, remedy string) {
	r.fault(lineOf(r.places, path), path, reason, remedy)
}

func (r *reader) warn(path, reason, remedy string) {
	if len(r.warnings) < maxProblems {
		r.warnings = append(r.warnings, Problem{File: r.file, Line: lineOf(r.places, path), Path: path, Reason: reason, Remedy: remedy})
	}
}

// lineOf is the line of the key, else that of the closest block around it that is in the file, else the first.
func lineOf(places map[string]spot, path string) int {
	for path != "" {
		if s, ok := places[path]; ok {
			return s.line
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return 1
}

// wrong reports a value that is not what its key takes.
func (r *reader) wrong(k key, at string, n *yaml.Node) {
	remedy := fmt.Sprintf("write for example %q", k.name+": "+k.example)
	if words, ok := strings.CutPrefix(k.what, "one of "); ok && n.Kind == yaml.ScalarNode {
		if near := nearest(n.Value, strings.Split(words, ", ")); near != "" {
			remedy = fmt.Sprintf("did you mean %q?", near)
		}
	}
	r.fault(n.Line, at, "found "+shown(n, k.secret)+", want "+k.what, remedy)
}

// wrongEntry is wrong for an entry of the key's list or block.
func (r *reader) wrongEntry(k key, at string, n *yaml.Node) {
	k.what = k.entry
	r.wrong(k, at, n)
}

// shown is a value as a problem may repeat it: never a secret, never much.
func shown(n *yaml.Node, secret bool) string {
	if secret || n.Kind != yaml.ScalarNode || empty(n) {
		return kindOf(n)
	}
	v := n.Value
	if utf8.RuneCountInString(v) > maxShown {
		v = string([]rune(v)[:maxShown]) + "…"
	}
	if n.ShortTag() == "!!str" {
		return strconv.Quote(v)
	}
	return v
}

// unknown reports the key at n.Content[i], with the key that was meant: one that is nearly the same here, or the same elsewhere.
func (r *reader) unknown(at string, n *yaml.Node, i int, known []key) {
	if len(r.problems) >= maxProblems {
		return
	}
	names := make([]string, len(known))
	for j, k := range known {
		names[j] = k.name
	}
	word := n.Content[i].Value
	remedy := "remove it; docs/reference/config.md lists all keys"
	if near := nearest(word, names); near != "" {
		remedy = fmt.Sprintf("did you mean %q?", near)
	} else if elsewhere := r.elsewhere(word); elsewhere != "" {
		remedy = fmt.Sprintf("did you mean %q?", elsewhere)
	} else if len(names) <= 10 {
		remedy = "the keys here are " + strings.Join(names, ", ")
	}
	r.fault(n.Content[i].Line, join(at, keyName(n, i)), "unknown key", remedy)
}

// elsewhere is the only key of that name in another block, where a wrong indentation may have taken it from.
func (r *reader) elsewhere(word string) string {
	found := ""
	for _, path := range r.paths {
		if strings.EqualFold(path[strings.LastIndex(path, ".")+1:], word) {
			if found != "" {
				return ""
			}
			found = path
		}
	}
	return found
}
