package serve

import (
	"errors"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/xds/cache"
)

// A View is what the streams of one gateway see, and where it is noted what they confirm.
type View struct {
	Resources cache.View
	Board     *live.Board
	// Done is closed when Resources will never change again, because the domain is served anew or no more: the stream ends, and its Envoy
	// asks again. Nil is never.
	Done    <-chan struct{}
	Release func() // called once, when the stream has ended; may be nil
}

// Views knows the domains that are served.
type Views interface {
	// Open returns what a gateway of a domain sees. It is called once for each stream, by many goroutines. For a domain or a gateway that is
	// not served it returns an error that wraps ErrUnknown and says, for the one who runs the Envoy, what is missing.
	Open(domain, gateway string) (View, error)
}

// ErrUnknown is wrapped by the errors of Views.Open for what is not served.
var ErrUnknown = errors.New("it is not served here")
