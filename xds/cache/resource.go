// Package cache holds what the Envoys of one domain should have: each resource once, marshalled once, versioned by its content.
package cache

import (
	"google.golang.org/protobuf/proto"

	"github.com/entente-mesh/entente/internal/live"
)

// A Type is one type of xDS resource. The order of the constants is the order in which Envoy must learn of new ones (make before break):
// what refers to a thing comes after the thing. Removals go in the opposite order.
type Type uint8

// The types of resources.
const (
	Cluster  Type = iota // CDS
	Endpoint             // EDS
	Secret               // SDS
	Filter               // ECDS
	Listener             // LDS
	Route                // RDS
	Types                // how many there are
)

// A Key names a resource.
type Key struct {
	Type Type
	Name string
}

// A Resource is one resource as the translation made it. Its Body must not change afterwards.
type Resource struct {
	Key
	Body proto.Message // of the Go type that belongs to Key.Type; Filter: core.v3.TypedExtensionConfig
	// Follow are resources that are sent again in the same turn, after this one was added or changed: Envoy then waits for them and, being
	// subscribed already, does not ask. A cluster is followed by the Endpoint that it names.
	Follow []Key
	// Secret keeps the content from being guessed from its version.
	Secret bool
	// From are the objects that the resource was made from. A confirmed or rejected resource is told to them.
	From []live.Ref
}

// A Delta is what changes by one commit. A Key stands in it once at most.
type Delta struct {
	Set    []Resource
	Delete []Key
}
