// Package mesh holds the stories of two domains whose gateways carry traffic to each other: each on a machine of its own, as far as the
// network is concerned, with its own control plane, Envoy and name server. The tests are their only content.
package mesh
