package translate

import (
	"maps"
	"net/netip"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
)

// admission makes the list of who may use the internal listener: the domain's running pods, its gateways, and the node itself, each by the address
// that its connection comes from. It is judged anew for each request, so that an address that a pod has lost is out at once. An empty list lets
// nobody in.
func admission(m *mesh.Mesh) *piece {
	p := &piece{}
	rules := &rbacconfigv3.RBAC{Action: rbacconfigv3.RBAC_ALLOW}
	if who := principals(m); len(who) > 0 {
		rules.Policies = map[string]*rbacconfigv3.Policy{FilterAdmission: {
			Permissions: []*rbacconfigv3.Permission{{Rule: &rbacconfigv3.Permission_Any{Any: true}}},
			Principals:  who,
		}}
	}
	p.add(cache.Filter, FilterAdmission, &corev3.TypedExtensionConfig{Name: FilterAdmission, TypedConfig: p.pack(&rbacv3.RBAC{Rules: rules})})
	return p
}

func principals(m *mesh.Mesh) []*rbacconfigv3.Principal {
	addresses := map[netip.Addr]struct{}{}
	admit := func(a netip.Addr) {
		if a.IsValid() && !a.IsUnspecified() {
			addresses[a.Unmap().WithZone("")] = struct{}{}
		}
	}
	admit(m.Settings.Address)
	for _, gateway := range m.Gateways.All() {
		admit(gateway.Address)
	}
	for _, pod := range m.Pods.All() {
		for _, address := range pod.Addresses {
			admit(address)
		}
	}
	who := make([]*rbacconfigv3.Principal, 0, len(addresses))
	for _, address := range slices.SortedFunc(maps.Keys(addresses), netip.Addr.Compare) {
		who = append(who, &rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_DirectRemoteIp{DirectRemoteIp: &corev3.CidrRange{
			AddressPrefix: address.String(), PrefixLen: wrapperspb.UInt32(uint32(address.BitLen())),
		}}})
	}
	return who
}
