package v1alpha1

// RouteSpec describes a directed route: the source domain may call the destination domain, here is the way, and this is how the caller
// proves who it is. ClusterDomainRoute and DomainRoute share it. In a DomainRoute it is a copy written by controllers/clusterdomainroute.
type RouteSpec struct {
	// Source is the id of the calling domain.
	Source string `json:"source"`

	// Destination is the id of the called domain.
	Destination string `json:"destination"`

	// InterConnProtocol is the protocol between the two gateways. Absent means kuscia.
	InterConnProtocol InterConnProtocol `json:"interConnProtocol,omitempty"`

	// Endpoint is where the destination's gateway, or the institution's own gateway before it, can be reached.
	Endpoint RouteEndpoint `json:"endpoint,omitzero"`

	// AuthenticationType is how the source proves who it is: Token, MTLS or None.
	AuthenticationType AuthenticationType `json:"authenticationType"`

	// TokenConfig is how tokens are negotiated. It is needed for authentication by Token and for body encryption.
	TokenConfig *TokenConfig `json:"tokenConfig,omitempty"`

	// MTLSConfig are the source's certificates. It is needed for authentication by MTLS.
	MTLSConfig *MTLSConfig `json:"mTLSConfig,omitempty"`

	// Transit sends the traffic another way than straight to the endpoint. Absent means straight.
	Transit *Transit `json:"transit,omitempty"`

	// BodyEncryption encrypts request and response bodies from gateway to gateway, on top of what TLS does. Absent means that it is off.
	BodyEncryption *BodyEncryption `json:"bodyEncryption,omitempty"`

	// SourceWhiteIPList are the addresses or networks (CIDR) from which the source's requests may come. Empty means any.
	SourceWhiteIPList []string `json:"sourceWhiteIPList,omitempty"`

	// RequestHeadersToAdd are headers that the destination's gateway adds to each request of the source. For a partner's control plane,
	// controllers/clusterdomainroute writes its Authorization header here.
	RequestHeadersToAdd map[string]string `json:"requestHeadersToAdd,omitempty"`
}

// RouteEndpoint is the address of a gateway.
type RouteEndpoint struct {
	// Host is an IPv4 address or a DNS name. Empty means that the destination cannot be dialed from here.
	// +kubebuilder:validation:Pattern=`^$|^(?:(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)\.){3}(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)$|^(([a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9\-]*[a-zA-Z0-9])\.)*([A-Za-z0-9]|[A-Za-z0-9][A-Za-z0-9\-]*[A-Za-z0-9])$`
	Host string `json:"host,omitempty"`

	// Ports are the ports of the host. The first one also carries handshakes and health checks.
	Ports []RoutePort `json:"ports,omitempty"`
}

// RoutePort is one port of a gateway.
type RoutePort struct {
	// Name identifies the port on its route.
	Name string `json:"name"`

	// Port is the TCP port number.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int `json:"port"`

	// Protocol is what is spoken on the port. With two ports, gRPC calls take the one of protocol GRPC.
	Protocol PortProtocol `json:"protocol"`

	// IsTLS says that the port expects TLS.
	IsTLS bool `json:"isTLS,omitempty"`

	// PathPrefix is put before the path of every request. An institution's gateway takes it away again.
	PathPrefix string `json:"pathPrefix,omitempty"`
}

// TokenConfig is how the tokens of a route are negotiated.
type TokenConfig struct {
	// TokenGenMethod is who makes the secret: both sides one half each (RSA-GEN), or the destination alone (UID-RSA-GEN).
	// +kubebuilder:validation:Enum=RSA-GEN;UID-RSA-GEN
	TokenGenMethod TokenGenMethod `json:"tokenGenMethod"`

	// RollingUpdatePeriod is the age, in seconds, at which a token is replaced by a new one. Zero or absent means never.
	// +kubebuilder:validation:Minimum=0
	RollingUpdatePeriod int `json:"rollingUpdatePeriod,omitempty"`

	// SourcePublicKey is the source's RSA public key: base64 of PEM of PKCS#1. Written by controllers/clusterdomainroute from the
	// certificate of the source's Domain.
	SourcePublicKey string `json:"sourcePublicKey,omitempty"`

	// DestinationPublicKey is the destination's RSA public key: base64 of PEM of PKCS#1. Written by controllers/clusterdomainroute from the
	// certificate of the destination's Domain.
	DestinationPublicKey string `json:"destinationPublicKey,omitempty"`
}

