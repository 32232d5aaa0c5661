package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// KusciaJobSummary carries commands and state of a KusciaJob between two control planes. It lives at the host, in the namespace of the
// member's master domain. It has no status subresource: both sides write the whole object (controllers/interop).
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,shortName=kjs
// +kubebuilder:printcolumn:name="StartTime",type="date",JSONPath=`.status.startTime`
// +kubebuilder:printcolumn:name="CompletionTime",type="date",JSONPath=`.status.completionTime`
// +kubebuilder:printcolumn:name="LastReconcileTime",type="date",JSONPath=`.status.lastReconcileTime`
type KusciaJobSummary struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	// Spec is the last command.
	Spec KusciaJobSummarySpec `json:"spec"`

	// Status is the state of the job, as far as the two sides tell each other.
	Status KusciaJobStatus `json:"status,omitzero"`
}

// KusciaJobSummaryList is a list of KusciaJobSummaries.
//
// +kubebuilder:object:root=true
type KusciaJobSummaryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// Items are the KusciaJobSummaries of this page.
	Items []KusciaJobSummary `json:"items"`
}

// KusciaJobSummarySpec is the last command to a job.
type KusciaJobSummarySpec struct {
	// Stage is the command.
	// +kubebuilder:default=Create
	Stage JobStage `json:"stage,omitempty"`

	// StageTrigger is the id of the domain that gave the command.
	StageTrigger string `json:"stageTrigger,omitempty"`
}
