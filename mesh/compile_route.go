package mesh

import (
	"fmt"
	"time"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/internal/sorted"
)

// A reading is what one DomainRoute says by itself, before others are looked at.
type reading struct {
	route  *Route // nil when it cannot stand
	pair   string // whose route it wants to be; empty when it does not say
	object *v1alpha1.DomainRoute
	sealed []string  // the tokens that it needs
	tls    *material // certificates that it brings; nil when it needs none
}

// outbound and inbound begin the keys of pairs.
const (
	outbound = "out/"
	inbound  = "in/"
)

// routes compiles the changed DomainRoutes, the routes that lean on them, and the tokens of both.
func (c *compiler) routes() {
	dirty := map[string]struct{}{} // pairs
	for name := range c.rereadable() {
		c.read(name, dirty)
	}
	for change := range sorted.Diff(c.from.Opened, c.to.Opened) {
		users, _ := c.next.index.sealed.Get(change.Key)
		for _, name := range users.all() {
			if r, ok := c.next.index.readings.Get(name); ok && r.route != nil {
				dirty[r.pair] = struct{}{}
			}
		}
	}
	c.settle(dirty)
}

// rereadable are the names of the DomainRoutes that have changed, or whose certificates have begun or ended being valid.
func (c *compiler) rereadable() map[string]struct{} {
	found := map[string]struct{}{}
	for change := range sorted.Diff(c.from.Routes, c.to.Routes) {
		found[change.Key] = struct{}{}
	}
	for name := range c.turned() {
		found[name] = struct{}{}
	}
	return found
}

// read replaces the reading of one DomainRoute and marks the pairs to which it matters.
func (c *compiler) read(name string, dirty map[string]struct{}) {
	x := &c.next.index
	was, had := x.readings.Get(name)
	if had {
		c.unlink(name, was, dirty)
	}
	o, ok := c.to.Routes.Get(name)
	if !ok {
		c.report(inRoute, name, nil)
		return
	}
	r, problems := c.reading(name, o, was)
	c.report(inRoute, name, problems)
	x.readings = x.readings.With(name, r)
	c.link(name, r, dirty)
}

func (c *compiler) unlink(name string, r *reading, dirty map[string]struct{}) {
	x := &c.next.index
	x.readings = x.readings.Without(name)
	for _, s := range r.sealed {
		x.sealed = dismiss(x.sealed, s, name)
	}
	for _, at := range r.tls.instants() {
		x.dates = x.dates.Without(dateKey(at) + name)
	}
	if r.route == nil {
		return
	}
	dirty[r.pair] = struct{}{}
	x.claims = x.claims.Without(r.pair + "\x00" + name)
	if r.route.Via != "" {
		x.vias = x.vias.Without(viaKey(r, name))
	}
}

func (c *compiler) link(name string, r *reading, dirty map[string]struct{}) {
	x := &c.next.index
	for _, s := range r.sealed {
		x.sealed = employ(x.sealed, s, name)
	}
	for _, at := range r.tls.instants() {
		x.dates = x.dates.With(dateKey(at)+name, struct{}{})
	}
	if r.route == nil {
		return
	}
	dirty[r.pair] = struct{}{}
	x.claims = x.claims.With(r.pair+"\x00"+name, r)
	if r.route.Via != "" {
		x.vias = x.vias.With(viaKey(r, name), struct{}{})
	}
}

// viaKey is the place of a third-domain route among those that lean on the same domain.
func viaKey(r *reading, name string) string { return r.route.Via + "\x00" + r.pair + "\x00" + name }

// reading reads one DomainRoute. was is the reading of its predecessor, or nil.
func (c *compiler) reading(name string, o *v1alpha1.DomainRoute, was *reading) (*reading, []*Problem) {
	r := &Route{Ref: c.ref(KindRoute, o.Namespace, name), Name: name, Source: o.Spec.Source, Destination: o.Spec.Destination}
	v := review{ref: r.Ref}
	g := &reading{object: o, pair: c.pair(&v, r)}
	r.Protocol = interConn(&v, o.Spec.InterConnProtocol)
	r.Auth = authentication(&v, &o.Spec)
	r.Encryption = cipher(&v, o.Spec.BodyEncryption)
	r.Via, r.ReverseTunnel = way(&v, &o.Spec)
	r.GRPCDegrade = o.Labels[names.LabelGRPCDegrade] == names.GRPCDegraded
	if !v.refused {
		if c.outbound(r) {
			c.leave(&v, r, g, was)
		} else {
			c.enter(&v, r, g, was)
		}
	}
	if v.refused {
		return g, v.close("")
	}
	for s := range Sealed(o) {
		g.sealed = append(g.sealed, s)
	}
	r.Ref.Version = version(r, c.settings.DomainKey)
	g.route = c.kept(r)
	return g, v.close(r.Ref.Version)
}

// kept is r, or the route that is there already and says the same. ClientTLS is compared by pointer, so one with the same content stays even
// when the rest of the route is new.
func (c *compiler) kept(r *Route) *Route {
	routes, partner := c.old.Inbound, r.Source
	if c.outbound(r) {
		routes, partner = c.old.Outbound, r.Destination
	}
	was, ok := routes.Get(partner)
	if !ok {
		return r
	}
	if r.TLS != nil && was.TLS != nil && *r.TLS == *was.TLS {
		r.TLS = was.TLS
	}
	if same(was, r) {
		return was
	}
	return r
}

