package cache

import (
	"strings"
	"unicode"
)

const (
	// reasonBytes is how much of a reason is kept.
	reasonBytes = 300
	// opaque is from how many letters and digits on a word that has both may be a key, and opaqueAny without looking further.
	opaque    = 12
	opaqueAny = 28
)

// withheld stands for the reason of a secret resource: Envoy quotes what it refuses.
const withheld = "rejected by Envoy; its message is withheld because the resource holds credentials"

// redact makes a reason that may be shown. Nothing is kept of what Envoy says about a resource with credentials; of the rest, words that look
// like keys are masked, and it is cut short.
func redact(reason string, e *Entry) string {
	if e.Secret {
		return withheld
	}
	var b strings.Builder
	rest := strings.ToValidUTF8(reason, "?")
	for rest != "" && b.Len() < reasonBytes {
		end := strings.IndexFunc(rest, func(r rune) bool { return !wordly(r) })
		if end < 0 {
			end = len(rest)
		}
		b.WriteString(mask(rest[:end], e.Name))
		if rest = rest[end:]; rest == "" {
			break
		}
		between := strings.IndexFunc(rest, wordly)
		if between < 0 {
			between = len(rest)
		}
		b.WriteString(strings.Map(printable, rest[:between]))
		rest = rest[between:]
	}
	text := b.String()
	if len(text) > reasonBytes {
		text = strings.ToValidUTF8(text[:reasonBytes], "") + "…"
	}
	if strings.TrimSpace(text) == "" {
		return "rejected by Envoy without a reason"
	}
	return text
}

// wordly are the characters of base64, of its URL form, and of hexadecimal.
func wordly(r rune) bool {
	return r == '+' || r == '/' || r == '=' || r == '-' || r == '_' || r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

func mask(word, name string) string {
	if len(word) < opaque || strings.Contains(name, word) {
		return word
	}
	if len(word) >= opaqueAny || strings.ContainsAny(word, "0123456789+=") {
		return "…"
	}
	return word
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return ' '
}
