package mesh

import (
	"net/netip"
	"slices"
	"strings"
)

// admits says whether the whitelist lets a service have an endpoint. The first item that matches the address decides about its port.
func admits(list []Upstream, a netip.AddrPort) bool {
	if list == nil {
		return true
	}
	for i := range list {
		if list[i].Prefix.IsValid() && list[i].Prefix.Contains(a.Addr()) {
			return list[i].has(a.Port())
		}
	}
	return false
}

// admitsHost says the same of a host outside, by its name.
func admitsHost(list []Upstream, host string, port uint16) bool {
	if list == nil {
		return true
	}
	for i := range list {
		if !list[i].Prefix.IsValid() && strings.EqualFold(strings.TrimSuffix(list[i].Host, "."), host) {
			return list[i].has(port)
		}
	}
	return false
}

func (u *Upstream) has(port uint16) bool { return len(u.Ports) == 0 || slices.Contains(u.Ports, port) }
