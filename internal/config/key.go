package config

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"
)

// A key declares one key of the file: its name, the variable that its value lands in, and what people must know about it. Blocks of the
// configuration list their keys in a method keys; reading, suggestions and the reference page all go through these lists.
type key struct {
	name     string
	what     string // kind of value in words
	entry    string // the same for an entry, where the value is a list or a block of anything
	example  string // as one writes it
	meaning  string
	fallback string // what holds without the key, where show does not say it
	only     []Mode // modes that have the key; nil means those of the block around it
	secret   bool
	block    []key // keys of a block, or of each entry of a list of blocks

	read func(r *reader, k key, at string, n *yaml.Node)
	show func() string // the variable's value as one writes it; empty for none
}

// means says what the key is for, in one line of the reference.
func (k key) means(meaning string) key { k.meaning = meaning; return k }

// in restricts the key to some modes.
func (k key) in(modes ...Mode) key { k.only = modes; return k }

// hidden marks a secret: its value is never repeated.
func (k key) hidden() key { k.secret = true; return k }

// like gives an example where that of the kind says too little.
func (k key) like(example string) key { k.example = example; return k }

// otherwise says what holds when the key is absent and that is no constant.
func (k key) otherwise(fallback string) key { k.fallback = fallback; return k }

// scalar is a key with one value. Parse tells whether the node is such a value.
func scalar[T any](k key, to *T, parse func(n *yaml.Node) (T, bool), show func(T) string) key {
	k.read = func(r *reader, k key, at string, n *yaml.Node) {
		if n.Kind == yaml.ScalarNode {
			if v, ok := parse(n); ok {
				*to = v
				return
			}
		}
		r.wrong(k, at, n)
	}
	k.show = func() string { return show(*to) }
	return k
}

// text takes any scalar as it is written: the original reads domainID: 123 as text too.
func text(name string, to *string) key {
	return scalar(key{name: name, what: "text", example: "text"}, to, textOf, func(s string) string { return s })
}

func textOf(n *yaml.Node) (string, bool) {
	return n.Value, n.Kind == yaml.ScalarNode && n.Value != "" && n.ShortTag() != "!!binary"
}

// choice takes one of some words in any case and keeps it as declared.
func choice[T ~string](name string, to *T, words ...T) key {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = string(w)
	}
	k := key{name: name, what: "one of " + strings.Join(all, ", "), example: all[0]}
	parse := func(n *yaml.Node) (T, bool) {
		i := slices.IndexFunc(all, func(w string) bool { return strings.EqualFold(w, n.Value) })
		if i < 0 {
			return "", false
		}
		return words[i], true
	}
	return scalar(k, to, parse, func(w T) string { return string(w) })
}

// flag takes true and false, and what the original takes for them.
func flag(name string, to *bool) key {
	parse := func(n *yaml.Node) (bool, bool) {
		switch strings.ToLower(n.Value) {
		case "true", "yes", "y", "on":
			return true, true
		case "false", "no", "n", "off":
			return false, true
		}
		return false, false
	}
	return scalar(key{name: name, what: "true or false", example: "true"}, to, parse, strconv.FormatBool)
}

// number takes a whole number from least to most.
func number(name string, to *int, least, most int) key {
	what := fmt.Sprintf("a whole number from %d", least)
	if most < math.MaxInt32 {
		what += fmt.Sprintf(" to %d", most)
	}
	return scalar(key{name: name, what: what, example: strconv.Itoa(max(least, 10))}, to, wholeBetween(least, most), shownInt)
}

func port(name string, to *int) key {
	return scalar(key{name: name, what: "a port from 1 to 65535", example: "8082"}, to, wholeBetween(1, math.MaxUint16), shownInt)
}

func shownInt(i int) string {
	if i == 0 {
		return ""
	}
	return strconv.Itoa(i)
}

func wholeBetween(least, most int) func(n *yaml.Node) (int, bool) {
	return func(n *yaml.Node) (int, bool) {
		f, ok := numberOf(n)
		return int(f), ok && f == math.Trunc(f) && f >= float64(least) && f <= float64(most)
	}
}

// numberOf reads what YAML calls a number, in any of its notations. Digits in quotes are text, here as in the original.
func numberOf(n *yaml.Node) (float64, bool) {
	digits := strings.ReplaceAll(n.Value, "_", "")
	switch n.ShortTag() {
	case "!!int":
		i, err := strconv.ParseInt(digits, 0, 64)
		return float64(i), err == nil
	case "!!float":
		f, err := strconv.ParseFloat(digits, 64)
		return f, err == nil
	}
	return 0, false
}

// span takes a length of time as a number of units, which the key's name or meaning tells.
func span(name string, to *time.Duration, unit time.Duration) key {
	words := map[time.Duration]string{time.Second: "seconds", time.Hour: "hours"}
	k := key{name: name, what: "a whole number of " + words[unit], example: "30"}
	parse := func(n *yaml.Node) (time.Duration, bool) {
		i, ok := wholeBetween(0, math.MaxInt32)(n)
		return time.Duration(i) * unit, ok && int64(i) <= math.MaxInt64/int64(unit)
	}
	return scalar(k, to, parse, func(d time.Duration) string { return strconv.Itoa(int(d / unit)) })
}

// quantity takes an amount as Kubernetes writes it.
func quantity(name string, to *resource.Quantity) key {
	parse := func(n *yaml.Node) (resource.Quantity, bool) {
		q, err := resource.ParseQuantity(n.Value)
		return q, err == nil && q.Sign() >= 0
	}
	show := func(q resource.Quantity) string {
		if q.IsZero() {
			return ""
		}
		return q.String()
	}
	return scalar(key{name: name, what: "a quantity", example: "8Gi"}, to, parse, show)
}

