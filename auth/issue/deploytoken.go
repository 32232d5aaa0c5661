package issue

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
)

// A DeployToken lets a new node of a domain register once. However it is printed, logged or marshaled, it shows nothing of itself;
// [DeployToken.Text] tells it. The zero value is none.
type DeployToken struct{ text string }

const (
	// deployTokenSize is what partners' scripts and pages expect.
	deployTokenSize = 32
	// deployTokenMost bounds a foreign one.
	deployTokenMost = 128
	// deployTokenLetters are letters and digits that nobody takes for another when copying by hand: without 0, O, 1, l and I. A token of 32
	// has 186 bits.
	deployTokenLetters = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
)

// NewDeployToken draws a deploy token of 32 characters from a secure source.
func NewDeployToken(rand io.Reader) (DeployToken, error) {
	// Bytes from fair on are drawn again: without that the first letters would come more often.
	const fair = 256 / len(deployTokenLetters) * len(deployTokenLetters)
	text := make([]byte, 0, deployTokenSize)
	for buf := make([]byte, deployTokenSize); len(text) < deployTokenSize; {
		if _, err := io.ReadFull(rand, buf); err != nil {
			return DeployToken{}, fmt.Errorf("draw a deploy token: %w", err)
		}
		for _, b := range buf {
			if int(b) < fair && len(text) < deployTokenSize {
				text = append(text, deployTokenLetters[int(b)%len(deployTokenLetters)])
			}
		}
	}
	return DeployToken{string(text)}, nil
}

// ParseDeployToken takes a deploy token from text that a master or its user gave: 1 to 128 visible ASCII characters, since a control plane
// of the original chooses others than ours does.
func ParseDeployToken(text string) (DeployToken, error) {
	const remedy = "copy the unused token from the domain's status.deployTokenStatuses"
	if text == "" || len(text) > deployTokenMost {
		return DeployToken{}, &Error{fmt.Sprintf("the deploy token has %d characters", len(text)), remedy}
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return DeployToken{}, &Error{fmt.Sprintf("character %d of the deploy token is neither letter, digit nor sign", i+1), remedy}
		}
	}
	return DeployToken{text}, nil
}

// Text is the token itself.
func (t DeployToken) Text() string { return t.text }

// IsZero says whether there is no token.
func (t DeployToken) IsZero() bool { return t.text == "" }

// Equal compares in a time that tells neither characters nor length. No token equals none, not even another missing one.
func (t DeployToken) Equal(other DeployToken) bool {
	a, b := sha256.Sum256([]byte(t.text)), sha256.Sum256([]byte(other.text))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && t.text != ""
}

// String does not tell the token.
func (t DeployToken) String() string {
	if t.IsZero() {
		return "none"
	}
	return "[redacted]"
}

// GoString does not tell the token.
func (t DeployToken) GoString() string { return t.String() }

// Format does not tell the token, whatever the verb.
func (t DeployToken) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, t.String()) // Formatter has no way to report it, and fmt's writers do not fail
}

// MarshalText does not tell the token. It also keeps it out of JSON, YAML and structured logs.
func (t DeployToken) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
