package translate

import (
	"github.com/entente-mesh/entente/internal/sorted"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
)

// routes rebuilds the route tables that read something of what has changed. They are whole tables, which grow with the partners and with the
// services that have a route of their own: what touches none of these must not touch them.
func (c *comparison) routes() {
	destinations := differ(c.before.Outbound, c.after.Outbound, func(*mesh.Route) bool { return true })
	c.setRoutes(
		destinations || differ(c.before.Services, c.after.Services, named) || differ(c.before.Inbound, c.after.Inbound, inTable),
		destinations || differ(c.before.Services, c.after.Services, inRoutes),
	)
}

// inTable says that the external table knows the source: it needs no token, or it may pass through.
func inTable(r *mesh.Route) bool { return !proven(r) || len(r.TransitTo) > 0 }

// setRoutes sets the table of the external listener, and those of the others.
func (c *comparison) setRoutes(external, inside bool) {
	if external {
		c.setTable(externalRoutes(c.after))
	}
	if inside {
		c.setTable(internalRoutes(c.after))
		c.setTable(egressRoutes(c.after))
	}
}

func (c *comparison) setTable(r cache.Resource, problems []*mesh.Problem) {
	c.delta.Set = append(c.delta.Set, r)
	for _, problem := range problems {
		c.faults = append(c.faults, Fault{Problem: problem, Table: r.Name})
	}
}

// differ says whether something that matters came, changed or went.
func differ[V comparable](before, after sorted.Map[V], matters func(V) bool) bool {
	for change := range sorted.Diff(before, after) {
		if change.In && matters(change.Old) || change.Out && matters(change.New) {
			return true
		}
	}
	return false
}