// MTLSConfig are the certificates with which the source calls the destination. Each is base64 of PEM.
type MTLSConfig struct {
	// TLSCA is the certificate authority against which the destination's certificate is checked.
	TLSCA string `json:"tlsCA,omitempty"`

	// SourceClientCert is the source's client certificate.
	SourceClientCert string `json:"sourceClientCert,omitempty"`

	// SourceClientPrivateKey is the key of that certificate. Empty means the source domain's own key.
	SourceClientPrivateKey string `json:"sourceClientPrivateKey,omitempty"`
}

// Transit is an indirect way to the destination.
type Transit struct {
	// TransitMethod is the kind of indirection.
	TransitMethod TransitMethod `json:"transitMethod,omitempty"`

	// Domain is the domain in between, for THIRD-DOMAIN.
	Domain *TransitDomain `json:"domain,omitempty"`
}

// TransitDomain names the domain through which a route passes.
type TransitDomain struct {
	// DomainID is the id of the domain in between. It needs routes of its own from the source and to the destination.
	DomainID string `json:"domainID"`
}

// BodyEncryption is how bodies are encrypted from gateway to gateway.
type BodyEncryption struct {
	// Algorithm is the cipher. Its key is derived from the route's token.
	Algorithm EncryptionAlgorithm `json:"algorithm"`
}

// AuthenticationType is how a source proves who it is.
type AuthenticationType string

// The ways to prove who is calling.
const (
	// AuthToken is a shared secret that the two gateways negotiate and rotate.
	AuthToken AuthenticationType = "Token"
	// AuthMTLS is a client certificate.
	AuthMTLS AuthenticationType = "MTLS"
	// AuthNone is nothing that the gateway checks by itself.
	AuthNone AuthenticationType = "None"
)

// TokenGenMethod is who contributes to the secret of a token.
type TokenGenMethod string

// The methods to generate a token.
const (
	// TokenGenRSA takes 16 random bytes from each side, each sealed to the other's RSA key.
	TokenGenRSA TokenGenMethod = "RSA-GEN"
	// TokenGenUIDRSA takes 32 random bytes from the destination, sealed to the source's RSA key.
	TokenGenUIDRSA TokenGenMethod = "UID-RSA-GEN"
	// TokenGenRAND is admitted in Domain.spec.authCenter for the sake of old objects. Nothing implements it.
	TokenGenRAND TokenGenMethod = "RAND-GEN"
)

// TransitMethod is a way round when the destination cannot be dialed.
//
// +kubebuilder:validation:Enum=THIRD-DOMAIN;REVERSE-TUNNEL
type TransitMethod string

// The ways round.
const (
	// TransitThirdDomain passes through the gateway of a third domain.
	TransitThirdDomain TransitMethod = "THIRD-DOMAIN"
	// TransitReverseTunnel uses connections that the destination has opened towards the source.
	TransitReverseTunnel TransitMethod = "REVERSE-TUNNEL"
)

// EncryptionAlgorithm is a cipher for bodies.
//
// +kubebuilder:validation:Enum=AES;SM4
type EncryptionAlgorithm string

// The ciphers for bodies.
const (
	// EncryptionAES is AES-128 in GCM mode.
	EncryptionAES EncryptionAlgorithm = "AES"
	// EncryptionSM4 is the Chinese national cipher SM4 in GCM mode.
	EncryptionSM4 EncryptionAlgorithm = "SM4"
)

// InterConnProtocol is the protocol that two control planes and their gateways speak with each other.
type InterConnProtocol string

// The protocols between control planes.
const (
	// InterConnKuscia is Kuscia's own protocol.
	InterConnKuscia InterConnProtocol = "kuscia"
	// InterConnBFIA is the protocol of the Beijing FinTech Industry Alliance.
	InterConnBFIA InterConnProtocol = "bfia"
)
