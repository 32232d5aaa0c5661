package v1alpha1

import (
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KusciaDeployment is a service that several parties run together and keep running, such as online prediction. Each party gets a Deployment
// in its own namespace. Users write it in the namespace cross-domain.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,shortName=kd
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="TotalParties",type="integer",JSONPath=`.status.totalParties`
// +kubebuilder:printcolumn:name="AvailableParties",type="integer",JSONPath=`.status.availableParties`
// +kubebuilder:printcolumn:name="Phase",type="string",JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=`.metadata.creationTimestamp`
type KusciaDeployment struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	// Spec is the service as wanted.
	Spec KusciaDeploymentSpec `json:"spec"`

	// Status is how far it has come. Written by controllers/deployment.
	Status KusciaDeploymentStatus `json:"status,omitzero"`
}

// KusciaDeploymentList is a list of KusciaDeployments.
//
// +kubebuilder:object:root=true
type KusciaDeploymentList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// Items are the KusciaDeployments of this page.
	Items []KusciaDeployment `json:"items"`
}

// KusciaDeploymentSpec is a service of several parties as wanted.
type KusciaDeploymentSpec struct {
	// Initiator is the id of the domain that asks for the service. It must be one of the parties.
	Initiator string `json:"initiator"`

	// InputConfig is handed to the engine as the template variable INPUT_CONFIG.
	InputConfig string `json:"inputConfig"`

	// Parties are those who run the service.
	Parties []DeploymentParty `json:"parties"`
}

// DeploymentParty is one party of a KusciaDeployment.
type DeploymentParty struct {
	// DomainID is the id of the party's domain.
	DomainID string `json:"domainID"`

	// AppImageRef is the name of the AppImage that the party runs.
	AppImageRef string `json:"appImageRef"`

	// Role is the party's role, which picks the template of the AppImage.
	Role string `json:"role,omitempty"`

	// Template overrides parts of the AppImage's template.
	Template DeploymentPartyTemplate `json:"template,omitzero"`

	// ServiceNamePrefix starts the names of the party's services. Empty means the name of the KusciaDeployment.
	ServiceNamePrefix string `json:"serviceNamePrefix,omitempty"`
}

// DeploymentPartyTemplate overrides parts of an AppImage's template.
type DeploymentPartyTemplate struct {
	// Replicas is the number of pods. Absent means what the AppImage says.
	Replicas *int32 `json:"replicas,omitempty"`

	// Strategy is how pods are replaced. Absent means a rolling update of a quarter of them at a time.
	Strategy *appsv1.DeploymentStrategy `json:"strategy,omitempty"`

	// Spec overrides parts of the pod.
	Spec PodTemplate `json:"spec,omitzero"`
}
