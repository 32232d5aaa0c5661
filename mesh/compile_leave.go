package mesh

import (
	"fmt"
	"strings"

	"github.com/entente-mesh/entente/api/v1alpha1"
)

// leave reads what matters at the source of a route: where the partner's gateway is and how to talk to it.
func (c *compiler) leave(v *review, r *Route, g, was *reading) {
	if r.Via != "" || r.ReverseTunnel || r.endless(v, &g.object.Spec.Endpoint) {
		return
	}
	secure := false
	for _, h := range r.Hops {
		secure = secure || h.TLS
	}
	if !secure {
		return
	}
	g.tls = c.material(g.object, was)
	if g.tls.fault(v) {
		return
	}
	g.tls.judge(v, c.to.Now)
	r.TLS = &ClientTLS{CA: g.tls.ca, Certificate: g.tls.certificate, Key: g.tls.key}
	if _, address, _ := host(r.Host); !address {
		r.TLS.Name = r.Host
	}
}

// endless reads the endpoint and says whether it leads nowhere.
func (r *Route) endless(v *review, e *v1alpha1.RouteEndpoint) bool {
	if e.Host == "" {
		return true // the destination cannot be dialed from here, which is allowed
	}
	name, _, fault := host(e.Host)
	if fault != "" {
		v.refuse("spec.endpoint.host", fmt.Sprintf("%s %s", quote(e.Host), fault), "write an address or a DNS name")
		return true
	}
	r.Host = name
	for _, grpc := range []bool{true, false} {
		for i := range e.Ports {
			if p := &e.Ports[i]; (p.Protocol == v1alpha1.PortGRPC) == grpc {
				r.hop(v, i, p)
			}
		}
	}
	if len(e.Ports) == 0 {
		v.fault("spec.endpoint.ports", "the host has no port, so it cannot be dialed", "add the port of the partner's gateway, such as 1080")
	}
	return len(r.Hops) == 0
}

// hop adds one port, if it is sound.
func (r *Route) hop(v *review, i int, p *v1alpha1.RoutePort) {
	field := item("spec.endpoint.ports", i)
	prefix, fault := pathPrefix(p.PathPrefix)
	switch {
	case !isToken(p.Name) || strings.ContainsAny(p.Name, "|`*%"):
		v.fault(field+".name", quote(p.Name)+" cannot name a port", "use letters, digits and '-'")
	case r.has(p.Name):
		v.fault(field+".name", quote(p.Name)+" names two ports", "give each port a name of its own")
	case p.Port < 1 || p.Port > 65535:
		v.fault(field+".port", fmt.Sprintf("%d is no port", p.Port), "use 1 to 65535")
	case p.Protocol != v1alpha1.PortHTTP && p.Protocol != v1alpha1.PortGRPC:
		v.fault(field+".protocol", quote(string(p.Protocol))+" is no protocol of a gateway's port", "use HTTP or GRPC")
	case fault != "":
		v.fault(field+".pathPrefix", fmt.Sprintf("%s %s", quote(p.PathPrefix), fault), "write a path such as /gateway")
	default:
		r.Hops = append(r.Hops, Hop{Name: p.Name, Port: uint16(p.Port), GRPC: p.Protocol == v1alpha1.PortGRPC, TLS: p.IsTLS, Prefix: prefix, Handshake: i == 0})
	}
}

func (r *Route) has(port string) bool {
	for _, h := range r.Hops {
		if h.Name == port {
			return true
		}
	}
	return false
}

// pathPrefix reads a prefix of paths: no slash at its end, nothing but characters that a path may hold (RFC 3986, section 3.3).
func pathPrefix(s string) (prefix, fault string) {
	prefix = strings.TrimRight(s, "/")
	switch {
	case prefix == "":
		return "", ""
	case prefix[0] != '/':
		return "", "does not begin with '/'"
	case len(prefix) > 1024:
		return "", fmt.Sprintf("has %d characters, at most 1024 are allowed", len(prefix))
	case strings.Contains(prefix, "//") || strings.Contains(prefix+"/", "/../") || strings.Contains(prefix+"/", "/./"):
		return "", "has empty or dotted parts"
	}
	for _, c := range prefix {
		if !isToken(string(c)) && !strings.ContainsRune("/:@(),;=", c) || strings.ContainsRune("#^`|", c) {
			return "", fmt.Sprintf("contains %q", c)
		}
	}
	return prefix, ""
}
