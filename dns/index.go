package dns

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/miekg/dns"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/internal/sorted"
	"github.com/entente-mesh/entente/mesh"
)

// words are the services that pods find at their gateway's address even where no object names them; a Service of the same name comes
// first. The original knows the same six.
func words() []string {
	return []string{
		names.ServiceTransport, names.ServiceDataMesh, names.ServiceConfManager, names.ServiceDataProxy, names.ServiceKusciaAPI, names.ServiceGateway,
	}
}

// An index has the answers to all names of the mesh. It follows a mesh by what has changed: an update costs the changes.
type index struct {
	// Set once.
	domain  string
	ttl     uint32
	gateway []netip.Addr // configured
	words   map[string]bool

	// Read by queries.
	table *table
	view  atomic.Pointer[view] // nil before the first update

	// Owned by the goroutine that calls update.
	mesh       *mesh.Mesh
	hosts      map[string]map[string]*mesh.Pod // by <hostname>.<subdomain>, then by the pod's name
	subdomains map[string]int                  // how many pods each has
	reverse    map[netip.Addr]map[string]int   // keys that have the address, and how often
}

// A view is what all answers of a moment share.
type view struct {
	gateway *addresses // nil: none is known
	partner *entry     // the answer for every service of another domain
	soa     *dns.SOA   // owner svc
	// soaTail is the SOA on the wire without its owner.
	soaTail []byte
}

func newIndex(domain string, ttl uint32, gateway []netip.Addr) *index {
	x := &index{
		domain: domain, ttl: ttl, gateway: gateway, table: newTable(), mesh: &mesh.Mesh{}, words: map[string]bool{},
		hosts: map[string]map[string]*mesh.Pod{}, subdomains: map[string]int{}, reverse: map[netip.Addr]map[string]int{},
	}
	for _, word := range words() {
		x.words[word] = true
	}
	return x
}

// update brings the answers from the mesh before to the next one.
func (x *index) update(next *mesh.Mesh) {
	before := x.mesh
	x.mesh = next
	touched := map[string]bool{}
	if x.view.Load() == nil {
		maps.Copy(touched, x.words)
	}
	for c := range sorted.Diff(before.Services, next.Services) {
		touched[c.Key] = true
	}
	for c := range sorted.Diff(before.Endpoints, next.Endpoints) {
		touched[c.Key] = true
	}
	for c := range sorted.Diff(before.Pods, next.Pods) {
		x.drop(c.Old, touched)
		x.add(c.New, touched)
	}
	gateway := x.moveGateway(touched)
	for key := range touched {
		x.table.set(key, x.entry(key))
	}
	x.view.Store(x.newView(gateway))
}

// hostKey is the key of a pod; empty for a pod without a name of its own.
func hostKey(p *mesh.Pod) string {
	if p == nil || p.Subdomain == "" || p.Hostname == "" {
		return ""
	}
	return strings.ToLower(p.Hostname + "." + p.Subdomain)
}

func (x *index) add(p *mesh.Pod, touched map[string]bool) {
	key := hostKey(p)
	if key == "" {
		return
	}
	if x.hosts[key] == nil {
		x.hosts[key] = map[string]*mesh.Pod{}
	}
	x.hosts[key][p.Name] = p
	x.subdomains[p.Subdomain]++
	for _, address := range p.Addresses {
		x.point(address, key, 1, touched)
	}
	touched[key], touched[p.Subdomain] = true, true
}

func (x *index) drop(p *mesh.Pod, touched map[string]bool) {
	key := hostKey(p)
	if key == "" {
		return
	}
	if delete(x.hosts[key], p.Name); len(x.hosts[key]) == 0 {
		delete(x.hosts, key)
	}
	if x.subdomains[p.Subdomain]--; x.subdomains[p.Subdomain] == 0 {
		delete(x.subdomains, p.Subdomain)
	}
	for _, address := range p.Addresses {
		x.point(address, key, -1, touched)
	}
	touched[key], touched[p.Subdomain] = true, true
}

// point counts one more or one less who has the address under this key.
func (x *index) point(address netip.Addr, key string, by int, touched map[string]bool) {
	address = address.Unmap().WithZone("")
	if x.reverse[address] == nil {
		x.reverse[address] = map[string]int{}
	}
	if x.reverse[address][key] += by; x.reverse[address][key] <= 0 {
		delete(x.reverse[address], key)
	}
	if len(x.reverse[address]) == 0 {
		delete(x.reverse, address)
	}
	x.setReverse(address)
}

// setReverse makes the answer to the reverse name of an address.
func (x *index) setReverse(address netip.Addr) {
	name, err := dns.ReverseAddr(address.String())
	if err != nil {
		return // not an address: nobody can ask for it
	}
	name = strings.TrimSuffix(name, ".")
	if len(x.reverse[address]) == 0 {
		x.table.set(name, nil)
		return
	}
	x.table.set(name, &entry{pointers: slices.Sorted(maps.Keys(x.reverse[address]))})
}

// moveGateway finds the addresses of the gateway. It returns those of the last view if they are the same, so that their turn goes on.
func (x *index) moveGateway(touched map[string]bool) *addresses {
	var before *addresses
	if v := x.view.Load(); v != nil {
		before = v.gateway
	}
	after := newAddresses(x.gatewayAddresses(), x.ttl)
	if x.view.Load() != nil && slices.Equal(before.all(), after.all()) {
		return before
	}
	for _, address := range before.all() {
		x.point(address, names.ServiceGateway, -1, touched)
	}
	for _, address := range after.all() {
		x.point(address, names.ServiceGateway, 1, touched)
	}
	return after
}

// gatewayAddresses are where pods reach the gateway: what was configured comes first, then that of this node, then all that report.
func (x *index) gatewayAddresses() []netip.Addr {
	if len(x.gateway) > 0 {
		return x.gateway
	}
	if s := x.mesh.Settings; s != nil && s.Address.IsValid() && !s.Address.IsUnspecified() {
		return []netip.Addr{s.Address}
	}
	var list []netip.Addr
	for _, g := range x.mesh.Gateways.All() {
		list = append(list, g.Address)
	}
	return list
}

// entry makes the answer of a key; nil if there is no such name.
func (x *index) entry(key string) *entry {
	if service, ok := x.mesh.Services.Get(key); ok {
		return x.serviceEntry(service)
	}
	if x.words[key] {
		return &entry{gateway: true}
	}
	if pods, ok := x.hosts[key]; ok {
		var list []netip.Addr
		for _, p := range pods {
			list = append(list, p.Addresses...)
		}
		return &entry{addresses: newAddresses(list, x.ttl)}
	}
	if x.subdomains[key] > 0 {
		return &entry{} // no records, but names below it
	}
	return nil
}

func (x *index) serviceEntry(s *mesh.Service) *entry {
	e := &entry{service: s}
	if s.ViaGateway || s.Builtin != nil {
		e.gateway = true
		return e
	}
	if s.ExternalName != "" {
		if address, err := netip.ParseAddr(s.ExternalName); err == nil {
			e.addresses = newAddresses([]netip.Addr{address}, x.ttl)
			return e
		}
		e.target = dns.CanonicalName(s.ExternalName)
		return e
	}
	endpoints, ok := x.mesh.Endpoints.Get(s.Name)
	if !ok {
		return e
	}
	e.endpoints = endpoints.Ready
	list := make([]netip.Addr, len(e.endpoints))
	for i, endpoint := range e.endpoints {
		list[i] = endpoint.Address.Addr()
	}
	e.addresses = newAddresses(list, x.ttl)
	return e
}
