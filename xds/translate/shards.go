package translate

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	apikeyauthv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/api_key_auth/v3"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/internal/sorted"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
)

// shard makes the list of the tokens that begin with c, at the cost of its own length. The source whose token a request shows replaces
// whatever the request claims, and the token goes no further. An empty list, which lets nobody in, is never left out: without its list a shard
// answers 500.
func shard(c byte, accepted sorted.Map[mesh.Accepted]) *piece {
	p := &piece{}
	list := &apikeyauthv3.ApiKeyAuth{
		KeySources: []*apikeyauthv3.KeySource{{Header: names.HeaderToken}},
		Forwarding: &apikeyauthv3.Forwarding{Header: names.HeaderSource, HideCredentials: true},
	}
	var from []live.Ref
	for token, whom := range accepted.From(string(c)) {
		if token[0] != c {
			break
		}
		list.Credentials = append(list.Credentials, &apikeyauthv3.Credential{Key: token, Client: whom.Source})
		from = append(from, whom.Credential)
	}
	p.add(cache.Filter, Shard(c), &corev3.TypedExtensionConfig{Name: Shard(c), TypedConfig: p.pack(list)})
	p.resources[0].Secret = true
	p.resources[0].From = from
	return p
}
