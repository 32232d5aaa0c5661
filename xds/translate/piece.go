package translate

import (
	"cmp"
	"errors"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
)

// A message is one of Envoy's configuration messages, which know their own rules.
type message interface {
	proto.Message
	ValidateAll() error
}

// A packer packs messages into the open places of others. Validation from outside does not look into these, so it judges each as it goes in.
type packer struct {
	faults []error
	remedy string // of the fault that is not Envoy's but ours
}

// pack puts a message into an Any, in the same bytes each time.
func (p *packer) pack(m message) *anypb.Any {
	if err := m.ValidateAll(); err != nil {
		p.faults = append(p.faults, err)
	}
	packed := new(anypb.Any)
	if err := anypb.MarshalFrom(packed, m, proto.MarshalOptions{Deterministic: true}); err != nil {
		p.faults = append(p.faults, err)
	}
	return packed
}

// extension packs a message under a name.
func (p *packer) extension(name string, m message) *corev3.TypedExtensionConfig {
	return &corev3.TypedExtensionConfig{Name: name, TypedConfig: p.pack(m)}
}

// refuse makes the piece invalid for a reason of our own, which the remedy ends.
func (p *packer) refuse(reason, remedy string) {
	p.faults = append(p.faults, errors.New(reason))
	p.remedy = remedy
}

// A piece is what was made of one part of the mesh: resources and what is wrong with it. When anything is wrong, none of the resources leaves.
type piece struct {
	packer
	from      live.Ref // the object; none for what belongs to no single one
	resources []cache.Resource
}

// add puts a resource into the piece.
func (p *piece) add(t cache.Type, name string, body message) *cache.Resource {
	if err := body.ValidateAll(); err != nil {
		p.faults = append(p.faults, err)
	}
	r := cache.Resource{Key: cache.Key{Type: t, Name: name}, Body: body}
	if p.from != (live.Ref{}) {
		r.From = []live.Ref{p.from}
	}
	p.resources = append(p.resources, r)
	return &p.resources[len(p.resources)-1]
}

// problem is what is wrong with the piece, or nil. What Envoy's rules say about a message names its fields and not their values, so that no
// secret gets into it.
func (p *piece) problem() *mesh.Problem {
	if len(p.faults) == 0 {
		return nil
	}
	return &mesh.Problem{
		Object: p.from,
		Reason: errors.Join(p.faults...).Error(),
		Remedy: cmp.Or(p.remedy, "change the field that Envoy cannot work with; until then gateways are not told of this part of the object"),
	}
}

// ads is where everything comes from that a resource refers to.
func ads() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ResourceApiVersion:    corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
	}
}

func u32(n uint32) *wrapperspb.UInt32Value { return wrapperspb.UInt32(n) }

func seconds(n int64) *durationpb.Duration { return &durationpb.Duration{Seconds: n} }
