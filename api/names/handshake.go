package names

// Strings inside handshakes, registrations and what gateways answer by themselves. The messages are in api/proto.
const (
	// HandshakeRSA is the type of a request where each side makes half of the token.
	HandshakeRSA = "RSA"
	// HandshakeUID is the type of a request where the destination makes the whole token.
	HandshakeUID = "UID"
	// SealPrefix stands before the secret inside every sealed token or half.
	SealPrefix = "kuscia"
	// PublicKeyPEM is the PEM type of public keys on the wire: PKCS#1.
	PublicKeyPEM = "RSA PUBLIC KEY"
	// DeployTokenOID is the extension of a certificate request that holds the deploy token as raw bytes.
	DeployTokenOID = "1.2.3.4"
	// ClaimRequestHash is the claim of HeaderJWT that binds it to the body: a JSON array of 32 integers.
	ClaimRequestHash = "req_hash"
	// UnauthorizedReason is the reason in the body of each 401.
	UnauthorizedReason = "unauthorized."
	// TokenContext separates the tokens of signed handshakes between two Ententes from any other use of the same secrets (the info of HKDF).
	TokenContext = "entente/token/v1"
	// RequestContext begins what the source of a handshake between two Ententes signs.
	RequestContext = "entente/handshake/request/v1"
	// ReplyContext begins what its destination signs.
	ReplyContext = "entente/handshake/reply/v1"
	// HeartbeatContext separates the keys of heartbeats from the tokens that they are derived from.
	HeartbeatContext = "entente/heartbeat/v1"
)

// Common names of certificates.
const (
	// CommonNameExternalSuffix follows the domain id in the certificate of the external listener; see ExternalCommonName.
	CommonNameExternalSuffix = "_ENVOY_EXTERNAL"
	// CommonNameKusciaAPI is in the certificate of KusciaAPI.
	CommonNameKusciaAPI = "KusciaAPI"
	// CommonNameKusciaAPIClient is in the certificate of its clients.
	CommonNameKusciaAPIClient = "KusciaAPIClient"
	// CommonNameDataMesh is in the certificate of DataMesh.
	CommonNameDataMesh = "DataMesh"
	// CommonNameKubeconfig is in the administrator's certificate for the Kubernetes API.
	CommonNameKubeconfig = "kuscia"
)

// ExternalCommonName is the common name in the certificate that a domain's external listener shows.
func ExternalCommonName(domain string) string { return domain + CommonNameExternalSuffix }
