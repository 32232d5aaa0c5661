package handshake

import "fmt"

// A Heartbeat answers GET <prefix>/handshake, which is both the source's question whether its token still holds and the health check of
// its Envoy. The HTTP status is always 200. Both members are always on the wire, also when they are zero.
type Heartbeat struct {
	// Namespace is the domain that answers. A lite learns from it how its master is called.
	Namespace string `json:"namespace"`
	// State is what the domain thinks of the revision in the request's header Kuscia-Token-Revision.
	State State `json:"state"`
}

// State is a destination's verdict on a source's token, as a number on the wire. The numbers are the original's. Another number may come
// from a newer partner and must not be taken for TokenReady.
type State int

const (
	// TokenReady says that the revision is in use.
	TokenReady State = 0
	// DomainIDMissing says that neither Kuscia-Origin-Source nor Kuscia-Source named the source. A health check gets it too when a
	// gateway on the way has dropped the headers.
	DomainIDMissing State = 1
	// RevisionMissing says that Kuscia-Token-Revision was absent or no number: what a health check gets.
	RevisionMissing State = 2
	// TokenNotReady says that the revision is known but not yet accepted by every live gateway.
	TokenNotReady State = 3
	// TokenNotFound says that the revision is unknown or gone; the source then drops its token and makes a new handshake.
	TokenNotFound State = 4
	// NotAuthorized says that the destination has no route from this source; the source then drops its token and shows it.
	NotAuthorized State = 5
	// InternalError says that the destination could not look.
	InternalError State = 6
	// NetworkUnreachable never travels: the source notes it when no answer came.
	NetworkUnreachable State = 7
)

// String is for logs and conditions; the wire carries the number.
func (s State) String() string {
	switch s {
	case TokenReady:
		return "token ready"
	case DomainIDMissing:
		return "domain id missing"
	case RevisionMissing:
		return "token revision missing"
	case TokenNotReady:
		return "token not ready"
	case TokenNotFound:
		return "token not found"
	case NotAuthorized:
		return "not authorized"
	case InternalError:
		return "internal error"
	case NetworkUnreachable:
		return "network unreachable"
	}
	return fmt.Sprintf("unknown state %d", int(s))
}
