package translate

import (
	mutationv3 "github.com/envoyproxy/go-control-plane/envoy/config/common/mutation_rules/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	earlyv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"

	"github.com/entente-mesh/entente/api/names"
)

// twins are spellings that an application behind CGI or WSGI takes for the headers by which it knows who calls: such a server makes one name of
// '-' and '_'. Other headers may have underscores, as the engines' metadata do.
func twins() []string {
	return []string{"kuscia_source", "kuscia_origin_source", "kuscia-origin_source", "kuscia_origin-source", "kuscia_host", "kuscia_token"}
}

// fromPartners is what a partner's request loses before anything looks at it: what only this side of the gateway may say. What the partner's
// gateway has to say stays: its claims, and the headers of BFIA partners, of encrypted bodies and of reverse tunnels. Envoy itself drops x-envoy-*.
func fromPartners() []*mutationv3.HeaderMutation {
	return removed(append(twins(),
		names.HeaderTransitFlag, names.HeaderHandshakeCluster, names.HeaderErrorMessageInternal, names.HeaderFullHost)...)
}

// fromInside is what the requests of pods and of Entente itself lose and get: nothing that says who calls, or that steers the gateway, is believed,
// and a request begins at this domain. The full host is for services called by their short name.
func fromInside(domain string) []*mutationv3.HeaderMutation {
	return append(removed(append(twins(),
		names.HeaderToken, names.HeaderSource, names.HeaderHost, names.HeaderInterConnProtocol,
		names.HeaderTransitFlag, names.HeaderHandshakeCluster, names.HeaderErrorMessageInternal,
		names.HeaderEncryptVersion, names.HeaderEncryptIV)...),
		appended(overwrite(names.HeaderOriginSource, domain)),
		appended(overwrite(names.HeaderFullHost, names.ServiceHost("%REQ(:AUTHORITY)%", domain))),
	)
}

func removed(headers ...string) []*mutationv3.HeaderMutation {
	all := make([]*mutationv3.HeaderMutation, 0, len(headers))
	for _, name := range headers {
		all = append(all, &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Remove{Remove: name}})
	}
	return all
}

func appended(h *corev3.HeaderValueOption) *mutationv3.HeaderMutation {
	return &mutationv3.HeaderMutation{Action: &mutationv3.HeaderMutation_Append{Append: h}}
}

// added is a header for messages that do not have it.
func added(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:       &corev3.HeaderValue{Key: name, Value: value},
		AppendAction: corev3.HeaderValueOption_ADD_IF_ABSENT,
	}
}

// early packs mutations that happen before a request is routed.
func (p *packer) early(mutations []*mutationv3.HeaderMutation) []*corev3.TypedExtensionConfig {
	if len(mutations) == 0 {
		return nil
	}
	return []*corev3.TypedExtensionConfig{p.extension("early", &earlyv3.HeaderMutation{Mutations: mutations})}
}
