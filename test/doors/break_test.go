package doors

import (
	"slices"

	xdsmatcherv3 "github.com/cncf/xds/go/xds/type/matcher/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	matchingv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/common/matching/v3"
	apikeyauthv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/api_key_auth/v3"
	compositev3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/composite/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/translate"
)

// The filters' names, as they stand on the wire.
const (
	filterAuth    = "inbound-auth"
	filterSources = translate.FilterSources
)

// A damage is done to the connection manager of a listener.
type damage func(*hcmv3.HttpConnectionManager)

// sound does no damage.
func sound(*hcmv3.HttpConnectionManager) {}

// unauthenticated leaves the authentication out.
func unauthenticated(h *hcmv3.HttpConnectionManager) {
	h.HttpFilters = slices.DeleteFunc(h.HttpFilters, func(f *hcmv3.HttpFilter) bool { return f.Name == filterAuth })
}

// asleep leaves the authentication in the chain and switched off.
func asleep(h *hcmv3.HttpConnectionManager) { authOf(h).Disabled = true }

// bare puts the matcher into the composite filter itself, where Envoys before 1.39 do not look.
func bare(h *hcmv3.HttpConnectionManager) {
	wrapper := new(matchingv3.ExtensionWithMatcher)
	unpack(authOf(h).GetTypedConfig(), wrapper)
	setAuth(h, &compositev3.Composite{Matcher: wrapper.GetXdsMatcher()})
}

// welcoming lets in whoever shows no known first character of a token.
func welcoming(h *hcmv3.HttpConnectionManager) {
	wrapper := new(matchingv3.ExtensionWithMatcher)
	unpack(authOf(h).GetTypedConfig(), wrapper)
	wrapper.GetXdsMatcher().OnNoMatch = nil
	setAuth(h, wrapper)
}

// generous knows one more token, that of routes which need none.
func generous(h *hcmv3.HttpConnectionManager) {
	everybody := &apikeyauthv3.ApiKeyAuth{
		KeySources:  []*apikeyauthv3.KeySource{{Header: names.HeaderToken}},
		Forwarding:  &apikeyauthv3.Forwarding{Header: names.HeaderSource, HideCredentials: true},
		Credentials: []*apikeyauthv3.Credential{{Key: names.TokenNoop, Client: partner}},
	}
	action := &compositev3.ExecuteFilterAction{TypedConfig: &corev3.TypedExtensionConfig{Name: "generous", TypedConfig: pack(everybody)}}
	wrapper := new(matchingv3.ExtensionWithMatcher)
	unpack(authOf(h).GetTypedConfig(), wrapper)
	first := names.TokenNoop[:1]
	match := wrapper.GetXdsMatcher().GetMatcherTree().GetPrefixMatchMap().GetMap()[first]
	match.OnMatch.(*xdsmatcherv3.Matcher_OnMatch_Action).Action.TypedConfig = pack(action)
	setAuth(h, wrapper)
}

// exempting asks for the routes in which authentication is switched off.
func exempting(h *hcmv3.HttpConnectionManager) { h.GetRds().RouteConfigName = exempted }

// exempted is the name of the table that exempt makes.
const exempted = "exempted"

// exempt is the table of partners' routes with authentication, and all that relies on it, switched off.
func exempt(r cache.Resource) cache.Resource {
	table := proto.CloneOf(r.Body.(*routev3.RouteConfiguration))
	table.Name = exempted
	for _, host := range table.VirtualHosts {
		off := pack(&routev3.FilterConfig{Disabled: true})
		host.TypedPerFilterConfig = map[string]*anypb.Any{filterAuth: off, filterSources: off}
	}
	r.Name, r.Body, r.From = exempted, table, nil
	return r
}

func authOf(h *hcmv3.HttpConnectionManager) *hcmv3.HttpFilter {
	return h.HttpFilters[slices.IndexFunc(h.HttpFilters, func(f *hcmv3.HttpFilter) bool { return f.Name == filterAuth })]
}

func setAuth(h *hcmv3.HttpConnectionManager, m proto.Message) {
	authOf(h).ConfigType = &hcmv3.HttpFilter_TypedConfig{TypedConfig: pack(m)}
}

// inflict does the damage to a copy of a listener.
func inflict(d damage, r cache.Resource) cache.Resource {
	listener := proto.CloneOf(r.Body.(*listenerv3.Listener))
	filters := listener.FilterChains[0].Filters
	last := filters[len(filters)-1]
	h := new(hcmv3.HttpConnectionManager)
	unpack(last.GetTypedConfig(), h)
	if h.GetRds().GetRouteConfigName() == translate.RoutesExternal {
		d(h)
	}
	last.ConfigType = &listenerv3.Filter_TypedConfig{TypedConfig: pack(h)}
	r.Body = listener
	return r
}

func pack(m proto.Message) *anypb.Any {
	packed, err := anypb.New(m)
	if err != nil {
		panic(err) // every generated message can be marshalled
	}
	return packed
}

func unpack(packed *anypb.Any, into proto.Message) {
	if err := packed.UnmarshalTo(into); err != nil {
		panic(err) // it was packed by the translation
	}
}

// listenerOf is the listener in an entry of a cache.
func listenerOf(e *cache.Entry) (*listenerv3.Listener, error) {
	var response discoveryv3.DiscoveryResponse
	if err := proto.Unmarshal(e.State(), &response); err != nil {
		return nil, err
	}
	listener := new(listenerv3.Listener)
	return listener, response.GetResources()[0].UnmarshalTo(listener)
}
