package mesh

import (
	"encoding/base64"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/internal/live"
)

// Sealed goes through the sealed tokens that a DomainRoute needs opened, oldest first. A route that is proved by other means and encrypts
// nothing needs none, whatever its status lists.
func Sealed(o *v1alpha1.DomainRoute) iter.Seq[string] {
	return func(yield func(string) bool) {
		third := o.Spec.Transit != nil && o.Spec.Transit.TransitMethod != v1alpha1.TransitReverseTunnel
		if o.Spec.BodyEncryption == nil && (third || o.Spec.AuthenticationType != v1alpha1.AuthToken) {
			return
		}
		for i := range o.Status.TokenStatus.Tokens {
			if s := o.Status.TokenStatus.Tokens[i].Token; s != "" && !yield(s) {
				return
			}
		}
	}
}

// A holding is what the route of a pair holds: the tokens that its object lists and that could be opened.
type holding struct {
	name     string
	ref      live.Ref
	tokens   []held
	proves   bool // the tokens prove the source to this domain
	unopened int
}

type held struct {
	Token
	at int // its place in the object's list
}

// release takes back what the route of a pair held. It marks the tokens that now prove somebody else, or nobody.
func (c *compiler) release(pair string, touched map[string]struct{}) {
	x := &c.next.index
	was, had := x.pairs.Get(pair)
	if !had {
		return
	}
	x.pairs = x.pairs.Without(pair)
	c.next.Unopened -= was.unopened
	if !was.proves {
		return
	}
	for _, t := range was.tokens {
		x.proofs = x.proofs.Without(t.Value.text + "\x00" + was.name)
		touched[t.Value.text] = struct{}{}
	}
	c.report(inProof, was.name, nil)
}

// hold gives a pair what its route holds. It marks the tokens that now prove the source.
func (c *compiler) hold(pair string, r *reading, touched map[string]struct{}) {
	x := &c.next.index
	partner, out := strings.CutPrefix(pair, outbound)
	if !out {
		partner = strings.TrimPrefix(pair, inbound)
	}
	if r == nil {
		c.report(inToken, pair, nil)
		c.expose(partner, out, nil, nil)
		return
	}
	h, problems := c.open(r)
	h.proves = !out && r.route.Auth == AuthToken && r.route.Via == ""
	c.next.Unopened += h.unopened
	x.pairs = x.pairs.With(pair, h)
	c.report(inToken, pair, problems)
	c.expose(partner, out, r.route, h)
	c.prove(h, partner, touched)
}

// open looks up what became of the tokens of a route. What is no token of 32 bytes is not taken for one: it would stand in headers.
func (c *compiler) open(r *reading) (*holding, []*Problem) {
	h := &holding{name: r.route.Name, ref: r.route.Ref}
	v := review{ref: r.route.Ref}
	if len(r.sealed) == 0 {
		return h, nil
	}
	list := r.object.Status.TokenStatus.Tokens
	for i := range list {
		field := item("status.tokenStatus.tokens", i) + ".token"
		opened, ok := c.to.Opened.Get(list[i].Token)
		switch raw, err := base64.StdEncoding.DecodeString(opened.Token.text); {
		case list[i].Token == "":
		case !ok:
			h.unopened++
		case opened.Fault != "":
			v.fault(field, opened.Fault, "the next handshake replaces it; if it stays, check that the domain's key is the one in the route's tokenConfig")
		case err != nil || len(raw) != 32 || len(opened.Token.text) != base64.StdEncoding.EncodedLen(32):
			v.fault(field, "what is sealed in it is no token of 32 bytes", "the next handshake replaces it")
		default:
			h.tokens = append(h.tokens, held{Token{Revision: list[i].Revision, Value: opened.Token}, i})
		}
	}
	return h, v.close(r.route.Ref.Version)
}

// expose writes the tokens of a pair where gateways look for them.
func (c *compiler) expose(partner string, out bool, r *Route, h *holding) {
	var tokens *Tokens
	var keys *Keys
	var all []Token
	if r != nil {
		for _, t := range h.tokens {
			all = append(all, t.Token)
		}
	}
	switch {
	case r == nil:
	case out && (r.Encryption != "" || r.Auth == AuthToken && r.Via == ""):
		tokens = &Tokens{Ref: r.Ref, Destination: partner, All: all}
		if n := len(all); n > 0 {
			tokens.Current, tokens.Credential = all[n-1].Value, h.credential(all[n-1])
		}
		tokens.Ref.Version = version(tokens, c.settings.DomainKey)
	case !out && r.Encryption != "":
		keys = &Keys{Ref: r.Ref, Source: partner, All: all}
		keys.Ref.Version = version(keys, c.settings.DomainKey)
	}
	if out {
		c.next.Tokens = place(c.next.Tokens, c.old.Tokens, partner, tokens)
	} else {
		c.next.Keys = place(c.next.Keys, c.old.Keys, partner, keys)
	}
}

// credential names one revision of the route's token.
func (h *holding) credential(t Token) live.Ref {
	return live.Ref{Kind: live.KindCredential, Namespace: h.ref.Namespace, Name: h.name, Version: strconv.FormatInt(t.Revision, 10)}
}

// prove lets each token of a holding claim that it proves the source.
func (c *compiler) prove(h *holding, source string, touched map[string]struct{}) {
	if !h.proves {
		return
	}
	x := &c.next.index
	for _, t := range h.tokens {
		x.proofs = x.proofs.With(t.Value.text+"\x00"+h.name, Accepted{Source: source, Credential: h.credential(t.Token)})
		touched[t.Value.text] = struct{}{}
	}
}

// accept decides whom each touched token proves: of several the one whose DomainRoute has the smallest name. A token must never prove two.
func (c *compiler) accept(touched map[string]struct{}) {
	again := map[string]struct{}{} // sources whose claims are to be judged again
	for token := range touched {
		first := true
		for _, claim := range below(c.next.index.proofs, token) {
			if first {
				c.next.Accepted = put(c.next.Accepted, token, claim)
			}
			first = false
			again[claim.Source] = struct{}{}
		}
		if first {
			c.next.Accepted = c.next.Accepted.Without(token)
		}
	}
	for source := range again {
		h, _ := c.next.index.pairs.Get(inbound + source)
		v := review{ref: h.ref}
		for _, t := range h.tokens {
			if to, _ := c.next.Accepted.Get(t.Value.text); to.Source != source {
				v.fault(item("status.tokenStatus.tokens", t.at)+".token", fmt.Sprintf("the same token proves %s already", quote(to.Source)),
					"clear status.tokenStatus of both routes, so that each negotiates a token of its own")
			}
		}
		c.report(inProof, h.name, v.close(h.ref.Version))
	}
}
