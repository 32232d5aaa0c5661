package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/entente-mesh/entente/api/names"
)

// Gateway is this node's gateway: the Envoy that carries the domain's traffic.
type Gateway struct {
	Enabled bool   // default true
	Name    string // of the Gateway object; default the machine's name in lower case
	// Address is where pods reach the gateway; invalid (the zero value) means the machine's address on its default route.
	Address  netip.Addr
	External netip.AddrPort // where partners come in; default 0.0.0.0:1080
	Internal netip.AddrPort // where pods come in; invalid means port 80 of Address
	Envoy    string         // the program; empty means ENVOY, beside this program, PATH
	Workers  int            // Envoy's worker threads; 0 means one for each core
	// MaxConnections bounds the connections from outside and from pods together.
	MaxConnections int
	StreamIdle     time.Duration // a stream silent for so long is ended; 0 means never
	Whitelist      []Upstream    // addresses that services may have; empty means every one
}

// Upstream is an item of a gateway's whitelist.
type Upstream struct {
	Address string   // IP address, network (CIDR) or host name
	Ports   []string // numbers; empty means every port
}

// DNS is this node's name server for pods.
type DNS struct {
	Enabled  bool           // default true
	Listen   netip.AddrPort // UDP and TCP; invalid means port 53 of the gateway's address
	Upstream []string       // name servers for all other names; empty means those of /etc/resolv.conf
}

// Metrics are this node's figures for Prometheus.
type Metrics struct {
	Listen netip.AddrPort // serves /metrics over HTTP, to whoever reaches it; invalid means that it is off, the default
}

func defaultGateway() Gateway {
	return Gateway{
		Enabled:        true,
		External:       netip.AddrPortFrom(netip.IPv4Unspecified(), names.PortExternal),
		MaxConnections: 32768,
		StreamIdle:     time.Minute,
	}
}

func (g *Gateway) keys() []key {
	return []key{
		flag("enabled", &g.Enabled).means("Runs an Envoy on this node. Without it the node has no traffic with partners."),
		text("name", &g.Name).like("gateway-0").otherwise("the machine's name").means("Name of the Gateway object, and of the instance in replies."),
		ip("address", &g.Address).otherwise("the address on the default route").means("Where pods reach the gateway."),
		address("external", &g.External).like("0.0.0.0:1080").means("Where partners come in."),
		address("internal", &g.Internal).like("192.0.2.10:80").otherwise("port 80 of `address`").means("Where the domain's pods come in; nobody else is admitted."),
		text("envoy", &g.Envoy).like("/usr/local/bin/envoy").otherwise("`ENVOY`, else `envoy` beside this program or on PATH").means("The Envoy program, 1.36.4 or newer."),
		number("workers", &g.Workers, 0, 1024).otherwise("one for each core").means("Envoy's worker threads."),
		number("maxConnections", &g.MaxConnections, 1, anyCount).means("Connections at a time; what exceeds them is refused."),
		span("streamIdle", &g.StreamIdle, time.Second).means("Seconds after which a silent stream is ended; 0 never."),
		groups("whitelist", &g.Whitelist, func(u *Upstream) []key {
			return []key{
				text("address", &u.Address).like("10.0.0.0/8").means("An IP address, a network, or a host name."),
				texts("ports", &u.Ports).like("[80, 443]").otherwise("all").means("Its ports."),
			}
		}).means("Addresses that services of this domain may have; the first that matches decides. Without it every address."),
	}
}

func (d *DNS) keys() []key {
	return []key{
		flag("enabled", &d.Enabled).means("Answers the names of the mesh on this node."),
		address("listen", &d.Listen).like("192.0.2.10:53").otherwise("port 53 of the gateway's address").means("Where it answers, over UDP and TCP."),
		texts("upstream", &d.Upstream).like("[192.0.2.53]").otherwise("the name servers of `/etc/resolv.conf`").means("Name servers for all other names."),
	}
}

func (m *Metrics) keys() []key {
	return []key{
		address("listen", &m.Listen).like("127.0.0.1:9091").otherwise("off").means("Where `/metrics` is served over HTTP, to whoever reaches it."),
	}
}

// checkGateway wants addresses and ports where the file's texts stand for such.
func (c *Config) checkGateway(r *reader) {
	const at = "entente.gateway.whitelist"
	for i, u := range c.Entente.Gateway.Whitelist {
		place := join(at, index(i))
		if !isAddress(u.Address) {
			r.mistake(join(place, "address"), fmt.Sprintf("%.*q is no address, network or host name", maxShown, u.Address), `write for example "10.0.0.0/8"`)
		}
		for j, port := range u.Ports {
			if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
				r.mistake(join(join(place, "ports"), index(j)), fmt.Sprintf("%.*q is no port", maxShown, port), "write a number from 1 to 65535")
			}
		}
	}
	for i, server := range c.Entente.DNS.Upstream {
		if _, err := netip.ParseAddr(server); err == nil {
			continue
		}
		if _, err := netip.ParseAddrPort(server); err != nil {
			r.mistake(join("entente.dns.upstream", index(i)), fmt.Sprintf("%.*q is no IP address", maxShown, server), `write for example "192.0.2.53" or "192.0.2.53:5353"`)
		}
	}
}

// isAddress says whether a text is an IP address, a network, or could be a host name.
func isAddress(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	if _, err := netip.ParsePrefix(s); err == nil {
		return true
	}
	return len(validation.IsDNS1123Subdomain(s)) == 0
}
