package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// Domain is one party: an institution, or a part of one, that owns a key, machines and data. Its name is the domain id and the name of its
// namespace. Administrators write it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster
// +kubebuilder:subresource:status
type Domain struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	// Spec says who the domain is and how it takes part.
	Spec DomainSpec `json:"spec"`

	// Status is what is known of the domain's nodes. Written by controllers/domain; auth/gate marks deploy tokens as used.
	Status DomainStatus `json:"status,omitzero"`
}

// DomainList is a list of Domains.
//
// +kubebuilder:object:root=true
type DomainList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// Items are the Domains of this page.
	Items []Domain `json:"items"`
}

// DomainSpec says who a domain is and how it takes part.
type DomainSpec struct {
	// Cert is the domain's certificate: base64 of PEM. Public keys of routes are taken from it. For a lite domain it is empty until the
	// node registers; then auth/gate writes it.
	Cert string `json:"cert,omitempty"`

	// Role is empty for a domain whose pods run in this cluster, and partner for one that has a control plane of its own.
	Role DomainRole `json:"role,omitempty"`

	// InterConnProtocols are the protocols that a partner speaks. The first one is used. Empty means kuscia.
	InterConnProtocols []InterConnProtocol `json:"interConnProtocols,omitempty"`

	// Master is the id of the domain that runs a partner's control plane. controllers/domain fills it with the partner's own id when it is
	// empty.
	Master string `json:"master,omitempty"`

	// ResourceQuota bounds what the domain may run in this cluster. Absent means no bound.
	ResourceQuota *DomainResourceQuota `json:"resourceQuota,omitempty"`

	// AuthCenter says how a lite domain proves itself to this control plane. If it is given, controllers/domain makes the route from the
	// domain to the control plane.
	AuthCenter *AuthCenter `json:"authCenter,omitempty"`
}

// DomainResourceQuota bounds what a domain may run.
type DomainResourceQuota struct {
	// PodMaxCount is the largest number of pods in the domain's namespace. Zero admits none; absent means no bound.
	// +kubebuilder:validation:Minimum=0
	PodMaxCount *int `json:"podMaxCount,omitempty"`
}

// AuthCenter says how a lite domain proves itself to its control plane.
type AuthCenter struct {
	// AuthenticationType is the kind of proof.
	// +kubebuilder:validation:Enum=Token;MTLS;None
	AuthenticationType AuthenticationType `json:"authenticationType"`

	// TokenGenMethod is how tokens are made, for authentication by Token. RAND-GEN is admitted and not implemented.
	// +kubebuilder:validation:Enum=RSA-GEN;RAND-GEN;UID-RSA-GEN
	TokenGenMethod TokenGenMethod `json:"tokenGenMethod,omitempty"`
}

// DomainStatus is what is known of a domain's nodes.
type DomainStatus struct {
	// NodeStatuses are the nodes that run the domain's pods.
	NodeStatuses []NodeStatus `json:"nodeStatuses,omitempty"`

	// DeployTokenStatuses are the one-time tokens with which a new node of the domain registers. One unused token is always there.
	DeployTokenStatuses []DeployTokenStatus `json:"deployTokenStatuses,omitempty"`
}

// NodeStatus is the state of one node of a domain.
type NodeStatus struct {
	// Name is the name of the Node object.
	Name string `json:"name"`

	// Status is Ready or NotReady.
	Status NodeState `json:"status"`

	// Version is the version that the node's agent reports.
	Version string `json:"version"`

	// LastHeartbeatTime is when the agent last reported.
	LastHeartbeatTime *metav1.Time `json:"lastHeartbeatTime,omitempty"`

	// LastTransitionTime is when the status last changed.
	LastTransitionTime *metav1.Time `json:"lastTransitionTime,omitempty"`
}

// DeployTokenStatus is the state of one deploy token.
type DeployTokenStatus struct {
	// Token is the token: 32 letters and digits. It is a secret until it is used.
	Token string `json:"token"`

	// State is unused or used.
	State DeployTokenState `json:"state"`

	// LastTransitionTime is when the state last changed.
	LastTransitionTime *metav1.Time `json:"lastTransitionTime,omitempty"`
}

// DomainRole tells own domains from partners.
type DomainRole string

// The roles of a domain.
const (
	// DomainOwn is a domain of this cluster.
	DomainOwn DomainRole = ""
	// DomainPartner is a domain with a control plane of its own.
	DomainPartner DomainRole = "partner"
)

// NodeState is the state of a node.
type NodeState string

// The states of a node.
const (
	// NodeReady is the state of a node whose agent reports and can run pods.
	NodeReady NodeState = "Ready"
	// NodeNotReady is the state of any other node.
	NodeNotReady NodeState = "NotReady"
)

// DeployTokenState is the state of a deploy token.
type DeployTokenState string

// The states of a deploy token.
const (
	// DeployTokenUnused is the state of a token with which a node can still register.
	DeployTokenUnused DeployTokenState = "unused"
	// DeployTokenUsed is the state of a token with which a node has registered.
	DeployTokenUsed DeployTokenState = "used"
)
