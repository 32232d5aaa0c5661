package handshake

// Unauthorized is the body of each 401 that a gateway sends by itself, as JSON with a trailing newline. A lite that starts looks for such
// an answer to learn that a gateway listens at its master's address.
type Unauthorized struct {
	// Domain is the domain of the gateway.
	Domain string `json:"domain"`
	// Instance is the name of the gateway within its domain: its host name.
	Instance string `json:"instance"`
	// Kuscia is the version of the gateway's software.
	Kuscia string `json:"kuscia"`
	// Reason is names.UnauthorizedReason.
	Reason string `json:"reason"`
}
