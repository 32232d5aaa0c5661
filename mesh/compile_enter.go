package mesh

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/entente-mesh/entente/api/names"
)

// enter reads what matters at the destination of a route: who may come in, from where, and how far.
func (c *compiler) enter(v *review, r *Route, g, was *reading) {
	r.From = networks(v, g.object.Spec.SourceWhiteIPList)
	r.TransitTo = transit(v, g.object.Annotations[names.AnnotationTransitTo])
	r.Headers = headers(v, g.object.Spec.RequestHeadersToAdd)
	if r.Auth != AuthMTLS {
		return
	}
	g.tls = c.pinned(g.object, was)
	if !g.tls.fault(v) {
		g.tls.judge(v, c.to.Now)
		r.Client = g.tls.certificate
	}
}

// networks are the places from which requests may come. A list in which nothing can be read lets nobody in.
func networks(v *review, list []string) []netip.Prefix {
	var found []netip.Prefix
	for i, text := range list {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(text); err == nil && a.Zone() == "" {
				a = a.Unmap()
				p = netip.PrefixFrom(a, a.BitLen())
			}
		}
		if err != nil || !p.IsValid() || p.Addr().Is4In6() {
			v.fault(item("spec.sourceWhiteIPList", i), quote(text)+" is neither an address nor a network", "write such as 192.0.2.7 or 192.0.2.0/24")
			continue
		}
		found = append(found, p.Masked())
	}
	if len(list) > 0 && len(found) == 0 {
		v.refuse("spec.sourceWhiteIPList", "no entry can be read, so nobody may come in", "write such as 192.0.2.7 or 192.0.2.0/24")
	}
	slices.SortFunc(found, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	return slices.Compact(found)
}

// transit are the domains to which the source may pass.
func transit(v *review, list string) []string {
	if strings.TrimSpace(list) == "" {
		return nil
	}
	for id := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(id) == names.TransitToAll {
			return []string{names.TransitToAll}
		}
	}
	return domains(v, annotation(names.AnnotationTransitTo), list)
}

// headers are what the gateway adds. Headers on which the mesh or the framing of messages rests are not for others to set.
func headers(v *review, add map[string]string) []Header {
	var found []Header
	for _, name := range slices.Sorted(maps.Keys(add)) {
		field, value, key := "spec.requestHeadersToAdd["+quote(name)+"]", add[name], strings.ToLower(name)
		switch {
		case !isToken(name):
			v.fault(field, "this cannot be the name of a header", "use letters, digits and '-'")
		case reservedHeader(key):
			v.fault(field, "the gateway sets this header itself", "remove it")
		case len(value) > 64<<10 || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			v.fault(field, "the value cannot stand in a header", "write one line of at most 65536 characters, none of them a control character")
		case slices.ContainsFunc(found, func(h Header) bool { return h.Name == key }):
			v.fault(field, "the same header stands here in another spelling", "remove one of the two")
		default:
			found = append(found, Header{Name: key, Value: Hide(value)})
		}
	}
	slices.SortFunc(found, func(a, b Header) int { return strings.Compare(a.Name, b.Name) })
	return found
}

func reservedHeader(lower string) bool {
	switch lower {
	case "host", "connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade", "keep-alive", "proxy-connection":
		return true
	}
	return strings.HasPrefix(lower, "kuscia-") || strings.HasPrefix(lower, "x-envoy-")
}
