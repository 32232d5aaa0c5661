package translate

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// longestPattern bounds the hosts of one limit, in bytes: Envoy compiles no regular expression of more than 512 instructions, some one per byte,
// and refuses the whole table with one that is longer.
const longestPattern = 400

// A limit is how fast one task may exchange bodies with one destination.
type limit struct {
	task     string
	kiBps    uint64
	prefixes []string // of the hosts that it is about, sorted
}

// limits are the bandwidth limits of the domain's services by destination, in the order of the tasks. All parties of a task call their services by
// the same name up to the port, so a service's own name says which hosts of the destination are meant. Where services of one task disagree, the
// smallest limit holds.
func (e *egress) limits() map[string][]limit {
	type key struct{ destination, task string }
	found := map[key]*limit{}
	for _, s := range e.mesh.Services.All() {
		for _, b := range s.Bandwidth {
			k := key{b.Destination, b.Task}
			if found[k] == nil {
				found[k] = &limit{task: b.Task, kiBps: b.KiBps}
			}
			l := found[k]
			prefixes := append(slices.Clone(l.prefixes), withoutPort(s.Name))
			slices.Sort(prefixes)
			if prefixes = slices.Compact(prefixes); len(pattern(prefixes)) > longestPattern {
				e.report(s.Ref, "", "task "+b.Task+" has more services with a bandwidth limit towards "+b.Destination+" than one limit can name, so this one has none",
					"use fewer or shorter service names")
				continue
			}
			l.prefixes, l.kiBps = prefixes, min(l.kiBps, b.KiBps)
			e.from = append(e.from, s.Ref)
		}
	}
	all := map[string][]limit{}
	for _, k := range slices.SortedFunc(maps.Keys(found), func(a, b key) int { return cmp.Compare(a.task, b.task) }) {
		all[k.destination] = append(all[k.destination], *found[k])
	}
	return all
}

// withoutPort is the name of a task's service without the port, which is its last word.
func withoutPort(service string) string {
	if i := strings.LastIndexByte(service, '-'); i > 0 {
		return service[:i]
	}
	return service
}

// pattern fits hosts that begin with one of the prefixes.
func pattern(prefixes []string) string {
	quoted := make([]string, 0, len(prefixes))
	for _, prefix := range prefixes {
		quoted = append(quoted, regexp.QuoteMeta(prefix))
	}
	return "(" + strings.Join(quoted, "|") + ").*"
}

// throttledRoutes are copies of a partner's routes for the hosts of each limit.
func (p *packer) throttledRoutes(limits []limit, routes []*routev3.Route) []*routev3.Route {
	var all []*routev3.Route
	for _, l := range limits {
		if len(l.prefixes) == 0 {
			continue
		}
		for _, r := range routes {
			r = proto.CloneOf(r)
			r.Name = l.task + "-bandwidth-limit"
			r.Match.Headers = append(r.Match.Headers, headerFits(":authority", pattern(l.prefixes)))
			if r.TypedPerFilterConfig == nil {
				r.TypedPerFilterConfig = map[string]*anypb.Any{}
			}
			r.TypedPerFilterConfig[filterBandwidth] = p.throttled(l.kiBps)
			all = append(all, r)
		}
	}
	return all
}
