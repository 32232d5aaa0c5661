package translate

import (
	"net/netip"

	xdscorev3 "github.com/cncf/xds/go/xds/core/v3"
	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	rbacconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	networkinputsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/matching/common_inputs/network/v3"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
)

// FilterSources is the resource that says which sources there are, for which origins each of them may speak, and from which addresses.
const FilterSources = "sources"

// Why a source is refused, as a partner reads it in names.HeaderErrorMessage.
const (
	refusedSource     = "source_not_known"
	refusedOrigin     = "origin_not_bound_to_source"
	refusedAddress    = "address_not_listed"
	refusedEncryption = "body_encryption_not_supported"
)

// sources binds where a request began to who sends it: a source speaks for itself, and for the domains whose route to this one goes through it.
// It also holds each source to the addresses of its route. It is one resource by ECDS, so that a new partner touches no route, and maps, so that
// a request costs the same whatever the number of partners; a CEL expression that compares the two headers costs a quarter of a hop.
func sources(m *mesh.Mesh) *piece {
	p := &piece{}
	s := binder{packer: &p.packer, allow: map[string]map[string]choice{}}
	var from []live.Ref
	for _, r := range m.Inbound.All() {
		s.bind(m, r)
		from = append(from, r.Ref)
	}
	hops := make(map[string]choice, len(s.allow))
	for hop, origins := range s.allow {
		hops[hop] = then(p.byHeaderValue(names.HeaderOriginSource, origins, s.judge(rbacconfigv3.RBAC_DENY, refusedOrigin)))
	}
	rules := &rbacv3.RBAC{Matcher: p.byHeaderValue(names.HeaderSource, hops, s.judge(rbacconfigv3.RBAC_DENY, refusedSource))}
	p.add(cache.Filter, FilterSources, p.extension(FilterSources, rules)).From = from
	return p
}

// A binder collects which hop may speak for which origin.
type binder struct {
	*packer
	allow map[string]map[string]choice
}

// bind lets the last hop of an inbound route speak for its source.
func (b *binder) bind(m *mesh.Mesh, r *mesh.Route) {
	hop := r
	if r.Via != "" {
		direct, ok := m.Inbound.Get(r.Via)
		if !ok || direct.Via != "" {
			return // nobody can prove to be that hop
		}
		hop = direct
	}
	if b.allow[hop.Source] == nil {
		b.allow[hop.Source] = map[string]choice{}
	}
	b.allow[hop.Source][r.Source] = b.verdict(r, hop)
}

// verdict is what becomes of a request that hop sends for r's source. Where the route says that bodies are encrypted, which is not supported yet,
// answers would leave in clear text: nothing gets in.
func (b *binder) verdict(r, hop *mesh.Route) choice {
	if r.Encryption != "" {
		return b.judge(rbacconfigv3.RBAC_DENY, refusedEncryption)
	}
	verdict := b.judge(rbacconfigv3.RBAC_ALLOW, "source")
	verdict = b.within(hop.From, verdict)
	if r != hop {
		verdict = b.within(r.From, verdict)
	}
	return verdict
}

// within makes a choice only for connections from the networks; no network means every address.
func (b *binder) within(networks []netip.Prefix, inside choice) choice {
	if len(networks) == 0 {
		return inside
	}
	ranges := make([]*xdscorev3.CidrRange, 0, len(networks))
	for _, n := range networks {
		ranges = append(ranges, &xdscorev3.CidrRange{AddressPrefix: n.Addr().String(), PrefixLen: u32(uint32(n.Bits()))})
	}
	return then(&xdsmatcherv3.Matcher{
		MatcherType: &xdsmatcherv3.Matcher_MatcherTree_{MatcherTree: &xdsmatcherv3.Matcher_MatcherTree{
			Input: b.input("address", &networkinputsv3.DirectSourceIPInput{}),
			TreeType: &xdsmatcherv3.Matcher_MatcherTree_CustomMatch{CustomMatch: b.input("networks", &xdsmatcherv3.IPMatcher{
				RangeMatchers: []*xdsmatcherv3.IPMatcher_IPRangeMatcher{{Ranges: ranges, OnMatch: inside}},
			})},
		}},
		OnNoMatch: b.judge(rbacconfigv3.RBAC_DENY, refusedAddress),
	})
}

// judge ends the search.
func (b *binder) judge(verdict rbacconfigv3.RBAC_Action, why string) choice {
	return b.do(why, &rbacconfigv3.Action{Name: why, Action: verdict})
}
