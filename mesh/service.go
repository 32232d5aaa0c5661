package mesh

import (
	"net/netip"
	"time"

	"github.com/entente-mesh/entente/internal/live"
)

// A Service is a service of this domain, from a Service object or a Builtin.
type Service struct {
	Ref      live.Ref
	Name     string
	Protocol Protocol
	Scope    Scope
	// Restricted says that not everybody may call: only the domains in Callers, sorted, and always this domain's own pods.
	Restricted bool
	Callers    []string
	// Affinity keeps a client at one endpoint.
	Affinity Affinity
	// Bandwidth are the limits on what this service's pods send and receive as clients, by destination.
	Bandwidth []Bandwidth
	// ExternalName is a host outside; such a service has no endpoints of its own.
	ExternalName string
	// ViaGateway says that DNS answers the gateway's address and not those of the endpoints.
	ViaGateway bool
	// Headless says that the service has no address of its own.
	Headless bool
	// ClusterIP is the address of its own; invalid without one.
	ClusterIP netip.Addr
	Ports     []Port
	// Builtin is set for what Entente itself answers.
	Builtin *Builtin
}

// Open says that every partner may call the service.
func (s *Service) Open() bool {
	if s.Builtin != nil {
		return false // each has a route of its own
	}
	return !s.Restricted
}

// A Port is one port of a service.
type Port struct {
	Name   string
	Number uint16
}

// A Protocol is what a service speaks.
type Protocol string

// The protocols of services, as in names.AnnotationProtocol.
const (
	HTTP  Protocol = "HTTP" // also what an absent annotation means
	HTTPS Protocol = "HTTPS"
	GRPC  Protocol = "GRPC"
	GRPCS Protocol = "GRPCS"
)

// A Scope is how far a service's port is meant to be seen.
type Scope string

// The scopes, as in names.LabelPortScope.
const (
	Unscoped Scope = "" // a service that no task made: every partner may call
	Cluster  Scope = "Cluster"
	Domain   Scope = "Domain" // this domain alone
	Local    Scope = "Local"  // this domain alone; the original lets everybody in
)

// Affinity is how a client is kept at one endpoint: the first of its ways that a request has decides.
type Affinity struct {
	Cookie    string        // name of a cookie that the gateway sets
	CookieTTL time.Duration // its life
	ClientIP  bool          // by the address it comes from, then by its domain
	Header    string        // by this header's value
}

// A Bandwidth limits what one task's service exchanges with a destination.
type Bandwidth struct {
	Destination string
	Task        string
	KiBps       uint64 // KiB per second, in each direction
}

// Endpoints are the addresses behind a service.
type Endpoints struct {
	Ref     live.Ref // of the Service: its slices have no names that people know
	Service string
	Ready   []Endpoint // sorted, without duplicates
}

// An Endpoint is one address of a service.
type Endpoint struct {
	Address  netip.AddrPort
	Hostname string // of the pod behind it, when the slice names one
}
