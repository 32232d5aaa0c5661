package dns

import (
	"context"
	"log/slog"

	"github.com/coredns/coredns/plugin"
	"github.com/miekg/dns"
)

// A reporter writes down why queries were not answered, as CoreDNS's plugin errors does where there is a Corefile. It says so on the level
// for developers: whoever asks can cause it at any rate.
type reporter struct {
	next plugin.Handler
	log  *slog.Logger
}

func (r *reporter) Name() string { return "reporter" }

func (r *reporter) ServeDNS(ctx context.Context, w dns.ResponseWriter, m *dns.Msg) (int, error) {
	rcode, err := r.next.ServeDNS(ctx, w, m)
	if err != nil {
		r.log.LogAttrs(ctx, slog.LevelDebug, "query not answered", slog.String("name", m.Question[0].Name),
			slog.String("type", dns.TypeToString[m.Question[0].Qtype]), slog.Any("error", err))
	}
	return rcode, err
}

// refuse is the end of the chain where there is no upstream: clients that know another name server ask that one.
func refuse(context.Context, dns.ResponseWriter, *dns.Msg) (int, error) {
	return dns.RcodeRefused, nil
}
