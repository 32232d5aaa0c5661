package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// KusciaTask is one computation of several parties. Its pods start all or none. It is made in the namespace cross-domain by controllers/job.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,shortName=kt
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="StartTime",type="date",JSONPath=`.status.startTime`
// +kubebuilder:printcolumn:name="CompletionTime",type="date",JSONPath=`.status.completionTime`
// +kubebuilder:printcolumn:name="LastReconcileTime",type="date",JSONPath=`.status.lastReconcileTime`
// +kubebuilder:printcolumn:name="Phase",type="string",JSONPath=`.status.phase`
type KusciaTask struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	// Spec is the computation.
	Spec KusciaTaskSpec `json:"spec"`

	// Status is how far it has come. Written by controllers/task.
	Status KusciaTaskStatus `json:"status,omitzero"`
}

// KusciaTaskList is a list of KusciaTasks.
//
// +kubebuilder:object:root=true
type KusciaTaskList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// Items are the KusciaTasks of this page.
	Items []KusciaTask `json:"items"`
}

// KusciaTaskSpec is one computation of several parties.
type KusciaTaskSpec struct {
	// Initiator is the id of the domain that asked for the job.
	Initiator string `json:"initiator"`

	// TaskInputConfig is handed to the engine as the template variable TASK_INPUT_CONFIG.
	TaskInputConfig string `json:"taskInputConfig"`

	// ScheduleConfig says how long to wait for the machines of all parties.
	ScheduleConfig ScheduleConfig `json:"scheduleConfig,omitzero"`

	// Parties are those who compute.
	Parties []TaskParty `json:"parties"`
}

// TaskParty is one party of a task.
type TaskParty struct {
	// DomainID is the id of the party's domain.
	DomainID string `json:"domainID"`

	// AppImageRef is the name of the AppImage that the party runs.
	AppImageRef string `json:"appImageRef"`

	// Role is the party's role, which picks the template of the AppImage.
	Role string `json:"role,omitempty"`

	// MinReservedPods is the number of the party's pods that must have a machine before any of them starts. Zero or absent means all.
	MinReservedPods int `json:"minReservedPods,omitempty"`

	// Template overrides parts of the AppImage's template.
	Template TaskPartyTemplate `json:"template,omitzero"`

	// BandwidthLimits bound the traffic of the party to other parties.
	BandwidthLimits []BandwidthLimit `json:"bandwidthLimits,omitempty"`
}

// TaskPartyTemplate overrides parts of an AppImage's template.
type TaskPartyTemplate struct {
	// Replicas is the number of pods. Absent means what the AppImage says.
	Replicas *int32 `json:"replicas,omitempty"`

	// Spec overrides parts of the pod.
	Spec PodTemplate `json:"spec,omitzero"`
}

// ScheduleConfig says how long a task waits for the machines of all its parties. KusciaJob and KusciaTask share it.
type ScheduleConfig struct {
	// MinReservedMembers is the number of parties that must have their machines before any of them starts. Absent means all.
	// +kubebuilder:validation:Minimum=1
	MinReservedMembers int `json:"minReservedMembers,omitempty"`

	// ResourceReservedSeconds is how long a party holds its machines while it waits for the others. Zero or absent means 30.
	ResourceReservedSeconds int `json:"resourceReservedSeconds,omitempty"`

	// LifecycleSeconds is how long the parties try before the task fails. Zero or absent means 300.
	LifecycleSeconds int `json:"lifecycleSeconds,omitempty"`

	// RetryIntervalSeconds is how long they pause between two tries. Zero or absent means 30.
	RetryIntervalSeconds int `json:"retryIntervalSeconds,omitempty"`
}

// BandwidthLimit bounds the traffic from one party to another.
type BandwidthLimit struct {
	// DestinationID is the id of the domain to which the traffic goes.
	DestinationID string `json:"destinationID"`

	// LimitKBps is the bound in KiB per second.
	LimitKBps int64 `json:"limitKBps"`
}
