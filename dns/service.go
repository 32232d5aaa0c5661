package dns

import (
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/mesh"
)

// lookFurther finds names that the index does not hold: what only the gateway knows, and what services imply, which is
// _<port>._tcp.<service> for SRV and the endpoints of a service, which SRV names. It leaves q as it is if there is no such name.
func (h *Handler) lookFurther(q *question) {
	if q.kind == own && reserved(q.key) {
		q.entry = q.view.partner
		return
	}
	label, rest, ok := strings.Cut(q.key, ".")
	if !ok {
		return
	}
	if port, isPort := strings.CutPrefix(label, "_"); isPort {
		if service, found := strings.CutPrefix(rest, "_tcp."); found {
			e := h.index.table.get([]byte(service))
			if e != nil && e.service != nil && hasPort(e.service, port) {
				q.entry, q.port = e, port
			}
			return
		}
		if e := h.index.table.get([]byte(rest)); label == "_tcp" && e != nil && e.service != nil && len(e.service.Ports) > 0 {
			q.entry = &entry{} // no records, but names below it
		}
		return
	}
	e := h.index.table.get([]byte(rest))
	if e == nil || len(e.endpoints) == 0 {
		return
	}
	var found []netip.Addr
	for _, endpoint := range e.endpoints {
		if endpointLabel(endpoint) == label {
			found = append(found, endpoint.Address.Addr())
		}
	}
	if len(found) > 0 {
		q.entry = &entry{addresses: newAddresses(found, h.ttl)}
	}
}

// reserved says whether a service is one that Entente answers itself where its mode has it. A mesh that was not made by the gateway's own
// process does not know which ones are there, so the gateway answers.
func reserved(service string) bool {
	switch service {
	case names.ServiceHandshake, names.ServiceAPIServer, names.ServiceStorage, names.ServiceReporter, names.ServiceInterConnScheduler,
		names.ServiceReceiver, names.ServiceDiagnose:
		return true
	}
	return false
}

func hasPort(s *mesh.Service, name string) bool {
	for _, p := range s.Ports {
		if strings.EqualFold(p.Name, name) {
			return true
		}
	}
	return false
}

// endpointLabel is what stands before the service in the name of an endpoint: the hostname of its pod, else its address as in Kubernetes
// (DNS-Based Service Discovery, 2.4.1).
func endpointLabel(e mesh.Endpoint) string {
	if e.Hostname != "" {
		return strings.ToLower(e.Hostname)
	}
	address := e.Address.Addr().Unmap().WithZone("")
	if address.Is4() {
		return strings.ReplaceAll(address.String(), ".", "-")
	}
	return strings.ReplaceAll(address.StringExpanded(), ":", "-")
}

// services answers SRV: where each port of a service is served. What is behind the gateway is served at the gateway's port for pods.
func (h *Handler) services(name string, q *question) *dns.Msg {
	m := &dns.Msg{}
	if q.entry.gateway {
		host := withoutPort(name)
		m.Answer = append(m.Answer, h.srv(name, host, names.PortInternal))
		m.Extra = h.hosts(host, q.view.gateway.all())
		return m
	}
	if q.entry.service == nil {
		return m
	}
	seen := map[dns.SRV]bool{}
	told := map[netip.Addr]bool{}
	for _, endpoint := range q.entry.endpoints {
		if !serves(q.entry.service, q.port, endpoint.Address.Port()) {
			continue
		}
		host := h.absolute(endpointLabel(endpoint) + "." + q.entry.service.Name)
		record := h.srv(name, host, endpoint.Address.Port())
		if seen[*record] {
			continue
		}
		seen[*record] = true
		m.Answer = append(m.Answer, record)
		if address := endpoint.Address.Addr().Unmap().WithZone(""); !told[address] {
			told[address] = true
			m.Extra = append(m.Extra, h.addressRecord(host, address))
		}
	}
	return m
}

// serves says whether an endpoint with this port number serves the named port. Services number the port that clients see and endpoints
// the one that is really served; with one port there is no doubt.
func serves(s *mesh.Service, port string, number uint16) bool {
	if port == "" || len(s.Ports) == 1 {
		return true
	}
	for _, p := range s.Ports {
		if strings.EqualFold(p.Name, port) && p.Number == number {
			return true
		}
	}
	return false
}

// withoutPort is the service's name in an SRV question.
func withoutPort(name string) string {
	for strings.HasPrefix(name, "_") {
		_, name, _ = strings.Cut(name, ".")
	}
	return name
}

func (h *Handler) srv(name, target string, port uint16) *dns.SRV {
	return &dns.SRV{Hdr: h.header(name, dns.TypeSRV), Weight: 1, Port: port, Target: target}
}

func (h *Handler) hosts(name string, addresses []netip.Addr) []dns.RR {
	var records []dns.RR
	for _, address := range addresses {
		records = append(records, h.addressRecord(name, address))
	}
	return records
}
