package mesh

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/entente-mesh/entente/internal/sorted"
)

// endpoints compiles the endpoints of each service that has changed or whose slices have.
func (c *compiler) endpoints() {
	touched := map[string]struct{}{}
	for change := range sorted.Diff(c.from.Services, c.to.Services) {
		touched[change.Key] = struct{}{}
	}
	for change := range sorted.Diff(c.from.Slices, c.to.Slices) {
		service, _, _ := strings.Cut(change.Key, "/")
		touched[service] = struct{}{}
	}
	for name := range touched {
		var e *Endpoints
		var problems []*Problem
		if s, ok := c.next.Services.Get(name); ok && s.Builtin == nil && s.ExternalName == "" {
			e, problems = c.endpointsOf(s)
		}
		c.next.Endpoints = place(c.next.Endpoints, c.old.Endpoints, name, e)
		c.report(inEndpoints, name, problems)
	}
}

// endpointsOf gathers the slices of a service.
func (c *compiler) endpointsOf(s *Service) (*Endpoints, []*Problem) {
	e := &Endpoints{Ref: s.Ref, Service: s.Name}
	v := review{ref: s.Ref}
	g := gathering{whitelist: c.settings.Whitelist}
	for key, slice := range c.to.Slices.From(SliceKey(s.Name, "")) {
		if !strings.HasPrefix(key, SliceKey(s.Name, "")) {
			break
		}
		for i := range slice.Endpoints {
			g.endpoint(slice, &slice.Endpoints[i])
		}
	}
	e.Ready = g.sorted()
	if n := len(g.broken); n > 0 {
		slices.Sort(g.broken)
		v.fault("endpoints", fmt.Sprintf("%d of its endpoints cannot be used, such as %s", n, quote(g.broken[0])), "write addresses and TCP ports of pods")
	}
	if n := len(g.outside); n > 0 {
		slices.SortFunc(g.outside, netip.AddrPort.Compare)
		v.fault("endpoints.addresses", fmt.Sprintf("%d of its endpoints are not in the whitelist of service addresses, such as %s", n, g.outside[0]),
			"add them there, or remove them from the service")
	}
	e.Ref.Version = version(e, c.settings.DomainKey)
	return e, v.close(e.Ref.Version)
}

// A gathering collects endpoints from slices, in whatever order they come.
type gathering struct {
	whitelist []Upstream
	ready     []Endpoint
	outside   []netip.AddrPort // not admitted by the whitelist
	broken    []string
}

func (g *gathering) endpoint(slice *discoveryv1.EndpointSlice, e *discoveryv1.Endpoint) {
	if e.Conditions.Ready != nil && !*e.Conditions.Ready {
		return // publishNotReadyAddresses has made them ready already, where the service wants it
	}
	hostname := ""
	if e.Hostname != nil && labelFault(*e.Hostname) == "" {
		hostname = *e.Hostname
	}
	for _, text := range e.Addresses {
		a, err := netip.ParseAddr(text)
		if err != nil || addressFault(a) != "" {
			g.broken = append(g.broken, text)
			continue
		}
		for _, p := range slice.Ports {
			if p.Port == nil || p.Protocol != nil && *p.Protocol != corev1.ProtocolTCP {
				continue // a port for everything, or not one of ours: the service's own ports say so
			}
			if *p.Port < 1 || *p.Port > 65535 {
				g.broken = append(g.broken, fmt.Sprintf("%s port %d", text, *p.Port))
				continue
			}
			at := netip.AddrPortFrom(a.Unmap(), uint16(*p.Port))
			if !admits(g.whitelist, at) {
				g.outside = append(g.outside, at)
				continue
			}
			g.ready = append(g.ready, Endpoint{Address: at, Hostname: hostname})
		}
	}
}

// sorted is each address once; of two names for one address the first that is not empty counts.
func (g *gathering) sorted() []Endpoint {
	slices.SortFunc(g.ready, func(a, b Endpoint) int {
		if d := a.Address.Compare(b.Address); d != 0 {
			return d
		}
		if (a.Hostname == "") != (b.Hostname == "") {
			return cmp.Compare(len(b.Hostname), len(a.Hostname))
		}
		return cmp.Compare(a.Hostname, b.Hostname)
	})
	return slices.CompactFunc(g.ready, func(a, b Endpoint) bool { return a.Address == b.Address })
}
