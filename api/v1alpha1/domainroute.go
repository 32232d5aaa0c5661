package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DomainRoute is a route as one of its two ends sees it, in that domain's namespace. Gateways are programmed from it, and the two ends
// negotiate their tokens in its status. It is made from a ClusterDomainRoute by controllers/clusterdomainroute.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,shortName=dr
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Source",type="string",JSONPath=`.spec.source`
// +kubebuilder:printcolumn:name="Destination",type="string",JSONPath=`.spec.destination`
// +kubebuilder:printcolumn:name="Host",type="string",JSONPath=`.spec.endpoint.host`
// +kubebuilder:printcolumn:name="Authentication",type="string",JSONPath=`.spec.authenticationType`
type DomainRoute struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// Spec is the route as the ClusterDomainRoute wants it.
	Spec RouteSpec `json:"spec,omitzero"`

	// Status is the state of the route at this end.
	Status DomainRouteStatus `json:"status,omitzero"`
}

// DomainRouteList is a list of DomainRoutes.
//
// +kubebuilder:object:root=true
type DomainRouteList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// Items are the DomainRoutes of this page.
	Items []DomainRoute `json:"items"`
}

// DomainRouteStatus is the state of a route at one of its ends.
type DomainRouteStatus struct {
	// TokenStatus is where the two ends are in negotiating their token.
	TokenStatus DomainRouteTokenStatus `json:"tokenStatus,omitzero"`

	// IsDestinationAuthorized says, at the source, that the destination knows this source. Written by auth/gate.
	IsDestinationAuthorized bool `json:"isDestinationAuthorized"`

	// IsDestinationUnreachable says, at the source, that the destination's gateway has not answered for a while. Written by auth/gate.
	IsDestinationUnreachable bool `json:"isDestinationUnreachable"`
}

// DomainRouteTokenStatus is where one end of a route is in negotiating its token.
type DomainRouteTokenStatus struct {
	// RevisionInitializer is the name of the gateway that does the handshakes of this route. Written by controllers/domainroute.
	RevisionInitializer string `json:"revisionInitializer,omitempty"`

	// RevisionToken is the token under negotiation. Its token and revision are written by auth/gate; its isReady by auth/gate at the source
	// and by controllers/domainroute at the destination; controllers/domainroute clears it to ask for a new handshake.
	RevisionToken RouteToken `json:"revisionToken,omitzero"`

	// Tokens are the negotiated tokens, oldest first: the previous one, which the destination still accepts, and the current one. Written by
	// controllers/domainroute, except for the effectiveInstances, to which each gateway adds itself.
	Tokens []RouteToken `json:"tokens,omitempty"`
}