// realNumber takes any number from zero.
func realNumber(name string, to *float64) key {
	parse := func(n *yaml.Node) (float64, bool) {
		f, ok := numberOf(n)
		return f, ok && f >= 0 && !math.IsInf(f, 0)
	}
	show := func(f float64) string {
		if f == 0 {
			return ""
		}
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return scalar(key{name: name, what: "a number", example: "50"}, to, parse, show)
}

// address takes an IP address with a port.
func address(name string, to *netip.AddrPort) key {
	parse := func(n *yaml.Node) (netip.AddrPort, bool) {
		a, err := netip.ParseAddrPort(n.Value)
		return a, err == nil
	}
	return scalar(key{name: name, what: "an IP address with a port", example: "127.0.0.1:6443"}, to, parse, netip.AddrPort.String)
}

// ip takes an IP address.
func ip(name string, to *netip.Addr) key {
	parse := func(n *yaml.Node) (netip.Addr, bool) {
		a, err := netip.ParseAddr(n.Value)
		return a, err == nil && a.Zone() == ""
	}
	show := func(a netip.Addr) string {
		if !a.IsValid() {
			return ""
		}
		return a.String()
	}
	return scalar(key{name: name, what: "an IP address", example: "192.0.2.10"}, to, parse, show)
}

// texts takes a list of texts.
func texts(name string, to *[]string) key {
	return textsOf(name, to, "text", func(string) bool { return true })
}

// patterns takes a list of regular expressions (RE2).
func patterns(name string, to *[]string) key {
	valid := func(s string) bool {
		_, err := regexp.Compile(s)
		return err == nil
	}
	return textsOf(name, to, "regular expression", valid).like(`["^/api/v1/.*"]`)
}

func textsOf(name string, to *[]string, entry string, valid func(string) bool) key {
	k := key{name: name, what: "a list of " + entry + "s", entry: "a " + entry, example: "[first, second]"}
	k.read = func(r *reader, k key, at string, n *yaml.Node) {
		if n.Kind != yaml.SequenceNode {
			r.wrong(k, at, n)
			return
		}
		list := make([]string, 0, len(n.Content))
		for i, entry := range n.Content {
			s, ok := textOf(entry)
			if !ok || !valid(s) {
				r.wrongEntry(k, join(at, index(i)), entry)
				continue
			}
			list = append(list, s)
		}
		*to = list
	}
	k.show = func() string { return "" }
	return k
}

// pairs takes a block of names with texts.
func pairs(name string, to *map[string]string) key {
	k := key{name: name, what: "a block of texts", entry: "a text", example: "{name: text}"}
	k.read = func(r *reader, k key, at string, n *yaml.Node) {
		if n.Kind != yaml.MappingNode {
			r.wrong(k, at, n)
			return
		}
		all := make(map[string]string, len(n.Content)/2)
		for i := 0; i < len(n.Content); i += 2 {
			v := n.Content[i+1]
			s, ok := textOf(v)
			if !ok && (v.Kind != yaml.ScalarNode || v.Value != "" && !empty(v)) {
				r.wrongEntry(k, join(at, keyName(n, i)), v)
				continue
			}
			all[n.Content[i].Value] = s
		}
		*to = all
	}
	k.show = func() string { return "" }
	return k
}

// free takes any value and keeps it as JSON for the part that knows its shape.
func free(name string, to *json.RawMessage) key {
	k := key{name: name, what: "any value", example: "{}"}
	k.read = func(r *reader, k key, at string, n *yaml.Node) {
		raw, err := json.Marshal(tree(n))
		if err != nil {
			r.wrong(k, at, n)
			return
		}
		*to = raw
	}
	k.show = func() string { return "" }
	return k
}

// tree is a node as the values that JSON has. Keys are texts there; infinities and what else JSON lacks become texts.
func tree(n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		m := make(map[string]any, len(n.Content)/2)
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = tree(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		l := make([]any, len(n.Content))
		for i, child := range n.Content {
			l[i] = tree(child)
		}
		return l
	}
	var v any
	if err := n.Decode(&v); err != nil {
		return n.Value // a value that contradicts its own tag is the text that was written
	}
	switch v := v.(type) {
	case nil, bool, int, int64, uint64, string:
		return v
	case float64:
		if !math.IsInf(v, 0) && !math.IsNaN(v) {
			return v
		}
	}
	return n.Value
}

// group is a block of keys. Keys that the file leaves out keep their defaults, whatever else the block gives.
func group(name string, keys []key) key {
	k := key{name: name, what: "a block of keys", example: "{…}", block: keys}
	k.read = func(r *reader, k key, at string, n *yaml.Node) {
		if n.Kind != yaml.MappingNode {
			r.wrong(k, at, n)
			return
		}
		r.keys(at, n, k.block)
	}
	k.show = func() string { return "" }
	return k
}

// groups is a list of blocks of the same keys.
func groups[T any](name string, to *[]T, keys func(*T) []key) key {
	k := key{name: name, what: "a list of blocks", entry: "a block of keys", example: "[{…}]", block: keys(new(T))}
	k.read = func(r *reader, k key, at string, n *yaml.Node) {
		if n.Kind != yaml.SequenceNode {
			r.wrong(k, at, n)
			return
		}
		list := make([]T, len(n.Content))
		for i, entry := range n.Content {
			place := join(at, index(i))
			r.mark(place, entry.Line, true)
			if entry.Kind != yaml.MappingNode {
				r.wrongEntry(k, place, entry)
				continue
			}
			r.keys(place, entry, keys(&list[i]))
		}
		*to = list
	}
	k.show = func() string { return "" }
	return k
}

func index(i int) string { return "[" + strconv.Itoa(i) + "]" }
