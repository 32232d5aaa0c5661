package cache_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/xds/cache"
)

// A modelClient is a client that keeps the protocol.
type modelClient struct {
	m       *model
	name    string
	state   bool // state of the world
	session *cache.Session
	line    *live.Line
	star    [cache.Types]bool
	names   [cache.Types]map[string]bool
	holds   map[cache.Key]string
	inbox   []*cache.Response
	reasons map[cache.Key]int  // how often a name may still be sent
	asked   map[cache.Key]bool // what the client waits for an answer of, even if it does not exist
}

func (c *modelClient) subscribed(key cache.Key) bool {
	return c.star[key.Type] || c.names[key.Type][key.Name]
}

func (c *modelClient) credit(key cache.Key, n int) { c.reasons[key] += n }

// connect begins a stream as Envoy does: all that was subscribed to, and the versions of all that is held.
func (c *modelClient) connect() {
	c.session = cache.NewDeltaSession(view(c.m, c.m.cache, c.m.cache))
	if c.state {
		c.session = cache.NewStateSession(view(c.m, c.m.cache, c.m.cache))
	}
	c.line = c.m.cache.Board().Connect(c.name)
	c.inbox, c.reasons, c.asked = nil, map[cache.Key]int{}, map[cache.Key]bool{}
	for t := range cache.Types {
		r := cache.Request{Type: t, Initial: map[string]string{}}
		for key, version := range c.holds {
			if key.Type == t && !c.state {
				r.Initial[key.Name] = version
			}
		}
		for name := range c.names[t] {
			r.Subscribe = append(r.Subscribe, name)
		}
		legacy := t == cache.Cluster || t == cache.Listener
		if c.star[t] && (!legacy || len(r.Subscribe) > 0) {
			r.Subscribe = append(r.Subscribe, "*")
		} else if legacy && len(r.Subscribe) == 0 {
			c.star[t] = true
		}
		c.expectDifferences(r)
		c.send(r)
	}
}

// whole says whether the type is sent whole to this client.
func (c *modelClient) whole(t cache.Type) bool {
	return c.state && (t == cache.Cluster || t == cache.Listener)
}

// expectDifferences gives a reason to send what the client does not hold, and no other.
func (c *modelClient) expectDifferences(r cache.Request) {
	for i := range modelNames {
		key := cache.Key{Type: r.Type, Name: fmt.Sprintf("r%d", i)}
		if !c.subscribed(key) || c.m.version(key) == r.Initial[key.Name] && c.m.version(key) != "" {
			continue
		}
		c.credit(key, 1)
		if c.names[r.Type][key.Name] {
			c.asked[key] = true
		}
	}
}

func (c *modelClient) send(r cache.Request) {
	if c.state { // always all names
		if r = (cache.Request{Type: r.Type, Nonce: r.Nonce, Rejected: r.Rejected}); c.star[r.Type] {
			r.Names = append(r.Names, "*")
		}
		for name := range c.names[r.Type] {
			r.Names = append(r.Names, name)
		}
	}
	if err := c.session.Receive(r); err != nil {
		c.m.Fatal(err)
	}
}

func (c *modelClient) key() cache.Key {
	return cache.Key{Type: cache.Type(c.m.rng.IntN(int(cache.Types))), Name: fmt.Sprintf("r%d", c.m.rng.IntN(modelNames))}
}

func (c *modelClient) subscribe() {
	key := c.key()
	if c.names[key.Type] == nil {
		c.names[key.Type] = map[string]bool{}
	}
	c.names[key.Type][key.Name] = true
	c.credit(key, 1)
	c.asked[key] = true
	c.m.note("%s subscribes to %s %s", c.name, key.Type, key.Name)
	c.send(cache.Request{Type: key.Type, Subscribe: []string{key.Name}})
}

func (c *modelClient) unsubscribe() {
	key := c.key()
	if !c.names[key.Type][key.Name] {
		return
	}
	delete(c.names[key.Type], key.Name)
	if c.star[key.Type] {
		c.credit(key, 1)
		c.asked[key] = true
	} else {
		delete(c.holds, key)
		delete(c.asked, key)
	}
	c.m.note("%s unsubscribes from %s %s", c.name, key.Type, key.Name)
	c.send(cache.Request{Type: key.Type, Unsubscribe: []string{key.Name}})
}

func (c *modelClient) toggleStar() {
	t := c.key().Type
	c.star[t] = !c.star[t]
	c.m.note("%s subscribes to %s *: %v", c.name, t, c.star[t])
	for i := range modelNames {
		key := cache.Key{Type: t, Name: fmt.Sprintf("r%d", i)}
		switch {
		case c.star[t]:
			c.credit(key, 1)
			c.asked[key] = true
		case c.names[t][key.Name]:
			c.credit(key, 1) // the server may not know yet whether it had come to it
			c.asked[key] = true
		default:
			delete(c.holds, key)
			delete(c.asked, key)
		}
	}
	if c.star[t] {
		c.send(cache.Request{Type: t, Subscribe: []string{"*"}})
	} else {
		c.send(cache.Request{Type: t, Unsubscribe: []string{"*"}})
	}
}

// drop breaks the stream and begins another.
func (c *modelClient) drop() {
	c.m.note("%s reconnects", c.name)
	c.line.Close(c.m.now)
	c.connect()
}

