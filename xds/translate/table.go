package translate

import (
	"cmp"
	"errors"
	"slices"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
)

// A table is a route configuration that is being made. Each part of it is judged by itself: what Envoy would refuse is left out and reported, and
// the rest goes out.
type table struct {
	packer   // of what holds the parts together
	mesh     *mesh.Mesh
	settings *mesh.Settings
	from     []live.Ref
	problems []*mesh.Problem
}

func newTable(m *mesh.Mesh) table { return table{mesh: m, settings: m.Settings} }

// part makes one part of the table and says whether it is fit to stand there. The object is what the part is made from, if it is one. What is made
// must have been packed, or be judged by build itself.
func (t *table) part(object live.Ref, build func(*packer)) bool {
	var p packer
	build(&p)
	if object != (live.Ref{}) {
		t.from = append(t.from, object)
	}
	if len(p.faults) == 0 {
		return true
	}
	t.report(object, "", errors.Join(p.faults...).Error(),
		cmp.Or(p.remedy, "change what Envoy cannot work with; until then requests that need this part are refused"))
	return false
}

// route makes one route of the table, or nil when Envoy would refuse it.
func (t *table) route(object live.Ref, build func(*packer) *routev3.Route) (r *routev3.Route) {
	if !t.part(object, func(p *packer) {
		r = build(p)
		if err := r.ValidateAll(); err != nil {
			p.faults = append(p.faults, err)
		}
	}) {
		return nil
	}
	return r
}

func (t *table) report(object live.Ref, field, reason, remedy string) {
	t.problems = append(t.problems, &mesh.Problem{Object: object, Field: field, Reason: reason, Remedy: remedy})
}

// resource is the finished table, whose requests lose the headers in gone.
func (t *table) resource(name string, hosts []*routev3.VirtualHost, gone ...string) (cache.Resource, []*mesh.Problem) {
	c := &routev3.RouteConfiguration{
		Name:                   name,
		VirtualHosts:           hosts,
		RequestHeadersToRemove: gone,
		ResponseHeadersToAdd: []*corev3.HeaderValueOption{
			overwrite(names.HeaderAccelBuffering, names.AccelBufferingOff),
			added(names.HeaderTraceID, "%REQ("+names.HeaderTraceID+")%"),
			added(names.HeaderSpanID, "%REQ("+names.HeaderSpanID+")%"),
		},
	}
	// An object may have more than one part in the table, and the same fault in each.
	slices.SortFunc(t.from, func(a, b live.Ref) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version))
	})
	slices.SortStableFunc(t.problems, func(a, b *mesh.Problem) int { return cmp.Compare(a.ID(), b.ID()) })
	return cache.Resource{Key: cache.Key{Type: cache.Route, Name: name}, Body: c, From: slices.Compact(t.from)},
		slices.CompactFunc(t.problems, func(a, b *mesh.Problem) bool { return a.ID() == b.ID() })
}
