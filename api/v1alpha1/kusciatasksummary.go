package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// KusciaTaskSummary carries the state of a KusciaTask between two control planes. It lives at the host, in the namespace of the member's
// master domain. It has no status subresource: both sides write the whole object (controllers/interop).
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,shortName=kts
// +kubebuilder:printcolumn:name="JobID",type="string",JSONPath=`.spec.jobID`
// +kubebuilder:printcolumn:name="TaskAlias",type="string",JSONPath=`.spec.alias`
// +kubebuilder:printcolumn:name="Phase",type="string",JSONPath=`.status.phase`
type KusciaTaskSummary struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	// Spec names the task.
	Spec KusciaTaskSummarySpec `json:"spec"`

	// Status is the state of the task, as far as the two sides tell each other.
	Status KusciaTaskSummaryStatus `json:"status,omitzero"`
}

// KusciaTaskSummaryList is a list of KusciaTaskSummaries.
//
// +kubebuilder:object:root=true
type KusciaTaskSummaryList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// Items are the KusciaTaskSummaries of this page.
	Items []KusciaTaskSummary `json:"items"`
}

// KusciaTaskSummarySpec names a task. The name of the summary is the task id.
type KusciaTaskSummarySpec struct {
	// Alias is the alias of the task in its job; the member finds its own task by it.
	Alias string `json:"alias"`

	// JobID is the name of the job.
	JobID string `json:"jobID"`
}

// KusciaTaskSummaryStatus is the state of a task and of the machines that the member reserves for it.
type KusciaTaskSummaryStatus struct {
	KusciaTaskStatus `json:",inline"`

	// ResourceStatus are the states of the reservations, by the id of the member's domain.
	ResourceStatus map[string][]SummaryResourceStatus `json:"resourceStatus,omitempty"`
}

// SummaryResourceStatus is the state of one reservation, seen from both sides.
type SummaryResourceStatus struct {
	// Role is the party's role.
	Role string `json:"role,omitempty"`

	// MemberTaskResourceName is the name of the TaskResource at the member.
	MemberTaskResourceName string `json:"memberTaskResourceName,omitempty"`

	// MemberTaskResourceVersion is the resourceVersion of the member's TaskResource from which this was written.
	MemberTaskResourceVersion string `json:"memberTaskResourceVersion,omitempty"`

	// HostTaskResourceName is the name of the TaskResource at the host.
	HostTaskResourceName string `json:"hostTaskResourceName,omitempty"`

	// HostTaskResourceVersion is the resourceVersion of the host's TaskResource from which this was written.
	HostTaskResourceVersion string `json:"hostTaskResourceVersion,omitempty"`

	TaskResourceStatus `json:",inline"`
}
