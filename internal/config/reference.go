package config

import (
	"fmt"
	"strings"
)

// Reference is the page docs/reference/config.md: every key with its kind of value, its modes, its default and its meaning. It is made from
// the declarations that [Parse] reads by.
func Reference() string {
	var b strings.Builder
	b.WriteString(`# Configuration file

` + "`entente start -c FILE`" + ` reads one YAML file. It is the original's ` + "`kuscia.yaml`" + `: an existing file loads unchanged.

- A key that is not on this page is an error, and so is a value of another kind; all mistakes are reported at once, one a line.
- A key that has no effect in the file's mode is reported as a warning.
- A key without a value (` + "`key:`" + ` or ` + "`key: \"\"`" + `) counts as absent.
- A block that is given in part keeps the defaults of the rest.
- Words such as modes and protocols may be written in any case.
- Anchors, aliases and merge keys work; the file has at most 1 MiB and one document.

This page is generated from the source; do not edit it.

## Top of the file

`)
	keys := defaults().keys()
	var top []key
	for _, k := range keys {
		if k.block == nil {
			top = append(top, k)
		}
	}
	table(&b, "", top, nil)
	for _, k := range keys {
		if k.block != nil {
			fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", k.name, k.meaning)
			table(&b, k.name, k.block, k.only)
		}
	}
	return b.String()
}

func table(b *strings.Builder, at string, keys []key, modes []Mode) {
	b.WriteString("| key | value | modes | default | meaning |\n|---|---|---|---|---|\n")
	walk(at, keys, modes, func(path string, k key, modes []Mode) {
		who := "all"
		if modes != nil {
			who = modeList(modes)
		}
		meaning := k.meaning
		if k.secret {
			meaning += " Secret."
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", path, k.what, who, k.preset(), meaning)
	})
}

// preset is what holds without the key, as the page shows it.
func (k key) preset() string {
	if k.fallback != "" {
		return k.fallback
	}
	if v := k.show(); v != "" {
		return "`" + v + "`"
	}
	return "–"
}

// walk visits keys and, after each block, the keys in it, with the modes that have them; nil means all.
func walk(at string, keys []key, modes []Mode, visit func(path string, k key, modes []Mode)) {
	for _, k := range keys {
		path, own := join(at, k.name), modes
		if k.only != nil {
			own = k.only
		}
		visit(path, k, own)
		if k.block != nil && k.entry != "" {
			path += "[]"
		}
		walk(path, k.block, own, visit)
	}
}

// paths are the paths of all keys, with [] for each list on the way.
func paths(at string, keys []key) []string {
	var all []string
	walk(at, keys, nil, func(path string, _ key, _ []Mode) { all = append(all, path) })
	return all
}
