package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KusciaJob is a graph of tasks that several parties compute together. Users write it in the namespace cross-domain; the controller starts
// each task when those that it depends on have succeeded.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,shortName=kj
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="StartTime",type="date",JSONPath=`.status.startTime`
// +kubebuilder:printcolumn:name="CompletionTime",type="date",JSONPath=`.status.completionTime`
// +kubebuilder:printcolumn:name="LastReconcileTime",type="date",JSONPath=`.status.lastReconcileTime`
// +kubebuilder:printcolumn:name="Phase",type="string",JSONPath=`.status.phase`
type KusciaJob struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	// Spec is the graph of tasks.
	Spec KusciaJobSpec `json:"spec"`

	// Status is how far the job has come. Written by controllers/job.
	Status KusciaJobStatus `json:"status,omitzero"`
}

// KusciaJobList is a list of KusciaJobs.
//
// +kubebuilder:object:root=true
type KusciaJobList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// Items are the KusciaJobs of this page.
	Items []KusciaJob `json:"items"`
}

// KusciaJobSpec is a graph of tasks.
type KusciaJobSpec struct {
	// FlowID names the flow to which the job belongs, for the user's own bookkeeping.
	FlowID string `json:"flowID,omitempty"`

	// Initiator is the id of the domain that asks for the job. Its control plane leads.
	Initiator string `json:"initiator"`

	// MaxParallelism is the largest number of tasks that run at the same time.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=128
	MaxParallelism int `json:"maxParallelism,omitempty"`

	// ScheduleMode is what happens to the rest of the job when a task fails that is not tolerable.
	// +kubebuilder:default=Strict
	ScheduleMode ScheduleMode `json:"scheduleMode,omitempty"`

	// Tasks are the nodes of the graph, 1 to 128 of them.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=128
	Tasks []JobTask `json:"tasks"`
}

// JobTask is one node of a job's graph: an engine that several parties run at the same time.
type JobTask struct {
	// Alias names the task inside its job; dependencies refer to it.
	Alias string `json:"alias"`

	// TaskID is the name of the KusciaTask that is made. Empty: the initiator's control plane gives one.
	// +kubebuilder:validation:Pattern=`[a-z0-9]([-a-z0-9]*[a-z0-9])?`
	TaskID string `json:"taskID,omitempty"`

	// Priority orders the tasks that are ready: higher first.
	Priority int `json:"priority,omitempty"`

	// Dependencies are the aliases of the tasks that must have succeeded before this one starts.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=128
	Dependencies []string `json:"dependencies,omitempty"`

	// Tolerable says that the job may go on and succeed although this task fails.
	// +kubebuilder:default=false
	Tolerable bool `json:"tolerable,omitempty"`

	// AppImage is the name of the AppImage that the parties run.
	AppImage string `json:"appImage"`

	// TaskInputConfig is handed to the engine as the template variable TASK_INPUT_CONFIG.
	TaskInputConfig string `json:"taskInputConfig"`

	// ScheduleConfig says how long to wait for the machines of all parties.
	ScheduleConfig *ScheduleConfig `json:"scheduleConfig,omitempty"`

	// Parties are those who compute the task.
	Parties []JobParty `json:"parties"`
}

// JobParty is one party of a job's task.
type JobParty struct {
	// DomainID is the id of the party's domain.
	DomainID string `json:"domainID"`

	// Role is the party's role, which picks the template of the AppImage.
	Role string `json:"role,omitempty"`

	// Resources is what the party may use for this task, over all its pods: it is divided evenly among their containers.
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`

	// BandwidthLimits bound the traffic of the party to other parties.
	BandwidthLimits []BandwidthLimit `json:"bandwidthLimits,omitempty"`
}

// ScheduleMode is what happens to the rest of a job when a task fails.
//
// +kubebuilder:validation:Enum=Strict;BestEffort
type ScheduleMode string

// The schedule modes.
const (
	// ScheduleStrict fails the job as soon as a task fails that is not tolerable.
	ScheduleStrict ScheduleMode = "Strict"
	// ScheduleBestEffort goes on with the tasks that do not depend on the failed one, and then fails.
	ScheduleBestEffort ScheduleMode = "BestEffort"
)

// JobStage is a command to a job. It travels in the label job-stage of a KusciaJob and in the spec of a KusciaJobSummary.
type JobStage string

// The commands to a job.
const (
	// JobStageCreate makes the job known to all parties.
	JobStageCreate JobStage = "Create"
	// JobStageStart lets its tasks start.
	JobStageStart JobStage = "Start"
	// JobStageStop ends its tasks and fails the job; it can be restarted.
	JobStageStop JobStage = "Stop"
	// JobStageCancel ends its tasks for good.
	JobStageCancel JobStage = "Cancel"
	// JobStageRestart runs the tasks that have not succeeded once more.
	JobStageRestart JobStage = "Restart"
	// JobStageSuspend ends its tasks until a restart.
	JobStageSuspend JobStage = "Suspend"
)
