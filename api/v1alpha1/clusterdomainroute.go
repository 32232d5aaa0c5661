package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClusterDomainRoute is a route as an administrator writes it, once for the whole cluster, named `<source>-<destination>`. The controller
// makes a DomainRoute of it in the namespace of each end that lives in this cluster.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=cdr
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Source",type="string",JSONPath=`.spec.source`
// +kubebuilder:printcolumn:name="Destination",type="string",JSONPath=`.spec.destination`
// +kubebuilder:printcolumn:name="Host",type="string",JSONPath=`.spec.endpoint.host`
// +kubebuilder:printcolumn:name="Authentication",type="string",JSONPath=`.spec.authenticationType`
// +kubebuilder:printcolumn:name="Ready",type="string",JSONPath=`.status.conditions[?(@.type=="Ready")].status`
type ClusterDomainRoute struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// Spec is the route as wanted.
	Spec RouteSpec `json:"spec,omitzero"`

	// Status is the state of the route. Written by controllers/clusterdomainroute.
	Status ClusterDomainRouteStatus `json:"status,omitzero"`
}

// ClusterDomainRouteList is a list of ClusterDomainRoutes.
//
// +kubebuilder:object:root=true
type ClusterDomainRouteList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// Items are the ClusterDomainRoutes of this page.
	Items []ClusterDomainRoute `json:"items"`
}

// ClusterDomainRouteStatus is the state of a route as gathered from its DomainRoutes and gateways.
type ClusterDomainRouteStatus struct {
	// TokenStatus repeats the tokens of the DomainRoutes at both ends.
	TokenStatus ClusterTokenStatus `json:"tokenStatus,omitzero"`

	// EndpointStatuses says, by `<gateway>-<port name>`, whether a gateway of the source reaches the endpoint.
	EndpointStatuses map[string]RouteEndpointStatus `json:"endpointStatuses,omitempty"`

	// Conditions say whether the route works, and if not, why.
	Conditions []RouteCondition `json:"conditions,omitempty"`
}

// ClusterTokenStatus repeats the tokens of both ends of a route.
type ClusterTokenStatus struct {
	// Revision is the newest generation that both ends have.
	Revision int64 `json:"revision,omitempty"`

	// RevisionTime is when that generation was begun.
	RevisionTime *metav1.Time `json:"revisionTime,omitempty"`

	// SourceTokens are the tokens of the DomainRoute in the source's namespace, oldest first.
	SourceTokens []RouteToken `json:"sourceTokens,omitempty"`

	// DestinationTokens are the tokens of the DomainRoute in the destination's namespace, oldest first.
	DestinationTokens []RouteToken `json:"destinationTokens,omitempty"`
}

// RouteEndpointStatus is how one gateway sees one port of the endpoint.
type RouteEndpointStatus struct {
	// EndpointHealthy says that the gateway reaches the port.
	EndpointHealthy bool `json:"endpointHealthy"`
}

// RouteCondition is one observation about a route.
type RouteCondition struct {
	// Type is what the condition is about.
	Type RouteConditionType `json:"type"`

	// Status is True, False or Unknown.
	Status corev1.ConditionStatus `json:"status"`

	// Reason is one word for programs; see the RouteReason constants.
	Reason string `json:"reason,omitempty"`

	// Message is a sentence for people.
	Message string `json:"message,omitempty"`

	// LastUpdateTime is when the condition was last written.
	LastUpdateTime *metav1.Time `json:"lastUpdateTime,omitempty"`

	// LastTransitionTime is when the status last changed.
	LastTransitionTime *metav1.Time `json:"lastTransitionTime,omitempty"`
}

// RouteConditionType is what a RouteCondition is about.
type RouteConditionType string

// The conditions of a route.
const (
	// RouteReady says that the source can call the destination.
	RouteReady RouteConditionType = "Ready"
	// RouteRunning is defined by Kuscia and not used.
	RouteRunning RouteConditionType = "Running"
	// RoutePending is defined by Kuscia and not used.
	RoutePending RouteConditionType = "Pending"
	// RouteFailure is defined by Kuscia and not used.
	RouteFailure RouteConditionType = "Failure"
)

// The reasons of the condition Ready. Programs on both sides compare them byte by byte, so the misspelled one stays misspelled.
const (
	// RouteReasonSuccess is the reason of a route that works.
	RouteReasonSuccess = "Success"
	// RouteReasonNotAuthorized says that the destination does not know this source. It is misspelled on the wire.
	RouteReasonNotAuthorized = "DestinationIsNotAuthrized"
	// RouteReasonNoToken says that the first handshake has not ended.
	RouteReasonNoToken = "TokenNotGenerate"
	// RouteReasonUnreachable says that the destination's gateway does not answer.
	RouteReasonUnreachable = "DestinationUnreachable"
	// RouteReasonHeartBeatTimeout says that the source has not been heard for two heartbeats.
	RouteReasonHeartBeatTimeout = "HeartBeatTimeout"
	// RouteReasonRevisionMismatch says that the two ends use different generations of the token.
	RouteReasonRevisionMismatch = "TokenRevisionNotMatch"
)
