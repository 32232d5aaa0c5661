package mesh

import (
	"strconv"

	"github.com/entente-mesh/entente/internal/live"
)

// A review collects what is wrong with one object while it is read.
type review struct {
	ref      live.Ref
	problems []*Problem
	refused  bool // the object must be left out
}

// fault notes what is wrong with a field that the rest of the object can do without.
func (r *review) fault(field, reason, remedy string) {
	r.problems = append(r.problems, &Problem{Object: r.ref, Field: field, Reason: reason, Remedy: remedy})
}

// refuse notes what is wrong with a field without which the object must be left out.
func (r *review) refuse(field, reason, remedy string) {
	r.fault(field, reason, remedy)
	r.refused = true
}

// close gives all problems the version of the object that they speak of: that of its piece, or, when it was left out, one of their own.
func (r *review) close(version string) []*Problem {
	if version == "" && len(r.problems) > 0 {
		var e encoding
		for _, p := range r.problems {
			e.text(p.Field, p.Reason, p.Remedy)
		}
		version = hash(e.bytes)
	}
	for _, p := range r.problems {
		p.Object.Version = version
	}
	return r.problems
}

// quote shows foreign text in a problem without letting a hostile one fill the object's status.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "…"
	}
	return strconv.QuoteToASCII(s)
}

// annotation is the field of an annotation.
func annotation(key string) string { return "metadata.annotations[" + key + "]" }

// label is the field of a label.
func label(key string) string { return "metadata.labels[" + key + "]" }

// item is one place of a list.
func item(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }
