package mesh

import (
	"net/netip"
	"time"

	"github.com/entente-mesh/entente/internal/live"
)

// Settings is what a mesh depends on beside API objects. It is compared by pointer: whoever changes a setting makes new Settings.
type Settings struct {
	Domain string
	// Master says that this domain is the master of lites: its services are also called <service>.master.svc.
	Master bool
	// MasterDomain is the domain that is this lite's master: its route also serves *.master.svc. Empty unless the domain is a lite.
	MasterDomain string
	// Builtins are the services that Entente itself answers.
	Builtins []Builtin
	// Address is where the gateway is reached by the pods of its own node, before its Gateway object exists. Invalid means none.
	Address netip.Addr
	// Whitelist bounds the addresses that services may have; nil means every address. The first item that matches an address decides
	// about its port.
	Whitelist []Upstream
	// StreamIdle is how long a stream may be silent before the gateway ends it; 0 means for ever.
	StreamIdle time.Duration
	// ExternalTLS is what the external listener proves itself with; nil means no TLS.
	ExternalTLS *ServerTLS
	// Authorities are the system's certificate authorities in PEM, for TLS to hosts that name none of their own. Empty means that such a host
	// cannot be trusted, and is not called.
	Authorities string
	// DomainKey is the domain's private key in PEM, with which routes that name a client certificate and no key prove themselves.
	DomainKey Secret
}

// A Builtin is a service that Entente itself answers, such as the API server. Its host is <Name>.<domain>.svc.
type Builtin struct {
	Ref      live.Ref
	Name     string // as in api/names, such as names.ServiceAPIServer
	Socket   string // unix socket that answers; or
	Address  netip.AddrPort
	Protocol Protocol
	// Paths are regular expressions, one of which must match the whole path of a request; empty means every path.
	Paths []string
	// External says that partners may call it.
	External bool
	// Callers are the domains that may call it, when External; nil means every partner.
	Callers []string
	// Control keeps it from the domain's own pods: only Entente itself calls it inside the domain.
	Control bool
	// Open lets requests in that carry no token: handshakes and registrations.
	Open bool
}

// An Upstream is an item of the whitelist of service addresses.
type Upstream struct {
	Prefix netip.Prefix
	Host   string   // an ExternalName, when Prefix is not valid
	Ports  []uint16 // empty means every port
}

// ServerTLS is what a listener proves itself with, in PEM. It is compared by pointer.
type ServerTLS struct {
	Certificate string
	Key         Secret
	// ClientCA is whose certificates clients must show; empty asks for none.
	ClientCA string
}
