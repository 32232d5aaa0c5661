package translate

import (
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	headermutationv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/header_mutation/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"

	"github.com/entente-mesh/entente/api/names"
)

// originFill says that a request began at the domain that sends it, if it says nothing itself. It stands behind the authentication, which by
// then has proved the source.
func (p *packer) originFill() *hcmv3.HttpFilter {
	return p.filter(filterOrigin, &headermutationv3.HeaderMutation{Mutations: &headermutationv3.Mutations{
		RequestMutations: []*mutationv3.HeaderMutation{appended(added(names.HeaderOriginSource, "%REQ("+names.HeaderSource+")%"))},
	}})
}
