package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KusciaTaskStatus is how far a task has come. KusciaTask and KusciaTaskSummary share it.
type KusciaTaskStatus struct {
	// Phase is the state of the task in one word.
	Phase TaskPhase `json:"phase,omitempty"`

	// Reason is one word for programs.
	Reason string `json:"reason,omitempty"`

	// Message is a sentence for people.
	Message string `json:"message,omitempty"`

	// Progress is how much of the computation is done, from 0 to 1, as the engine reports it. Written by server/reporter.
	Progress float64 `json:"progress,omitempty"`

	// Conditions are the observations behind the phase.
	Conditions []TaskCondition `json:"conditions,omitempty"`

	// PartyTaskStatus are the states of the parties.
	PartyTaskStatus []PartyTaskStatus `json:"partyTaskStatus,omitempty"`

	// PodStatuses are the states of the pods of this cluster, by `<namespace>/<pod>`.
	PodStatuses map[string]TaskPodStatus `json:"podStatuses,omitempty"`

	// ServiceStatuses are the states of the services of this cluster, by `<namespace>/<service>`.
	ServiceStatuses map[string]TaskServiceStatus `json:"serviceStatuses,omitempty"`

	// AllocatedPorts are the port numbers that were given to the pods.
	AllocatedPorts []PartyAllocatedPorts `json:"allocatedPorts,omitempty"`

	// StartTime is when the controller first saw the task.
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// CompletionTime is when the task ended. Absent while it goes on.
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`

	// LastReconcileTime is when the controller last changed the status.
	LastReconcileTime *metav1.Time `json:"lastReconcileTime,omitempty"`
}

// TaskCondition is one observation about a task.
type TaskCondition struct {
	// Type is what the condition is about.
	Type TaskConditionType `json:"type"`

	// Status is True, False or Unknown.
	Status corev1.ConditionStatus `json:"status"`

	// Reason is one word for programs.
	Reason string `json:"reason,omitempty"`

	// Message is a sentence for people.
	Message string `json:"message,omitempty"`

	// LastTransitionTime is when the status last changed.
	LastTransitionTime *metav1.Time `json:"lastTransitionTime,omitempty"`
}

// PartyTaskStatus is the state of one party of a task. In a job it is how the party has created the task; then its phase is Succeeded or
// Failed.
type PartyTaskStatus struct {
	// DomainID is the id of the party's domain.
	DomainID string `json:"domainID"`

	// Role is the party's role.
	Role string `json:"role,omitempty"`

	// Phase is the state in one word.
	Phase TaskPhase `json:"phase,omitempty"`

	// Message is a sentence for people.
	Message string `json:"message,omitempty"`
}

// TaskPodStatus is the state of one pod of a task.
type TaskPodStatus struct {
	// PodName is the name of the pod.
	PodName string `json:"podName"`

	// Namespace is the namespace of the pod, that is the party's domain id.
	Namespace string `json:"namespace"`

	// NodeName is the node on which the pod runs.
	NodeName string `json:"nodeName,omitempty"`

	// PodPhase is the phase of the pod.
	PodPhase corev1.PodPhase `json:"podPhase"`

	// Reason is one word for programs.
	Reason string `json:"reason,omitempty"`

	// Message is a sentence for people.
	Message string `json:"message,omitempty"`

	// TerminationLog is the end of the log of a container that failed.
	TerminationLog string `json:"terminationLog,omitempty"`

	// CreateTime is when the pod was made.
	CreateTime *metav1.Time `json:"createTime,omitempty"`

	// ScheduleTime is when the pod was given a node.
	ScheduleTime *metav1.Time `json:"scheduleTime,omitempty"`

	// StartTime is when the node took the pod.
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// ReadyTime is when the pod became ready.
	ReadyTime *metav1.Time `json:"readyTime,omitempty"`
}

// TaskServiceStatus is the state of one service of a task.
type TaskServiceStatus struct {
	// ServiceName is the name of the service.
	ServiceName string `json:"serviceName"`

	// Namespace is the namespace of the service, that is the party's domain id.
	Namespace string `json:"namespace"`

	// PortName is the name of the port behind the service.
	PortName string `json:"portName,omitempty"`

	// PortNumber is the number of that port.
	PortNumber int32 `json:"portNumber,omitempty"`

	// Scope is how far away callers may be.
	Scope PortScope `json:"scope,omitempty"`

	// Reason is one word for programs.
	Reason string `json:"reason,omitempty"`

	// Message is a sentence for people.
	Message string `json:"message,omitempty"`

	// CreateTime is when the service was made.
	CreateTime *metav1.Time `json:"createTime,omitempty"`

	// ReadyTime is when the gateways first routed to the service.
	ReadyTime *metav1.Time `json:"readyTime,omitempty"`
}

// PartyAllocatedPorts are the port numbers that were given to the pods of one party.
type PartyAllocatedPorts struct {
	// DomainID is the id of the party's domain.
	DomainID string `json:"domainID"`

	// Role is the party's role.
	Role string `json:"role,omitempty"`

	// NamedPort are the numbers, by `<pod>/<port name>`.
	NamedPort map[string]int32 `json:"namedPort,omitempty"`
}

// TaskPhase is the state of a task, or of one party of it.
type TaskPhase string

// The phases of a task.
const (
	// TaskPending is the phase of a task whose pods wait for machines.
	TaskPending TaskPhase = "Pending"
	// TaskRunning is the phase of a task of which a pod has started.
	TaskRunning TaskPhase = "Running"
	// TaskSucceeded is the phase of a task of which enough parties have succeeded.
	TaskSucceeded TaskPhase = "Succeeded"
	// TaskFailed is the phase of a task that failed.
	TaskFailed TaskPhase = "Failed"
)

// TaskConditionType is what a TaskCondition is about.
type TaskConditionType string

// The conditions of a task.
const (
	// TaskPortsAllocated says whether the pods were given port numbers.
	TaskPortsAllocated TaskConditionType = "PortsAllocated"
	// TaskResourceCreated says whether pods, services and the like were made.
	TaskResourceCreated TaskConditionType = "ResourceCreated"
	// TaskIsRunning says whether the task has started.
	TaskIsRunning TaskConditionType = "Running"
	// TaskSuccess says whether the task has succeeded.
	TaskSuccess TaskConditionType = "Success"
	// TaskStatusSynced says whether the status of the partners is known.
	TaskStatusSynced TaskConditionType = "StatusSynced"
)
