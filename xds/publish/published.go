package publish

import (
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/internal/sorted"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/translate"
)

// published is what has been committed. It is immutable.
type published struct {
	mesh *mesh.Mesh // nil before the first commit
	// routes are those of the mesh by the name of their object.
	routes sorted.Map[*mesh.Route]
	// faults are what could not be translated, by translate.Fault.Table and Problem.ID.
	faults map[string]sorted.Map[*mesh.Problem]
}

// with is what is published after m, by a delta with the given faults. It costs the difference.
func (p *published) with(m *mesh.Mesh, delta cache.Delta, faults []translate.Fault) *published {
	next := &published{mesh: m, routes: p.routes, faults: maps.Clone(p.faults)}
	before := p.mesh
	if before == nil || before.Settings != m.Settings {
		next.faults = nil // everything was made anew
	}
	if next.faults == nil {
		next.faults = map[string]sorted.Map[*mesh.Problem]{}
	}
	if before == nil {
		before = &mesh.Mesh{}
	}
	for change := range sorted.Diff(before.Services, m.Services) {
		if change.In {
			next.absolve(change.Old.Ref)
		}
	}
	next.follow(before, m)
	for _, r := range delta.Set {
		if r.Type == cache.Route {
			delete(next.faults, r.Name)
		}
	}
	for _, f := range faults {
		about := *f.Problem
		about.Object.Kind = objectOf(about.Object).kind
		next.faults[f.Table] = next.faults[f.Table].With(about.ID(), &about)
	}
	return next
}

// follow keeps routes in step, and drops the faults of those that are made anew.
func (p *published) follow(before, after *mesh.Mesh) {
	var came []*mesh.Route
	for _, routes := range [][2]sorted.Map[*mesh.Route]{{before.Outbound, after.Outbound}, {before.Inbound, after.Inbound}} {
		for change := range sorted.Diff(routes[0], routes[1]) {
			if change.In {
				p.absolve(change.Old.Ref)
				p.routes = p.routes.Without(change.Old.Name)
			}
			if change.Out {
				came = append(came, change.New)
			}
		}
	}
	for _, r := range came { // after all that went: an object may have moved from one pair to another
		p.routes = p.routes.With(r.Name, r)
	}
}

// absolve drops the faults of an object whose own resources are made anew.
func (p *published) absolve(ref live.Ref) {
	own := p.faults[""]
	for id := range problemsOf(objectOf(ref), own) {
		own = own.Without(id)
	}
	p.faults[""] = own
}

// problem is the first problem of an object: of those that the mesh has found, then of those that the translation has.
func (p *published) problem(o object) *mesh.Problem {
	for _, problem := range problemsOf(o, p.mesh.Problems) {
		return problem
	}
	for _, table := range slices.Sorted(maps.Keys(p.faults)) {
		for _, problem := range problemsOf(o, p.faults[table]) {
			return problem
		}
	}
	return nil
}

// problemsOf goes through the problems of an object, by their ID.
func problemsOf(o object, problems sorted.Map[*mesh.Problem]) iter.Seq2[string, *mesh.Problem] {
	whole := mesh.Problem{Object: live.Ref{Kind: o.kind, Namespace: o.namespace, Name: o.name}}
	return func(yield func(string, *mesh.Problem) bool) {
		for id, problem := range problems.From(whole.ID()) {
			if !strings.HasPrefix(id, whole.ID()) || !yield(id, problem) {
				return
			}
		}
	}
}

// problems is how many there are.
func (p *published) problems() int {
	n := p.mesh.Problems.Len()
	for _, faults := range p.faults {
		n += faults.Len()
	}
	return n
}

// parts are what resources are made of for an object: first the object itself.
func (p *published) parts(o object) []live.Ref {
	switch o.kind {
	case mesh.KindService:
		return p.serviceParts(o.name)
	case mesh.KindRoute:
		return p.routeParts(o.name)
	}
	return nil
}

func (p *published) serviceParts(name string) []live.Ref {
	s, ok := p.mesh.Services.Get(name)
	if !ok || s.Builtin != nil {
		return nil
	}
	parts := []live.Ref{s.Ref}
	if e, ok := p.mesh.Endpoints.Get(name); ok {
		parts = append(parts, translate.EndpointsRef(e))
	}
	return parts
}

func (p *published) routeParts(name string) []live.Ref {
	r, ok := p.routes.Get(name)
	if !ok {
		return nil
	}
	parts := []live.Ref{r.Ref}
	if t, ok := p.mesh.Tokens.Get(r.Destination); ok && t.Ref.Name == name && !t.Current.Empty() {
		parts = append(parts, t.Credential)
	}
	return parts
}
