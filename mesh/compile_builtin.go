package mesh

import (
	"fmt"
	"slices"

	"github.com/entente-mesh/entente/api/names"
)

// builtins puts what Entente itself answers among the services, where a Service object of the same name finds its place taken.
func (c *compiler) builtins() {
	if !c.fresh {
		return // they stand in Settings
	}
	for i := range c.settings.Builtins {
		b := c.settings.Builtins[i]
		if b.Ref.Kind == "" {
			b.Ref = c.ref(KindBuiltin, "", b.Name)
		}
		v := review{ref: b.Ref}
		if fault := labelFault(b.Name); fault != "" {
			v.refuse("name", fmt.Sprintf("%s %s", quote(b.Name), fault), "use lower-case letters, digits and '-'")
		}
		if _, taken := c.next.Services.Get(b.Name); taken {
			v.refuse("name", "two builtins have this name", "remove one of them")
		}
		if b.Socket == "" && !b.Address.IsValid() {
			v.refuse("address", "neither a socket nor an address answers", "set one of the two")
		}
		if !v.refused {
			c.next.Services = place(c.next.Services, c.old.Services, b.Name, builtin(&b))
		}
		c.report(inBuiltin, fmt.Sprintf("%s/%d", b.Name, i), v.close(b.Ref.Version))
	}
}

// builtin is the service of a Builtin. It keeps a pointer to b.
func builtin(b *Builtin) *Service {
	s := &Service{
		Ref: b.Ref, Name: b.Name, Protocol: b.Protocol, Restricted: !b.External || b.Callers != nil,
		ViaGateway: true, Ports: []Port{{Name: "http", Number: names.PortInternal}}, Builtin: b,
	}
	if s.Protocol == "" {
		s.Protocol = HTTP
	}
	if b.External {
		s.Callers = slices.Compact(slices.Sorted(slices.Values(b.Callers)))
	}
	if s.Ref.Version == "" {
		s.Ref.Version = version(s, Secret{})
	}
	return s
}
