package translate

import (
	xdscorev3 "github.com/cncf/xds/go/xds/core/v3"
	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	commonmatchingv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/matching/v3"
	apikeyauthv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/api_key_auth/v3"
	compositev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/composite/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/entente-mesh/entente/api/names"
)

// typeKeys is the type of a list of credentials.
const typeKeys = "type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth"

// authentication proves who is calling: the token's first character picks one of the lists that come by ECDS, and the list says whose token it
// is. That overwrites whatever names.HeaderSource claimed and removes the token. Everything else, "noop" included, is answered 401.
//
// The matcher sits in a wrapper because Envoys before 1.39 do not know the composite filter's own and would let everybody in without a word.
func (p *packer) authentication() *hcmv3.HttpFilter {
	lists := make(map[string]*xdsmatcherv3.Matcher_OnMatch, len(Shards))
	for _, first := range Shards {
		lists[string(first)] = p.execute(&compositev3.ExecuteFilterAction{DynamicConfig: &compositev3.DynamicConfig{
			Name:            Shard(byte(first)),
			ConfigDiscovery: &corev3.ExtensionConfigSource{ConfigSource: ads(), TypeUrls: []string{typeKeys}},
		}})
	}
	nobody := &apikeyauthv3.ApiKeyAuth{KeySources: []*apikeyauthv3.KeySource{{Header: names.HeaderToken}}}
	byFirst := p.tree(p.header(names.HeaderToken), nil)
	byFirst.TreeType = &xdsmatcherv3.Matcher_MatcherTree_PrefixMatchMap{PrefixMatchMap: &xdsmatcherv3.Matcher_MatcherTree_MatchMap{Map: lists}}
	return p.filter(filterAuth, &commonmatchingv3.ExtensionWithMatcher{
		ExtensionConfig: p.extension("composite", &compositev3.Composite{}),
		XdsMatcher: &xdsmatcherv3.Matcher{
			MatcherType: &xdsmatcherv3.Matcher_MatcherTree_{MatcherTree: byFirst},
			OnNoMatch:   p.execute(&compositev3.ExecuteFilterAction{TypedConfig: p.extension("nobody", nobody)}),
		},
	})
}

// execute runs a filter when matched.
func (p *packer) execute(a *compositev3.ExecuteFilterAction) *xdsmatcherv3.Matcher_OnMatch {
	return &xdsmatcherv3.Matcher_OnMatch{OnMatch: &xdsmatcherv3.Matcher_OnMatch_Action{
		Action: &xdscorev3.TypedExtensionConfig{Name: "execute", TypedConfig: p.pack(a)},
	}}
}

// off switches a filter off on one route.
func (p *packer) off() *anypb.Any { return p.pack(&routev3.FilterConfig{Disabled: true}) }
