package mesh

import (
	"fmt"
	"slices"
	"strings"

	"github.com/entente-mesh/entente/internal/sorted"
)

// settle finds the route of each dirty pair, and of the pairs that lean on it, and what that route holds.
func (c *compiler) settle(dirty map[string]struct{}) {
	all := map[string]struct{}{}
	for pair := range dirty {
		all[pair] = struct{}{}
		if between, ok := strings.CutPrefix(pair, outbound); ok {
			for key := range below(c.next.index.vias, between) {
				leaning, _, _ := strings.Cut(key, "\x00")
				all[leaning] = struct{}{}
			}
		}
	}
	touched := map[string]struct{}{} // tokens that prove somebody
	for pair := range all {
		c.release(pair, touched) // all, before another pair takes up the same object
	}
	for pair := range all {
		c.hold(pair, c.winner(pair), touched)
	}
	c.accept(touched)
}

// below goes through the entries whose keys begin with prefix and a zero byte, with the rest of their keys.
func below[V any](m sorted.Map[V], prefix string) func(func(string, V) bool) {
	prefix += "\x00"
	return func(yield func(string, V) bool) {
		for key, value := range m.From(prefix) {
			rest, ok := strings.CutPrefix(key, prefix)
			if !ok || !yield(rest, value) {
				return
			}
		}
	}
}

// winner puts the route of a pair into its place: of several the one with the smallest name. A third-domain route needs a direct one to the
// domain in between, since it uses that one's connections and token.
func (c *compiler) winner(pair string) *reading {
	var won *reading
	var problems []*Problem
	for name, r := range below(c.next.index.claims, pair) {
		if won == nil {
			won = r
			continue
		}
		v := review{ref: r.route.Ref}
		v.fault("metadata.name", fmt.Sprintf("%s is the route from %s to %s already", quote(won.route.Name), r.route.Source, r.route.Destination),
			"remove "+quote(name)+" or the other one")
		problems = append(problems, v.close(r.route.Ref.Version)...)
	}
	if won != nil && won.route.Via != "" && strings.HasPrefix(pair, outbound) && !c.direct(won.route.Via) {
		v := review{ref: won.route.Ref}
		v.fault("spec.transit.domain", fmt.Sprintf("there is no direct route to %s, the domain in between", quote(won.route.Via)),
			fmt.Sprintf("add a route from %s to %s", won.route.Source, won.route.Via))
		problems = append(problems, v.close(won.route.Ref.Version)...)
		won = nil
	}
	c.report(inPair, pair, problems)
	var r *Route
	if won != nil {
		r = won.route
	}
	if partner, ok := strings.CutPrefix(pair, outbound); ok {
		c.next.Outbound = place(c.next.Outbound, c.old.Outbound, partner, r)
	} else {
		c.next.Inbound = place(c.next.Inbound, c.old.Inbound, strings.TrimPrefix(pair, inbound), r)
	}
	return won
}

// direct says whether the domain can be called without a third one.
func (c *compiler) direct(domain string) bool {
	for _, r := range below(c.next.index.claims, outbound+domain) {
		return r.route.Via == ""
	}
	return false
}

// users are the DomainRoutes that list a ciphertext: nearly always one.
type users struct{ names []string }

func (u *users) all() []string {
	if u == nil {
		return nil
	}
	return u.names
}

// employ adds a user.
func employ(m sorted.Map[*users], sealed, name string) sorted.Map[*users] {
	was, _ := m.Get(sealed)
	if slices.Contains(was.all(), name) {
		return m
	}
	return m.With(sealed, &users{append(slices.Clone(was.all()), name)})
}

// dismiss takes a user away.
func dismiss(m sorted.Map[*users], sealed, name string) sorted.Map[*users] {
	was, _ := m.Get(sealed)
	rest := slices.DeleteFunc(slices.Clone(was.all()), func(n string) bool { return n == name })
	if len(rest) == 0 {
		return m.Without(sealed)
	}
	return m.With(sealed, &users{rest})
}