// pump takes everything that the server sends now, and checks it.
func (c *modelClient) pump() {
	last, breaking := cache.Type(0), false
	for rounds := 0; ; rounds++ {
		r := c.session.Next()
		if r == nil {
			break
		}
		if rounds > 100 {
			c.m.Errorf("%s is sent more than 100 responses in a turn", c.name)
			return
		}
		c.m.note("%s is sent %s: %s", c.name, r.Nonce, named{c.m, r})
		// A response without resources is a removal, or the answer to who asked for what does not exist, which comes with the additions.
		answers := slices.ContainsFunc(r.Removed, func(name string) bool { return c.asked[cache.Key{Type: r.Type, Name: name}] })
		makes := !breaking && r.Type >= last && (len(r.Set) > 0 || len(r.Removed) == 0 || answers)
		makes = makes || !breaking && r.Type >= last && c.state
		breaks := (len(r.Set) == 0 || c.whole(r.Type)) && (!breaking || r.Type < last)
		if !makes && !breaks {
			c.m.Errorf("%s is sent %s out of order, after %s", c.name, named{c.m, r}, last)
		}
		breaking = breaking || !makes
		last = r.Type
		c.check(r)
		c.inbox = append(c.inbox, r)
	}
	c.report()
}

func (c *modelClient) report() {
	if report, _, any := c.session.Progress(); any {
		c.m.note("%s reports %+v", c.name, report)
		c.line.Report(report, c.m.now)
	}
}

// A named response is put into words with the contents that the model knows.
type named struct {
	m *model
	r *cache.Response
}

func (n named) String() string {
	words := []string{n.r.Type.String()}
	for _, e := range n.r.Set {
		words = append(words, e.Name+"="+n.m.contents[e.Version])
	}
	for _, name := range n.r.Removed {
		words = append(words, "-"+name)
	}
	return strings.Join(words, " ")
}

// check holds a response against the model: the newest of what is subscribed to, each name once, and not without a reason.
func (c *modelClient) check(r *cache.Response) {
	seen := map[string]bool{}
	sent := func(name, version string) {
		key := cache.Key{Type: r.Type, Name: name}
		if c.reasons[key]--; c.whole(r.Type) {
			c.reasons[key] = 0 // it is sent with all others; and what is to be removed, until the others are there
			if c.m.version(key) == "" {
				version = ""
			}
		}
		switch {
		case seen[name]:
			c.m.Errorf("%s is sent %s %s twice in a response", c.name, r.Type, name)
		case !c.subscribed(key):
			c.m.Errorf("%s is sent %s %s without having subscribed to it", c.name, r.Type, name)
		case version != c.m.version(key):
			c.m.Errorf("%s is sent %s %s as it was", c.name, r.Type, name)
		case c.reasons[key] < 0:
			c.m.Errorf("%s is sent %s %s without a reason", c.name, r.Type, name)
		}
		seen[name] = true
	}
	for _, e := range r.Set {
		sent(e.Name, e.Version)
		for _, key := range e.Follow {
			if c.subscribed(key) {
				c.credit(key, 1)
				c.asked[key] = true
			}
		}
	}
	for _, name := range r.Removed {
		sent(name, "")
	}
}

// answer takes the oldest response, whole or not at all.
func (c *modelClient) answer() {
	if len(c.inbox) == 0 {
		return
	}
	r := c.inbox[0]
	c.inbox = c.inbox[1:]
	reply := cache.Request{Type: r.Type, Nonce: r.Nonce}
	reply.Rejected = slices.ContainsFunc(r.Set, func(e *cache.Entry) bool { return c.m.bad[e.Version] })
	many := len(r.Set)+len(r.Removed) > 1
	for key := range c.holds {
		if c.whole(r.Type) && key.Type == r.Type && !reply.Rejected {
			delete(c.holds, key)
		}
	}
	take := func(name, version string) {
		key := cache.Key{Type: r.Type, Name: name}
		if reply.Rejected && many {
			c.credit(key, 1)
			c.asked[key] = true
			return
		}
		if !c.onItsWay(key) {
			delete(c.asked, key)
		}
		switch {
		case reply.Rejected || !c.subscribed(key):
		case version == "":
			delete(c.holds, key)
		default:
			c.holds[key] = version
		}
	}
	for _, e := range r.Set {
		take(e.Name, e.Version)
	}
	for _, name := range r.Removed {
		take(name, "")
	}
	c.m.note("%s answers %s: rejected %v", c.name, r.Nonce, reply.Rejected)
	c.send(reply)
	c.report()
}

// onItsWay says whether a newer response has the name, or one is owed.
func (c *modelClient) onItsWay(key cache.Key) bool {
	for _, r := range c.inbox {
		if r.Type == key.Type && (slices.Contains(r.Removed, key.Name) || slices.ContainsFunc(r.Set, func(e *cache.Entry) bool { return e.Name == key.Name })) {
			return true
		}
	}
	return c.reasons[key] > 0
}

// checkInSync checks that the client holds all that it wants, as it is, and nothing else.
func (c *modelClient) checkInSync() {
	for t := range cache.Types {
		for i := range modelNames {
			key := cache.Key{Type: t, Name: fmt.Sprintf("r%d", i)}
			held, want := c.holds[key], c.m.version(key)
			switch {
			case !c.subscribed(key):
				want = ""
			case c.state && !c.whole(t) && want == "", c.whole(t) && c.m.anyBad(c, t):
				continue // it cannot be told, or refuses all
			case c.m.bad[want]:
				if c.m.bad[held] {
					c.m.Errorf("%s holds a content that it refuses", c.name)
				}
				continue
			}
			if held != want {
				c.m.Errorf("when everything is answered, %s holds %s %s in version %q, want %q (%s)", c.name, t, key.Name, held, want, c.m.has[key])
			}
		}
	}
}
