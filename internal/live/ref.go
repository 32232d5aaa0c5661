// Package live says what the Envoys of a domain have confirmed: which objects and which credentials really hold at every gateway that runs.
package live

// A Ref names what a piece of Envoy's configuration came from: an API object, or one revision of a route's token.
type Ref struct {
	// Kind is the object's kind, such as Service or DomainRoute, or KindCredential.
	Kind string
	// Namespace and Name are the object's. A credential has those of its DomainRoute.
	Namespace, Name string
	// Version tells two states of the object apart: a hash of what the mesh took from it, or a token's revision in decimal. It is not a
	// resourceVersion, which changes with every status write.
	Version string
}

// KindCredential is the Kind of one revision of a route's token.
const KindCredential = "Credential"
