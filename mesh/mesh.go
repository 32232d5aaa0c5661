// Package mesh is the picture that one domain's gateways and DNS work from: what its API objects mean for the network, as one immutable value.
// The same objects always give the same mesh; a bad object becomes a Problem and never hides a good one.
package mesh

import (
	"net/netip"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/internal/sorted"
)

// A Mesh is what the objects of one domain mean for its network. It consists of pieces, one per object, that successive meshes share: whoever
// wants to know what has changed between two meshes walks sorted.Diff of the maps that matter to it.
//
// A Mesh and all its pieces are immutable.
type Mesh struct {
	Settings *Settings

	Services  sorted.Map[*Service]   // by name
	Endpoints sorted.Map[*Endpoints] // by the name of their service; one, perhaps without addresses, for each service from a Service object that is not an ExternalName
	Pods      sorted.Map[*Pod]       // by name; those that have an address and run
	Gateways  sorted.Map[*Gateway]   // by name
	Outbound  sorted.Map[*Route]     // routes on which this domain calls, by destination
	Inbound   sorted.Map[*Route]     // routes on which this domain is called, by source
	Tokens    sorted.Map[*Tokens]    // what the outbound routes prove themselves with, by destination; only routes that use tokens
	Accepted  sorted.Map[Accepted]   // tokens that prove a source, by the token's value; secret
	Keys      sorted.Map[*Keys]      // what bodies of inbound routes are encrypted with, by source; only routes that encrypt

	// Unopened is how many tokens still wait to be opened. While it is not 0 a token that is missing above may be in use all the same: who
	// has configured gateways before this process began should not take it from them yet.
	Unopened int

	Problems sorted.Map[*Problem] // by Problem.ID

	objects Objects // what the mesh was compiled from: the next Compile starts at the difference
	index   index   // how its objects hang together
}

// Same says that both meshes hold the same pieces, so that whoever acted on one need not act on the other.
func (m *Mesh) Same(other *Mesh) bool {
	return m.Settings == other.Settings && m.Services == other.Services && m.Endpoints == other.Endpoints && m.Pods == other.Pods &&
		m.Gateways == other.Gateways && m.Outbound == other.Outbound && m.Inbound == other.Inbound && m.Tokens == other.Tokens &&
		m.Accepted == other.Accepted && m.Keys == other.Keys && m.Unopened == other.Unopened && m.Problems == other.Problems
}

// The kinds of objects, as they stand in live.Ref.
const (
	KindService = "Service"
	KindPod     = "Pod"
	KindGateway = "Gateway"
	KindRoute   = "DomainRoute"
	KindBuiltin = "Builtin" // of a Builtin that has no other Ref
)

// A Gateway is one of the domain's gateways.
type Gateway struct {
	Ref     live.Ref
	Name    string
	Address netip.Addr // where pods of the domain reach it
}

// A Pod is a running pod of the domain: its address may use the gateway, and DNS may know it by name.
type Pod struct {
	Ref       live.Ref
	Name      string
	Addresses []netip.Addr // IPv4 and perhaps IPv6; never empty
	Hostname  string       // spec.hostname, else the pod's name
	Subdomain string       // spec.subdomain; empty without a name of its own in DNS
}

// A Problem is what is wrong with an object, for the people who can mend it. It holds no secret.
type Problem struct {
	Object live.Ref
	Field  string // such as spec.endpoint.ports[0].port; empty for the object as a whole
	Reason string // what is wrong
	Remedy string // what to do next
}

// ID is the place of the problem: one object has one problem per field at most.
func (p *Problem) ID() string {
	return p.Object.Kind + "/" + p.Object.Namespace + "/" + p.Object.Name + "/" + p.Field
}

// Error is the problem in one line.
func (p *Problem) Error() string {
	text := p.Object.Kind + " " + p.Object.Namespace + "/" + p.Object.Name + ": "
	if p.Field != "" {
		text += p.Field + ": "
	}
	return text + p.Reason + "; " + p.Remedy
}
