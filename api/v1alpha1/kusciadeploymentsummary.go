package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// KusciaDeploymentSummary carries the state of a KusciaDeployment between two control planes. It lives at the host, in the namespace of the
// member's master domain. It has no status subresource: both sides write the whole object (controllers/interop).
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,shortName=kds
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=`.metadata.creationTimestamp`
type KusciaDeploymentSummary struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	// Status is the state of the deployment at the member.
	Status KusciaDeploymentStatus `json:"status,omitzero"`
}

// KusciaDeploymentSummaryList is a list of KusciaDeploymentSummaries.
//
// +kubebuilder:object:root=true
type KusciaDeploymentSummaryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// Items are the KusciaDeploymentSummaries of this page.
	Items []KusciaDeploymentSummary `json:"items"`
}
