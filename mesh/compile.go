package mesh

import (
	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/internal/sorted"
)

// Compile is the mesh of the objects. It depends on them alone: prev, the mesh of earlier objects or nil, only tells where to begin.
//
// The cost follows the difference between prev's objects and o, whatever else there is; other Settings make everything new. A piece that
// says the same as before stays the same pointer, so that a write to an annotation or a status that no gateway reads changes nothing.
func Compile(o Objects, prev *Mesh) *Mesh {
	c := newCompiler(o, prev)
	c.builtins()
	c.services()
	c.endpoints()
	c.pods()
	c.gateways()
	c.routes()
	c.publish()
	return c.next
}

// A compiler turns one mesh into the next.
type compiler struct {
	settings *Settings
	from     Objects // what next was made from so far; nothing when all must be made anew
	to       Objects
	old      *Mesh                 // whose pieces are kept where they say the same
	next     *Mesh                 // owned by the compiler until Compile returns
	fresh    bool                  // next starts from nothing
	reports  map[string][]*Problem // what stages have to say now, by stage and thing
}

func newCompiler(o Objects, prev *Mesh) *compiler {
	c := &compiler{settings: o.Settings, to: o, old: prev}
	switch {
	case prev == nil:
		c.old, c.fresh = &Mesh{}, true
		c.next = &Mesh{Settings: o.Settings}
	case prev.objects.Settings != o.Settings:
		c.fresh = true
		c.next = &Mesh{Settings: o.Settings}
	default:
		c.from = prev.objects
		next := *prev
		c.next = &next
	}
	c.next.objects = o
	c.reports = map[string][]*Problem{}
	return c
}

// place is m with p at key, or without key when p is nil. A piece that before has already, with the same content, is taken from there.
func place[P piece](m, before sorted.Map[P], key string, p P) sorted.Map[P] {
	var none P
	if p == none {
		return m.Without(key)
	}
	if was, ok := before.Get(key); ok && same(was, p) {
		p = was
	}
	return put(m, key, p)
}

// put is m with value at key. A map that has it there already stays as it is, so that it does not look changed.
func put[V comparable](m sorted.Map[V], key string, value V) sorted.Map[V] {
	if now, ok := m.Get(key); ok && now == value {
		return m
	}
	return m.With(key, value)
}

// A stage is a part of the compiler. Each has its own fields of an object to complain about.
type stage string

const (
	inBuiltin   stage = "builtin"
	inService   stage = "service"
	inEndpoints stage = "endpoints"
	inPod       stage = "pod"
	inGateway   stage = "gateway"
	inRoute     stage = "route"
	inPair      stage = "pair"
	inToken     stage = "token"
	inProof     stage = "proof"
)

// report replaces what a stage has to say about the thing that it calls name.
func (c *compiler) report(s stage, name string, problems []*Problem) {
	c.reports[string(s)+"/"+name] = problems
}

// publish puts the reports into the mesh. It waits for all of them, since one stage may drop a problem that another takes up.
func (c *compiler) publish() {
	gone := map[string]struct{}{}
	for key, problems := range c.reports {
		if before, had := c.next.index.said.Get(key); had {
			for _, p := range before.problems {
				gone[p.ID()] = struct{}{}
			}
		}
		c.next.index.said = c.remember(key, problems)
	}
	for key := range c.reports {
		if now, ok := c.next.index.said.Get(key); ok {
			for _, p := range now.problems {
				delete(gone, p.ID())
				c.next.Problems = put(c.next.Problems, p.ID(), p)
			}
		}
	}
	for id := range gone {
		c.next.Problems = c.next.Problems.Without(id)
	}
}

// remember keeps what a stage has said: one problem per field, the first, which is the one to mend first. Problems that say the same as
// before stay the same pointers.
func (c *compiler) remember(key string, problems []*Problem) sorted.Map[*said] {
	now := &said{}
	for _, p := range problems {
		if now.has(p.ID()) {
			continue
		}
		if was, ok := c.old.Problems.Get(p.ID()); ok && *was == *p {
			p = was
		}
		now.problems = append(now.problems, p)
	}
	if len(now.problems) == 0 {
		return c.next.index.said.Without(key)
	}
	return c.next.index.said.With(key, now)
}

// said is what one stage has to say about one thing.
type said struct{ problems []*Problem }

func (s *said) has(id string) bool {
	for _, p := range s.problems {
		if p.ID() == id {
			return true
		}
	}
	return false
}

// ref names an object of the domain's namespace.
func (c *compiler) ref(kind, namespace, name string) live.Ref {
	if namespace == "" {
		namespace = c.settings.Domain
	}
	return live.Ref{Kind: kind, Namespace: namespace, Name: name}
}

// An index is what the next Compile must know beside the pieces: how objects hang together.
type index struct {
	said     sorted.Map[*said]    // problems by stage and thing
	readings sorted.Map[*reading] // by name of the DomainRoute
	claims   sorted.Map[*reading] // by pair and name: who wants to be the route of a pair
	vias     sorted.Map[struct{}] // by the domain between, then the pair, then the route's name
	dates    sorted.Map[struct{}] // by the time at which a certificate starts or ends being valid, then the route's name
	sealed   sorted.Map[*users]   // by ciphertext: the routes that list it
	pairs    sorted.Map[*holding] // by pair: what its route holds
	proofs   sorted.Map[Accepted] // by token, then the route's name: who claims to be proved by it
}
