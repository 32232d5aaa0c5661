package dns

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/entente-mesh/entente/api/names"
)

// Upstreams are the name servers of a resolv.conf file without those that are the server itself, which listens on the given addresses: a
// machine whose pods and programs share one resolv.conf would else ask itself for ever.
func Upstreams(file string, listen []netip.AddrPort) ([]netip.AddrPort, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the name servers: %w; name some in the configuration", err)
	}
	local, err := localAddresses()
	if err != nil {
		return nil, err
	}
	return nameServers(string(content), listen, local), nil
}

// nameServers reads the lines of resolv.conf(5) that name servers. Lines that do not are no business of ours, nor are bad ones, which
// resolvers pass over too.
func nameServers(content string, listen []netip.AddrPort, local []netip.Addr) []netip.AddrPort {
	var servers []netip.AddrPort
	for line := range strings.Lines(content) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "nameserver" {
			continue
		}
		address, err := netip.ParseAddr(words[1])
		if err != nil || address.IsUnspecified() {
			continue
		}
		server := netip.AddrPortFrom(address, names.PortDNS)
		if !isSelf(server, listen, local) && !slices.Contains(servers, server) {
			servers = append(servers, server)
		}
	}
	return servers
}

// isSelf says whether whoever asks the server asks one of the addresses on which we listen.
func isSelf(server netip.AddrPort, listen []netip.AddrPort, local []netip.Addr) bool {
	address := server.Addr().Unmap().WithZone("")
	for _, l := range listen {
		if l.Port() != server.Port() {
			continue
		}
		if l.Addr().Unmap() == address || l.Addr().IsUnspecified() && (slices.Contains(local, address) || address.IsLoopback()) {
			return true
		}
	}
	return false
}

func localAddresses() ([]netip.Addr, error) {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list the addresses of this machine: %w", err)
	}
	var local []netip.Addr
	for _, a := range found {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil { // all others have no address
			local = append(local, prefix.Addr().Unmap().WithZone(""))
		}
	}
	return local, nil
}
