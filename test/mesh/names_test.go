package mesh

import (
	"context"
	"testing"
	"time"

	"github.com/miekg/dns"

	corev1 "k8s.io/api/core/v1"

	"github.com/entente-mesh/entente/api/names"
)

// TestNamesLeadWhereTheGatewayLeads: pods find partners' services behind their own gateway, and their own domain's at the endpoints, over UDP and TCP;
// what does not exist is said not to exist.
func TestNamesLeadWhereTheGatewayLeads(t *testing.T) {
	world(t)
	if err := alice.serve(t.Context(), "named", 8010); err != nil {
		t.Fatal(err)
	}
	viaGateway := func(s *corev1.Service) {
		s.Labels = map[string]string{names.LabelLoadBalancer: names.LoadBalancerDomainRoute}
	}
	if err := bob.serve(t.Context(), "balanced", 8010, viaGateway); err != nil {
		t.Fatal(err)
	}
	awaitName(t, alice, "named.alice.svc.")
	awaitName(t, bob, "balanced.bob.svc.")
	for _, network := range []string{"udp", "tcp"} {
		for _, c := range []struct {
			asks  *domain
			name  string
			rcode int
			want  string // the one address; empty: none
		}{
			{alice, "named.alice.svc.", dns.RcodeSuccess, "10.1.0.1"},
			{alice, "anything.bob.svc.", dns.RcodeSuccess, "10.1.0.1"},
			{bob, "balanced.bob.svc.", dns.RcodeSuccess, "10.2.0.1"},
			{bob, "anything.alice.svc.", dns.RcodeSuccess, "10.2.0.1"},
			{alice, "nobody.alice.svc.", dns.RcodeNameError, ""},
			{alice, "named.alice.svc:80.", dns.RcodeNameError, ""},
		} {
			t.Run(network+" "+c.asks.id+" asks for "+c.name, func(t *testing.T) {
				answer, err := ask(t.Context(), c.asks, network, c.name)
				if err != nil {
					t.Fatal(err)
				}
				if answer.Rcode != c.rcode {
					t.Fatalf("answer %s, want %s", dns.RcodeToString[answer.Rcode], dns.RcodeToString[c.rcode])
				}
				var got []string
				for _, record := range answer.Answer {
					if a, ok := record.(*dns.A); ok {
						got = append(got, a.A.String())
					}
				}
				if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || got[0] != c.want) {
					t.Errorf("addresses %v, want %q", got, c.want)
				}
			})
		}
	}
}

// ask sends one query to the domain's name server, from its own machine.
func ask(ctx context.Context, d *domain, network, name string) (*dns.Msg, error) {
	raw, err := d.node.Dial(ctx, network, d.node.IP().String()+":53")
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	query := new(dns.Msg).SetQuestion(name, dns.TypeA)
	answer, _, err := new(dns.Client).ExchangeWithConnContext(ctx, query, &dns.Conn{Conn: raw})
	return answer, err
}

// awaitName waits until a name is known.
func awaitName(t *testing.T, d *domain, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		answer, err := ask(ctx, d, "udp", name)
		if err == nil && len(answer.Answer) > 0 {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s does not become known: %v %v", name, answer, err)
		}
	}
}
