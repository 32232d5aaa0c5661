package mesh

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/internal/sorted"
)

// Objects are the API objects of one domain's namespace, and what is needed to read them. The objects must not change afterwards.
type Objects struct {
	Settings *Settings                   // never nil
	Services sorted.Map[*corev1.Service] // by name
	// Slices are the EndpointSlices, by SliceKey.
	Slices   sorted.Map[*discoveryv1.EndpointSlice]
	Pods     sorted.Map[*corev1.Pod]
	Routes   sorted.Map[*v1alpha1.DomainRoute]
	Gateways sorted.Map[*v1alpha1.Gateway]
	// Opened are the sealed tokens that somebody tried to open, by their ciphertext as it stands in the DomainRoute. A token that is not in
	// it waits to be opened, which is no problem.
	Opened sorted.Map[Opened]
	// Now is the time for which the validity of certificates is judged. The zero time judges none. Mesh.Until says when to come again.
	Now time.Time
}

// SliceKey is the place of an EndpointSlice in Objects: all slices of a service stand together.
func SliceKey(service, slice string) string { return service + "/" + slice }

// Opened is what came of opening a sealed token.
type Opened struct {
	Token Secret // base64 of 32 bytes
	Fault string // why it could not be opened; then Token is empty
}
