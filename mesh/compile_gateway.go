package mesh

import (
	"net/netip"

	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/internal/sorted"
)

// gateways compiles the changed Gateway objects.
func (c *compiler) gateways() {
	for change := range sorted.Diff(c.from.Gateways, c.to.Gateways) {
		var g *Gateway
		var problems []*Problem
		if change.Out {
			g, problems = c.gateway(change.Key, change.New)
		}
		c.next.Gateways = place(c.next.Gateways, c.old.Gateways, change.Key, g)
		c.report(inGateway, change.Key, problems)
	}
}

// gateway reads one Gateway; nil until it has said where it is. Whether it still beats is not asked here, where there is no clock.
func (c *compiler) gateway(name string, o *v1alpha1.Gateway) (*Gateway, []*Problem) {
	if o.Status.Address == "" {
		return nil, nil
	}
	g := &Gateway{Ref: c.ref(KindGateway, o.Namespace, name), Name: name}
	v := review{ref: g.Ref}
	a, err := netip.ParseAddr(o.Status.Address)
	if err != nil || addressFault(a) != "" {
		v.refuse("status.address", quote(o.Status.Address)+" is no address that pods can reach", "see the log of that gateway")
		return nil, v.close("")
	}
	g.Address = a.Unmap()
	g.Ref.Version = version(g, c.settings.DomainKey)
	return g, nil
}
