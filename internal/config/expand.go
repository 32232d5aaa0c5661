package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// An expander replaces aliases by what they stand for and merge keys by what they add, and finds what no mapping may hold.
type expander struct {
	file     string
	problems Problems
	active   map[*yaml.Node]bool // anchors that are being expanded
	inside   int                 // how many aliases are being expanded
	expanded int                 // nodes seen through aliases
	broken   bool                // the tree cannot be walked
}

// A place is where a node stands; it becomes text only for a problem, since a hostile file may be thousands of levels deep.
type place struct {
	up   *place
	step string
}

func (p *place) String() string {
	if p == nil {
		return ""
	}
	return join(p.up.String(), p.step)
}

// join puts a key or an [index] after a path.
func join(path, step string) string {
	if path == "" || strings.HasPrefix(step, "[") {
		return path + step
	}
	return path + "." + step
}

func (e *expander) fault(n *yaml.Node, at *place, reason, remedy string) {
	if len(e.problems) < maxProblems {
		e.problems = append(e.problems, Problem{File: e.file, Line: n.Line, Path: at.String(), Reason: reason, Remedy: remedy})
	}
}

func (e *expander) expand(n *yaml.Node, at *place) {
	if e.broken {
		return
	}
	if e.inside > 0 {
		if e.expanded++; e.expanded > maxExpanded {
			e.broken = true
			e.fault(n, at, fmt.Sprintf("aliases stand for more than %d values", maxExpanded), "write the values out")
			return
		}
	}
	e.active[n] = true
	for i, child := range n.Content {
		n.Content[i] = e.resolve(child, &place{at, step(n, i)})
	}
	delete(e.active, n)
	if n.Kind == yaml.MappingNode && !e.broken {
		e.mapping(n, at)
	}
}

// step names the i-th node within n. A node of a mapping has the name of its key.
func step(n *yaml.Node, i int) string {
	if n.Kind == yaml.MappingNode {
		return keyName(n, i/2*2)
	}
	return "[" + strconv.Itoa(i) + "]"
}

// keyWord is what a key looks like, those of labels included.
var keyWord = regexp.MustCompile(`^[A-Za-z_<][A-Za-z0-9_./<-]{0,63}$`)

// keyName is the key at n.Content[i] as problems may show it. A password with a comma in {user: a, password: b,c} becomes a key without a
// value, so such a key, and what does not look like one, is not shown.
func keyName(n *yaml.Node, i int) string {
	k, v := n.Content[i], n.Content[i+1]
	if !keyWord.MatchString(k.Value) || n.Style&yaml.FlowStyle != 0 && empty(v) {
		return "?"
	}
	return k.Value
}

// resolve expands a child and gives the node to put in its place.
func (e *expander) resolve(n *yaml.Node, at *place) *yaml.Node {
	if n.Kind != yaml.AliasNode {
		e.expand(n, at)
		return n
	}
	if e.active[n.Alias] {
		e.broken = true
		e.fault(n, at, "an anchor contains itself", "write the value out")
		return n
	}
	e.inside++
	e.expand(n.Alias, at)
	e.inside--
	return n.Alias
}

// mapping checks a mapping's keys and adds what its merge keys bring. A key of its own wins over a merged one, an earlier merge over a later.
func (e *expander) mapping(n *yaml.Node, at *place) {
	var own, merged []*yaml.Node
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		first, twice := seen[k.Value]
		switch {
		case k.Kind != yaml.ScalarNode || empty(k):
			e.fault(k, at, "found "+kindOf(k)+" as a key", "keys are plain words")
		case k.ShortTag() == "!!merge":
			merged = append(merged, e.merges(v, at)...)
		case twice:
			e.fault(k, &place{at, keyName(n, i)}, fmt.Sprintf("this key is already on line %d", first), "keep one of them")
		default:
			seen[k.Value] = k.Line
			own = append(own, k, v)
		}
	}
	for i := 0; i+1 < len(merged); i += 2 {
		if _, has := seen[merged[i].Value]; !has {
			seen[merged[i].Value] = merged[i].Line
			own = append(own, merged[i], merged[i+1])
		}
	}
	n.Content = own
}

func (e *expander) merges(v *yaml.Node, at *place) []*yaml.Node {
	switch {
	case v.Kind == yaml.MappingNode:
		return v.Content
	case v.Kind == yaml.SequenceNode && !slices.ContainsFunc(v.Content, func(n *yaml.Node) bool { return n.Kind != yaml.MappingNode }):
		var all []*yaml.Node
		for _, m := range v.Content {
			all = append(all, m.Content...)
		}
		return all
	}
	e.fault(v, at, "found "+kindOf(v)+" to merge", "merge a block of keys: <<: *anchor")
	return nil
}
