package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds of a file. A real one has a few kilobytes and no more than a handful of aliases; without the second bound a file of a few hundred
// bytes can stand for billions of values.
const (
	maxBytes    = 1 << 20
	maxExpanded = 10_000
)

// document turns the bytes of a file into its one top mapping, in which no alias and no merge key is left. A nil root comes with a problem.
func document(file string, data []byte) (*yaml.Node, Problems) {
	fault := func(line int, reason, remedy string) (*yaml.Node, Problems) {
		return nil, Problems{{File: file, Line: line, Reason: reason, Remedy: remedy}}
	}
	if len(data) > maxBytes {
		return fault(1, fmt.Sprintf("the file has %d bytes, at most %d are read", len(data), maxBytes), "give the node's configuration file")
	}
	if line, reason := unreadable(data); reason != "" {
		return fault(line, reason, "save the file as plain text in UTF-8")
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return fault(1, "the file is empty", remedyEmpty)
	case err != nil:
		return fault(syntax(string(data), err))
	}
	switch err := dec.Decode(&next); {
	case err != nil && !errors.Is(err, io.EOF):
		return fault(syntax(string(data), err))
	case err == nil && !empty(next.Content[0]):
		return fault(next.Content[0].Line, "a second document starts here", "keep one document in the file: remove the line --- and what follows it")
	}
	root := doc.Content[0]
	switch {
	case empty(root):
		return fault(1, "the file is empty", remedyEmpty)
	case root.Kind != yaml.MappingNode:
		return fault(root.Line, "found "+kindOf(root)+", want keys with values", `write for example "mode: autonomy"`)
	}
	e := expander{file: file, active: map[*yaml.Node]bool{}}
	e.expand(root, nil)
	if e.broken {
		root = nil
	}
	return root, e.problems
}

const remedyEmpty = "write one with: entente init"

func empty(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// unreadable finds the first byte that is no text. The YAML library sees it too, but does not say where.
func unreadable(data []byte) (line int, reason string) {
	line = 1
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return line, "the text is not UTF-8 here"
		case !printable(r) && !(r == bom && i == 0):
			return line, fmt.Sprintf("found the control character %U", r)
		case r == '\n', r == '\r' && (i+1 == len(data) || data[i+1] != '\n'):
			line++
		}
		i += size
	}
	return 0, ""
}

const bom = '\uFEFF'

// printable tells what YAML 1.1 section 5.1 allows in a file.
func printable(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == '\r', r == 0x85, r >= ' ' && r <= '~':
		return true
	}
	return r >= 0xA0 && r != bom && r != 0xFFFE && r != 0xFFFF
}

var (
	syntaxLine   = regexp.MustCompile(`^yaml: line (\d+): (.*)$`)
	syntaxAnchor = regexp.MustCompile(`^yaml: unknown anchor '(.*)' referenced$`)
)

// syntax reads the YAML library's error. Its texts are constants but for an anchor's name, which may be a password that begins with an
// asterisk and so is left out.
func syntax(text string, err error) (line int, reason, remedy string) {
	if m := syntaxAnchor.FindStringSubmatch(err.Error()); m != nil {
		at := max(0, strings.Index(text, "*"+m[1]))
		return 1 + strings.Count(text[:at], "\n"), "a value begins with * but names no anchor", "put the value in quotes"
	}
	line, reason = 1, strings.TrimPrefix(err.Error(), "yaml: ")
	if m := syntaxLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ = strconv.Atoi(m[1]) // digits by the pattern
		reason = m[2]
	}
	remedy = "check indentation, colons and quotes on this line and the one before"
	lines := strings.Split(text, "\n")
	for _, l := range []int{line, line + 1} {
		if l <= len(lines) && strings.Contains(indent(lines[l-1]), "\t") {
			return l, "the line is indented with a tab", "indent with spaces"
		}
	}
	return line, "no valid YAML: " + reason, remedy
}

func indent(line string) string { return line[:len(line)-len(strings.TrimLeft(line, " \t"))] }

// kindOf is a value's kind in words, without the value.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a block of keys"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "nothing"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	}
	return "text"
}