func (c *compiler) outbound(r *Route) bool { return r.Source == c.settings.Domain }

// pair is whose route the object wants to be.
func (c *compiler) pair(v *review, r *Route) string {
	for _, end := range []struct{ field, id string }{{"spec.source", r.Source}, {"spec.destination", r.Destination}} {
		if reason, remedy := domainFault(end.id); reason != "" {
			v.refuse(end.field, reason, remedy)
		}
	}
	switch self := c.settings.Domain; {
	case v.refused:
		return ""
	case r.Source == r.Destination:
		v.refuse("spec.destination", "the route leads from "+quote(r.Source)+" to itself", "remove it: a domain reaches its own services without a route")
	case r.Source == self:
		return outbound + r.Destination
	case r.Destination == self:
		return inbound + r.Source
	default:
		v.refuse("spec", fmt.Sprintf("the route from %s to %s neither begins nor ends at %s", quote(r.Source), quote(r.Destination), self),
			"move it to the namespace of one of the two")
	}
	return ""
}

func interConn(v *review, p v1alpha1.InterConnProtocol) InterConn {
	switch p {
	case "", v1alpha1.InterConnKuscia:
		return Kuscia
	case v1alpha1.InterConnBFIA:
		return BFIA
	}
	v.refuse("spec.interConnProtocol", quote(string(p))+" is no protocol between gateways", "use kuscia or bfia")
	return ""
}

func authentication(v *review, s *v1alpha1.RouteSpec) Auth {
	switch s.AuthenticationType {
	case v1alpha1.AuthToken:
		return AuthToken
	case v1alpha1.AuthNone:
		return AuthNone
	case v1alpha1.AuthMTLS:
		if s.MTLSConfig == nil || s.MTLSConfig.SourceClientCert == "" {
			v.refuse("spec.mTLSConfig.sourceClientCert", "MTLS proves the source by this certificate, and there is none", "add the source's client certificate")
		}
		return AuthMTLS
	}
	v.refuse("spec.authenticationType", quote(string(s.AuthenticationType))+" is no way to prove a source", "use Token, MTLS or None")
	return ""
}

// cipher refuses what cannot be encrypted here, so that no body leaves in clear text that was to be hidden.
func cipher(v *review, e *v1alpha1.BodyEncryption) Cipher {
	const field = "spec.bodyEncryption.algorithm"
	switch {
	case e == nil:
		return ""
	case e.Algorithm == v1alpha1.EncryptionAES:
		return AES
	case e.Algorithm == v1alpha1.EncryptionSM4:
		v.refuse(field, "SM4 is not implemented, so the route carries nothing", "use AES at both ends")
	default:
		v.refuse(field, quote(string(e.Algorithm))+" is no cipher", "use AES at both ends")
	}
	return ""
}

// way is how the traffic goes. A method that is not spelled out means the third domain, as the original's routing has it.
func way(v *review, s *v1alpha1.RouteSpec) (via string, tunnel bool) {
	if s.Transit == nil {
		return "", false
	}
	switch m := s.Transit.TransitMethod; m {
	case v1alpha1.TransitReverseTunnel:
		return "", true
	case "", v1alpha1.TransitThirdDomain:
	default:
		v.refuse("spec.transit.transitMethod", quote(string(m))+" is no way round", "use THIRD-DOMAIN or REVERSE-TUNNEL")
		return "", false
	}
	const field = "spec.transit.domain.domainID"
	if s.Transit.Domain == nil {
		v.refuse(field, "the domain in between is not named", "name it, or remove spec.transit for a direct route")
		return "", false
	}
	via = s.Transit.Domain.DomainID
	if reason, remedy := domainFault(via); reason != "" {
		v.refuse(field, reason, remedy)
	} else if via == s.Source || via == s.Destination {
		v.refuse(field, quote(via)+" is an end of the route", "name a third domain, or remove spec.transit for a direct route")
	}
	return via, false
}

// turned are the DomainRoutes whose certificates have begun or ended being valid between the two times.
func (c *compiler) turned() map[string]struct{} {
	found := map[string]struct{}{}
	low, high := c.from.Now, c.to.Now
	if high.Before(low) {
		low, high = high, low
	}
	if low.Equal(high) || c.fresh {
		return found
	}
	first, last := dateKey(low.Add(time.Second)), dateKey(high)
	if low.IsZero() {
		first, last = "", "~" // the one judged nothing
	}
	for key := range c.next.index.dates.From(first) {
		if key[:dateLen] > last {
			break
		}
		found[key[dateLen:]] = struct{}{}
	}
	return found
}

// Until is when the mesh is to be compiled again although no object has changed: a certificate begins or ends being valid.
func (m *Mesh) Until() (at time.Time, ok bool) {
	if m.objects.Now.IsZero() {
		return time.Time{}, false
	}
	for key := range m.index.dates.From(dateKey(m.objects.Now.Add(time.Second))) {
		at, err := time.Parse(dateFormat, key[:dateLen])
		return at, err == nil
	}
	return time.Time{}, false
}

// Keys of dates sort like the dates.
const (
	dateFormat = "2006-01-02T15:04:05Z"
	dateLen    = len(dateFormat)
)

func dateKey(at time.Time) string { return at.UTC().Format(dateFormat) }
