package publish

import (
	"strings"
	"unicode/utf8"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/translate"
)

// reasonLimit bounds a reason in an annotation, in bytes.
const reasonLimit = 512

// An object is what people see: a token is part of its route, and endpoints are part of their service.
type object struct{ kind, namespace, name string }

func objectOf(ref live.Ref) object {
	kind := ref.Kind
	switch kind {
	case live.KindCredential:
		kind = mesh.KindRoute
	case translate.KindEndpoints:
		kind = mesh.KindService
	}
	return object{kind, ref.Namespace, ref.Name}
}

// A standing is how an object stands with its gateways.
type standing struct {
	// decided says that there is something to say: something is wrong, or every connected Envoy has confirmed everything.
	decided bool
	good    bool
	// version is the content of the object that it is about; empty when nothing of it could be taken.
	version string
	reason  string // of what is wrong
}

// String is the value of names.AnnotationProgrammed: true or false, the version that it is about, and why not. It has no time in it, so that the
// same standing is the same text.
func (s standing) String() string {
	var text strings.Builder
	if s.good {
		text.WriteString("true")
	} else {
		text.WriteString("false")
	}
	if s.version != "" {
		text.WriteString(" (" + s.version + ")")
	}
	if !s.good {
		text.WriteString(": " + short(s.reason))
	}
	return text.String()
}

// short cuts a text at reasonLimit, between characters.
func short(s string) string {
	if len(s) <= reasonLimit {
		return s
	}
	end := reasonLimit
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// stands judges an object by what was published and by what the Envoys say of each part of it. A problem comes first, since it is what the owner
// can mend; then a rejection of any part. Else the object itself must be confirmed; endpoints and tokens that are on their way change nothing.
func stands(o object, p *published, verdict func(live.Ref) live.Verdict) standing {
	parts := p.parts(o)
	s := standing{}
	if len(parts) > 0 {
		s.version = parts[0].Version
	}
	if problem := p.problem(o); problem != nil {
		s.decided, s.reason = true, problem.Reason+"; "+problem.Remedy
		if problem.Field != "" {
			s.reason = problem.Field + ": " + s.reason
		}
		return s
	}
	for i, part := range parts {
		v := verdict(part)
		if v.State == live.Rejected {
			return standing{decided: true, version: s.version, reason: "gateway " + v.Gateway + " refused it: " + v.Reason}
		}
		if i == 0 && v.State == live.Confirmed {
			s.decided, s.good = true, true
		}
	}
	return s
}
