package dns

import (
	"context"

	"github.com/coredns/coredns/plugin"
	"github.com/coredns/coredns/plugin/pkg/nonwriter"
	"github.com/coredns/coredns/request"
	"github.com/miekg/dns"
)

// A front stands before all other plugins and marks queries that a plugin of this server asks, to follow an alias for example. The answer
// to such a query is caught as a message; what is written as bytes would slip through to the client of the first query.
type front struct{ next plugin.Handler }

// caught is the mark in a context.
type caught struct{}

func (f *front) Name() string { return pluginName + "_front" }

func (f *front) ServeDNS(ctx context.Context, w dns.ResponseWriter, r *dns.Msg) (int, error) {
	if scrub, ok := w.(*request.ScrubWriter); ok {
		if _, ok := scrub.ResponseWriter.(*nonwriter.Writer); ok {
			ctx = context.WithValue(ctx, caught{}, true)
		}
	}
	return f.next.ServeDNS(ctx, w, r)
}

// takesBytes says whether the plugins of a chain that stand before this one do right by an answer in bytes. All others may look at messages
// or change them, so they get messages.
func takesBytes(chain []plugin.Handler) bool {
	for _, p := range chain {
		switch p.Name() {
		case pluginName:
			return true
		case "prometheus": // takes bytes for a success, which they are, and counts them
		case "errors": // does not look at answers
		default:
			return false
		}
	}
	return false
}
