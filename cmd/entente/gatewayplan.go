package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/dns"
	"github.com/entente-mesh/entente/xds/proxy"
)

// A gatewayPlan is what the gateway and the name server of this node are to be: everything that can be found out before anything starts.
type gatewayPlan struct {
	name     string
	address  netip.Addr
	external netip.AddrPort
	internal netip.AddrPort
	dns      netip.AddrPort
	upstream []netip.AddrPort // name servers for all other names
	envoy    proxy.Binary
	dir      string // private folder of Envoy's sockets
	logs     string // folder of access logs
}

// planGateway finds the Envoy and the addresses, and refuses what cannot work.
func (n *node) planGateway(ctx context.Context) (*gatewayPlan, error) {
	g, d := n.config.Entente.Gateway, n.config.Entente.DNS
	name, err := gatewayName(g.Name)
	if err != nil {
		return nil, n.config.Problem("entente.gateway.name", err.Error(), "give the gateway a name of lower-case letters, digits and -")
	}
	p := &gatewayPlan{
		name: name, external: g.External, internal: g.Internal, dns: d.Listen, address: g.Address,
		dir: filepath.Join(n.home.run(), "envoy"), logs: filepath.Join(n.home.logs(), "envoy"),
	}
	if !p.address.IsValid() {
		p.address, err = ownAddress()
		if err != nil {
			return nil, n.config.Problem("entente.gateway.address", err.Error(), "write for example \"address: 192.0.2.10\"")
		}
	}
	if !p.internal.IsValid() {
		p.internal = netip.AddrPortFrom(p.address, names.PortInternal)
	}
	if !p.dns.IsValid() {
		p.dns = netip.AddrPortFrom(p.address, names.PortDNS)
	}
	if p.upstream, err = nameServers(d.Upstream); err != nil {
		return nil, err
	}
	if d.Enabled && len(p.upstream) == 0 {
		if p.upstream, err = dns.Upstreams("/etc/resolv.conf", []netip.AddrPort{p.dns}); err != nil {
			return nil, n.config.Problem("entente.dns.upstream", err.Error(), "write for example \"upstream: [192.0.2.53]\"")
		}
	}
	if g.Enabled {
		if p.envoy, err = proxy.Find(ctx, besideFile(n.config.File(), g.Envoy)); err != nil {
			return nil, n.config.Problem("entente.gateway.envoy", err.Error(), "`make envoy` fetches one; a node without traffic sets \"entente.gateway.enabled: false\"")
		}
	}
	return p, n.checkPorts(p)
}

// gatewayName is the configured name, else the machine's.
func gatewayName(configured string) (string, error) {
	name := configured
	if name == "" {
		host, err := os.Hostname()
		if err != nil {
			return "", err
		}
		name = strings.ToLower(host)
	}
	return name, names.ValidateName("gateway name", name)
}

// ownAddress is the machine's IPv4 address on its default route. No packet is sent to find it.
func ownAddress() (netip.Addr, error) {
	conn, err := net.Dial("udp4", "192.0.2.1:9")
	if err == nil {
		defer conn.Close()
		if at, err := netip.ParseAddrPort(conn.LocalAddr().String()); err == nil {
			return at.Addr(), nil
		}
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return netip.Addr{}, err
	}
	for _, a := range addresses {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Is4() && prefix.Addr().IsGlobalUnicast() {
			return prefix.Addr(), nil
		}
	}
	return netip.Addr{}, errors.New("this machine has no IPv4 address but loopback")
}

// nameServers reads addresses with or without a port.
func nameServers(texts []string) ([]netip.AddrPort, error) {
	var servers []netip.AddrPort
	for _, text := range texts {
		if a, err := netip.ParseAddr(text); err == nil {
			servers = append(servers, netip.AddrPortFrom(a, names.PortDNS))
			continue
		}
		a, err := netip.ParseAddrPort(text)
		if err != nil {
			return nil, fmt.Errorf("name server %q: %w", text, err)
		}
		servers = append(servers, a)
	}
	return servers, nil
}

// checkPorts finds out at once that a port is taken or may not be opened. Envoys of one user would share a port without a word. The ports of an
// Envoy that an earlier process left running are its own.
func (n *node) checkPorts(p *gatewayPlan) error {
	ports := []struct {
		path    string
		address netip.AddrPort
		wanted  bool
	}{
		{"entente.gateway.external", p.external, n.config.Entente.Gateway.Enabled && proxy.Running(p.dir) == 0},
		{"entente.gateway.internal", p.internal, n.config.Entente.Gateway.Enabled && proxy.Running(p.dir) == 0},
		{"entente.dns.listen", p.dns, n.config.Entente.DNS.Enabled},
	}
	for _, port := range ports {
		if !port.wanted {
			continue
		}
		listener, err := net.Listen("tcp", port.address.String())
		if err == nil {
			_ = listener.Close() // it was never used
			continue
		}
		return n.config.Problem(port.path, fmt.Sprintf("%s cannot be opened: %v", port.address, innermost(err)), remedyForPort(err, port.path, port.address))
	}
	return nil
}

func remedyForPort(err error, path string, address netip.AddrPort) string {
	switch {
	case errors.Is(err, syscall.EACCES):
		return fmt.Sprintf("ports below 1024 need the capability CAP_NET_BIND_SERVICE; give it, or write for example \"%s: %s\"", path, netip.AddrPortFrom(address.Addr(), address.Port()+8000))
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "the machine does not have this address; `ip address` lists those that it has"
	}
	return "end what uses the port (ss -lntup 'sport = :" + strconv.Itoa(int(address.Port())) + "' names it), or choose another"
}

// whitelistPorts are the ports of an item of the whitelist.
func whitelistPorts(texts []string) []uint16 {
	var ports []uint16
	for _, text := range texts {
		if n, err := strconv.ParseUint(text, 10, 16); err == nil { // config.Parse has refused everything else
			ports = append(ports, uint16(n))
		}
	}
	return ports
}
