package translate

import (
	"cmp"
	"iter"
	"slices"
	"sync"

	"github.com/entente-mesh/entente/internal/sorted"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
)

// Delta is how the domain's resources, which are all but its gateways' listeners, change from one mesh to the next; before may be nil. It holds no
// key twice, and its cost follows the difference of the two meshes. Applied one after the other, the deltas of a sequence of meshes make the same
// resources as the delta from nil to the last one.
//
// What Envoy would refuse is not in the delta, and what was there in its place goes: the faults say what and why.
func Delta(before, after *mesh.Mesh) (cache.Delta, []Fault) {
	c := &comparison{before: before, after: after}
	if before == nil || before.Settings != after.Settings {
		c.everything()
	} else {
		c.services()
		c.partners()
		c.shards()
		c.admission()
		c.sources()
		c.routes()
	}
	return c.close()
}

// A Fault is a part of an object that could not be translated.
type Fault struct {
	*mesh.Problem
	// Table is the route table that should have held it, and empty for a resource of the object's own. What is made anew, a table or an object,
	// has all its faults made anew.
	Table string
}

// A comparison collects what changes from one mesh to another.
type comparison struct {
	before, after *mesh.Mesh
	delta         cache.Delta
	faults        []Fault
}

// replace puts a piece in the place of another; either may be nil.
func (c *comparison) replace(was, is *piece) {
	kept := 0
	if is != nil {
		if problem := is.problem(); problem != nil {
			c.faults = append(c.faults, Fault{Problem: problem})
			is.resources = nil
		}
		c.delta.Set = append(c.delta.Set, is.resources...)
		kept = len(is.resources)
	}
	if was == nil {
		return
	}
	stays := c.delta.Set[len(c.delta.Set)-kept:]
	for _, r := range was.resources {
		if !slices.ContainsFunc(stays, func(now cache.Resource) bool { return now.Key == r.Key }) {
			c.delta.Delete = append(c.delta.Delete, r.Key)
		}
	}
}

// everything puts all pieces of one mesh in the place of those of the other.
func (c *comparison) everything() {
	now := map[cache.Key]struct{}{}
	tables := comparison{after: c.after}
	var making sync.WaitGroup
	making.Go(func() { tables.setRoutes(true, true) }) // a third of the work at a start, for which everybody waits
	for is := range pieces(c.after) {
		c.replace(nil, is)
	}
	making.Wait()
	c.delta.Set, c.faults = append(c.delta.Set, tables.delta.Set...), append(c.faults, tables.faults...)
	for _, r := range c.delta.Set {
		now[r.Key] = struct{}{}
	}
	if c.before == nil {
		return
	}
	for was := range pieces(c.before) { // its routes have the same names
		for _, r := range was.resources {
			if _, stays := now[r.Key]; !stays {
				c.delta.Delete = append(c.delta.Delete, r.Key)
			}
		}
	}
}

// pieces are all that a mesh is made into, but for the routes.
func pieces(m *mesh.Mesh) iter.Seq[*piece] {
	return func(yield func(*piece) bool) {
		if !yield(transitCluster()) || !yield(tunnelCluster()) || !yield(settingsSecrets(m.Settings)) || !yield(admission(m)) || !yield(sources(m)) {
			return
		}
		for i := range len(Shards) {
			if !yield(shard(Shards[i], m.Accepted)) {
				return
			}
		}
		for name := range m.Services.Keys() {
			if !yield(serviceOf(m, name)) || !yield(endpointsOf(m, name)) {
				return
			}
		}
		for name := range m.Outbound.Keys() {
			if !yield(partnerOf(m, name)) || !yield(tokenOf(m, name)) {
				return
			}
		}
	}
}

func (c *comparison) services() {
	touched := changed(nil, c.before.Services, c.after.Services)
	for _, name := range touched {
		c.replace(serviceOf(c.before, name), serviceOf(c.after, name))
	}
	for _, name := range unique(changed(touched, c.before.Endpoints, c.after.Endpoints)) {
		c.replace(endpointsOf(c.before, name), endpointsOf(c.after, name))
	}
}

func (c *comparison) partners() {
	touched := changed(nil, c.before.Outbound, c.after.Outbound)
	for _, name := range touched {
		c.replace(partnerOf(c.before, name), partnerOf(c.after, name))
	}
	for _, name := range unique(changed(touched, c.before.Tokens, c.after.Tokens)) {
		c.replace(tokenOf(c.before, name), tokenOf(c.after, name))
	}
}

func (c *comparison) shards() {
	var touched [1 << 8]bool
	for change := range sorted.Diff(c.before.Accepted, c.after.Accepted) {
		if change.Key != "" {
			touched[change.Key[0]] = true
		}
	}
	for i := range len(Shards) {
		if touched[Shards[i]] {
			c.replace(nil, shard(Shards[i], c.after.Accepted))
		}
	}
}

func (c *comparison) admission() {
	if podsMoved(c.before, c.after) || gatewaysMoved(c.before, c.after) {
		c.replace(nil, admission(c.after))
	}
}

// sources takes every change of an inbound route for one that matters: they are few.
func (c *comparison) sources() {
	if differ(c.before.Inbound, c.after.Inbound, func(*mesh.Route) bool { return true }) {
		c.replace(nil, sources(c.after))
	}
}

func podsMoved(before, after *mesh.Mesh) bool {
	for change := range sorted.Diff(before.Pods, after.Pods) {
		if !change.In || !change.Out || !slices.Equal(change.Old.Addresses, change.New.Addresses) {
			return true
		}
	}
	return false
}

func gatewaysMoved(before, after *mesh.Mesh) bool {
	for change := range sorted.Diff(before.Gateways, after.Gateways) {
		if !change.In || !change.Out || change.Old.Address != change.New.Address {
			return true
		}
	}
	return false
}

// close gives the delta in the order of its keys.
func (c *comparison) close() (cache.Delta, []Fault) {
	slices.SortFunc(c.delta.Set, func(a, b cache.Resource) int { return compareKeys(a.Key, b.Key) })
	slices.SortFunc(c.delta.Delete, compareKeys)
	return c.delta, c.faults
}

func compareKeys(a, b cache.Key) int {
	return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
}

// changed adds to keys those on which two maps differ.
func changed[V comparable](keys []string, before, after sorted.Map[V]) []string {
	for change := range sorted.Diff(before, after) {
		keys = append(keys, change.Key)
	}
	return keys
}

// unique sorts keys and drops those that are there already.
func unique(keys []string) []string {
	slices.Sort(keys)
	return slices.Compact(keys)
}

func serviceOf(m *mesh.Mesh, name string) *piece {
	if s, ok := m.Services.Get(name); ok {
		return service(s, m.Settings)
	}
	return nil
}

func endpointsOf(m *mesh.Mesh, name string) *piece {
	s, ok := m.Services.Get(name)
	if !ok {
		return nil
	}
	e, _ := m.Endpoints.Get(name)
	return endpoints(s, e, m.Settings)
}

func partnerOf(m *mesh.Mesh, destination string) *piece {
	if r, ok := m.Outbound.Get(destination); ok {
		return partner(r, m.Settings)
	}
	return nil
}

func tokenOf(m *mesh.Mesh, destination string) *piece {
	r, ok := m.Outbound.Get(destination)
	if !ok {
		return nil
	}
	t, _ := m.Tokens.Get(destination)
	return token(r, t)
}
