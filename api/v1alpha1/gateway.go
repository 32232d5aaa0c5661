package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Gateway is one running gateway of a domain, in the domain's namespace, named after its host. It has no spec: it reports, and it is taken
// for alive while its heartbeat is younger than three minutes.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,shortName=gw
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="CreationTime",type="string",JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="UpTime",type="string",JSONPath=`.status.uptime`
// +kubebuilder:printcolumn:name="HeartbeatTime",type="string",JSONPath=`.status.heartbeatTime`
// +kubebuilder:printcolumn:name="Address",type="string",JSONPath=`.status.address`
// +kubebuilder:printcolumn:name="Version",type="string",JSONPath=`.status.version`
type Gateway struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// Status is what the gateway reports. Written by controllers/gateway, which runs in each gateway process.
	Status GatewayStatus `json:"status,omitzero"`
}

// GatewayList is a list of Gateways.
//
// +kubebuilder:object:root=true
type GatewayList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// Items are the Gateways of this page.
	Items []Gateway `json:"items"`
}

// GatewayStatus is what a gateway reports about itself.
type GatewayStatus struct {
	// Address is the IPv4 address at which pods of the domain reach the gateway.
	Address string `json:"address"`

	// UpTime is when the gateway started.
	UpTime metav1.Time `json:"uptime"`

	// HeartbeatTime is when the gateway last reported.
	HeartbeatTime metav1.Time `json:"heartbeatTime"`

	// PublicKey is the domain's RSA public key: base64 of PEM of PKCS#1.
	PublicKey string `json:"publicKey"`

	// Version is the version of the gateway.
	Version string `json:"version"`

	// NetworkStatus is how the gateway sees what it routes to.
	NetworkStatus []GatewayEndpointStatus `json:"networkStatus,omitempty"`
}

// GatewayEndpointStatus is how a gateway sees the endpoints behind one of its targets.
type GatewayEndpointStatus struct {
	// Name is the name of the target.
	Name string `json:"name"`

	// Type is the kind of the target.
	Type GatewayTarget `json:"type"`

	// TotalEndpointsCount is the number of endpoints.
	TotalEndpointsCount int `json:"totalEndpointsCount"`

	// HealthyEndpointsCount is the number of endpoints that pass their health check.
	HealthyEndpointsCount int `json:"healthyEndpointsCount"`
}

// GatewayTarget is the kind of a thing to which a gateway routes.
type GatewayTarget string

// The kinds of things to which a gateway routes.
const (
	// GatewayTargetService is a service of the control plane.
	GatewayTargetService GatewayTarget = "Service"
	// GatewayTargetEndpoints is a service of the domain's pods.
	GatewayTargetEndpoints GatewayTarget = "Endpoints"
	// GatewayTargetDomainRoute is another domain's gateway.
	GatewayTargetDomainRoute GatewayTarget = "DomainRoute"
)
