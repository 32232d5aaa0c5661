package mesh

import (
	"net/netip"

	"github.com/entente-mesh/entente/internal/live"
)

// A Route is a DomainRoute that begins or ends at this domain.
type Route struct {
	Ref         live.Ref
	Name        string // of the object
	Source      string
	Destination string
	Protocol    InterConn
	Auth        Auth

	// Hops are the ports of the destination's gateway: those of gRPC first, then HTTP, each in the order of the object. Empty when the
	// destination cannot be dialed from here, as on every inbound, third-domain and reverse-tunnel route.
	Hops []Hop
	// Host is the address or name behind all Hops.
	Host string
	// TLS is how the source proves itself to and checks the destination; nil unless a hop is TLS.
	TLS *ClientTLS

	// Via is the domain through whose gateway the traffic goes (THIRD-DOMAIN); empty for a direct route. The outbound route to that domain
	// is there, and is direct.
	Via string
	// ReverseTunnel says that the destination opens the connections.
	ReverseTunnel bool
	// Encryption is the cipher for bodies from gateway to gateway; empty means none.
	Encryption Cipher
	// GRPCDegrade sends gRPC through a partner's gateway that speaks HTTP/1.1 only.
	GRPCDegrade bool

	// From are the networks from which an inbound route's requests may come; empty means any. Sorted.
	From []netip.Prefix
	// Client is the certificate in PEM that an inbound route of AuthMTLS must show.
	Client string
	// TransitTo are the domains to which an inbound route's source may pass through this domain's gateway, sorted; "*" alone means every one.
	// Empty means none, which differs from the original.
	TransitTo []string
	// Headers are added to each request of an inbound route, sorted by name. Secret: they may hold credentials.
	Headers []Header
}

// A Hop is one port of a partner's gateway.
type Hop struct {
	Name   string
	Port   uint16
	GRPC   bool
	TLS    bool
	Prefix string // put before each path; without a slash at its end, empty means none
	// Handshake says that this is the first port of the object, which also carries handshakes and health checks. If that port is at fault,
	// no hop is marked.
	Handshake bool
}

// ClientTLS is how a source proves itself and checks the destination, in PEM. It is compared by pointer.
type ClientTLS struct {
	CA          string // empty: the system's authorities
	Certificate string // empty: no client certificate
	Key         Secret
	Name        string // the name that the destination's certificate must have, and SNI; empty when the host is an address
}

// A Header is a header to add.
type Header struct {
	Name  string
	Value Secret
}

// InterConn is the protocol between two gateways.
type InterConn string

// The protocols between gateways, as in names.HeaderInterConnProtocol.
const (
	Kuscia InterConn = "kuscia"
	BFIA   InterConn = "bfia"
)

// Auth is how a source is proved.
type Auth string

// The ways to prove a source.
const (
	AuthToken Auth = "Token"
	AuthMTLS  Auth = "MTLS"
	AuthNone  Auth = "None"
)

// A Cipher encrypts bodies.
type Cipher string

// The ciphers.
const (
	AES Cipher = "AES"
	SM4 Cipher = "SM4"
)

// Tokens are what an outbound route proves itself with.
type Tokens struct {
	Ref         live.Ref // of the DomainRoute
	Destination string
	// Current is the newest token that could be opened; empty while there is none: then the destination must not be called.
	Current Secret
	// Credential names the revision of Current.
	Credential live.Ref
	// All are the tokens that could be opened, oldest first, for bodies that older ones encrypted.
	All []Token
}

// A Token is one revision of a route's token.
type Token struct {
	Revision int64
	Value    Secret // base64 of 32 bytes, as it stands in names.HeaderToken
}

// Keys are the tokens of an inbound route that encrypts bodies.
type Keys struct {
	Ref    live.Ref // of the DomainRoute
	Source string
	All    []Token // those that could be opened, oldest first
}

// Accepted is whom an inbound token proves.
type Accepted struct {
	Source     string
	Credential live.Ref
}
