package mesh

// A Secret is text that must not be printed. Secrets compare like strings.
type Secret struct{ text string }

// Hide makes a Secret.
func Hide(text string) Secret { return Secret{text} }

// Reveal gives the text, for the one place where it is needed.
func (s Secret) Reveal() string { return s.text }

// Empty says that there is no text.
func (s Secret) Empty() bool { return s.text == "" }

// redacted is what everybody else sees.
const redacted = "[redacted]"

// String hides the text.
func (Secret) String() string { return redacted }

// GoString hides the text.
func (Secret) GoString() string { return redacted }

// MarshalText hides the text.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
