package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// RouteToken is one generation of a route's secret, as one side keeps it.
type RouteToken struct {
	// Token is the secret, sealed to the RSA key of the domain in whose namespace the object is: base64 of ciphertext. Empty means that the
	// handshake for this revision has not ended.
	Token string `json:"token,omitempty"`

	// Revision counts the generations; the destination raises it with each handshake.
	Revision int64 `json:"revision,omitempty"`

	// RevisionTime is when this generation was begun.
	RevisionTime *metav1.Time `json:"revisionTime,omitempty"`

	// ExpirationTime is when the token stops being good. It lies a hundred years ahead when the route does not rotate.
	ExpirationTime *metav1.Time `json:"expirationTime,omitempty"`

	// IsReady says that every live gateway of this side uses the token.
	IsReady bool `json:"isReady"`

	// EffectiveInstances are the names of the gateways that use the token; each one adds itself (auth/gate).
	EffectiveInstances []string `json:"effectiveInstances,omitempty"`

	// HeartBeatTime is when the source last proved that it has the token. Entente reads it and never writes it: an absent value is taken for
	// healthy by every control plane, an old one for dead.
	HeartBeatTime *metav1.Time `json:"heartBeatTime,omitempty"`
}
