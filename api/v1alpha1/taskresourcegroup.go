package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TaskResourceGroup is the reservation of machines for all parties of a task, named after the task. It lets the pods start when enough
// parties have reserved theirs, and gives all up when that takes too long. It is made by controllers/task.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=trg
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="MinReservedMembers",type="integer",JSONPath=`.spec.minReservedMembers`
// +kubebuilder:printcolumn:name="Phase",type="string",JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="StartTime",type="date",JSONPath=`.status.startTime`
// +kubebuilder:printcolumn:name="CompletionTime",type="date",JSONPath=`.status.completionTime`
// +kubebuilder:printcolumn:name="LastTransitionTime",type="date",JSONPath=`.status.lastTransitionTime`
type TaskResourceGroup struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	// Spec is what is to be reserved.
	Spec TaskResourceGroupSpec `json:"spec"`

	// Status is the state of the reservation. Written by controllers/taskgroup.
	Status TaskResourceGroupStatus `json:"status,omitzero"`
}

// TaskResourceGroupList is a list of TaskResourceGroups.
//
// +kubebuilder:object:root=true
type TaskResourceGroupList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// Items are the TaskResourceGroups of this page.
	Items []TaskResourceGroup `json:"items"`
}

// TaskResourceGroupSpec is what is to be reserved for all parties of a task.
type TaskResourceGroupSpec struct {
	// MinReservedMembers is the number of parties that must have their machines before any of them starts.
	// +kubebuilder:validation:Minimum=1
	MinReservedMembers int `json:"minReservedMembers"`

	// ResourceReservedSeconds is how long a party holds its machines while it waits for the others.
	ResourceReservedSeconds int `json:"resourceReservedSeconds,omitempty"`

	// LifecycleSeconds is how long the parties try, counted from the creation of the group, before it fails.
	LifecycleSeconds int `json:"lifecycleSeconds,omitempty"`

	// RetryIntervalSeconds is how long they pause between two tries.
	RetryIntervalSeconds int `json:"retryIntervalSeconds,omitempty"`

	// Initiator is the id of the domain that asked for the task. Its control plane decides.
	Initiator string `json:"initiator"`

	// Parties are the parties whose pods run in this cluster.
	Parties []TaskResourceGroupParty `json:"parties,omitempty"`

	// OutOfControlledParties are the partners, whose pods run elsewhere.
	OutOfControlledParties []TaskResourceGroupParty `json:"outOfControlledParties,omitempty"`
}

// TaskResourceGroupParty is one party of a group.
type TaskResourceGroupParty struct {
	// Role is the party's role in the task.
	Role string `json:"role,omitempty"`

	// DomainID is the id of the party's domain.
	DomainID string `json:"domainID"`

	// MinReservedPods is the number of pods that must have a machine before the party's reservation holds. Absent means all.
	MinReservedPods int `json:"minReservedPods,omitempty"`

	// TaskResourceName is the name of the party's TaskResource. Written by controllers/taskgroup.
	TaskResourceName string `json:"taskResourceName,omitempty"`

	// Pods are the party's pods.
	Pods []TaskResourceGroupPod `json:"pods,omitempty"`
}

// TaskResourceGroupPod is one pod of a party.
type TaskResourceGroupPod struct {
	// Name is the name of the pod.
	Name string `json:"name"`
}

// TaskResourceGroupStatus is the state of a group's reservation.
type TaskResourceGroupStatus struct {
	// Phase is the state in one word.
	Phase TaskResourceGroupPhase `json:"phase"`

	// RetryCount is the number of tries that were given up so far.
	RetryCount int `json:"retryCount,omitempty"`

	// Conditions are the observations behind the phase.
	Conditions []TaskResourceGroupCondition `json:"conditions,omitempty"`

	// StartTime is when the controller first saw the group.
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// CompletionTime is when the group ended, in Reserved or Failed.
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`

	// LastTransitionTime is when the phase last changed.
	LastTransitionTime *metav1.Time `json:"lastTransitionTime,omitempty"`
}

// TaskResourceGroupCondition is one observation about a group.
type TaskResourceGroupCondition struct {
	// Type is what the condition is about.
	Type TaskResourceGroupConditionType `json:"type"`

	// Status is True, False or Unknown.
	Status corev1.ConditionStatus `json:"status"`

	// Reason says why, for programs and people.
	Reason string `json:"reason,omitempty"`

	// LastTransitionTime is when the status last changed.
	LastTransitionTime *metav1.Time `json:"lastTransitionTime,omitempty"`
}

// TaskResourceGroupPhase is the state of a group.
type TaskResourceGroupPhase string

// The phases of a group.
const (
	// TaskResourceGroupPending is the phase of a group that is being validated.
	TaskResourceGroupPending TaskResourceGroupPhase = "Pending"
	// TaskResourceGroupCreating is the phase of a group whose TaskResources are being made.
	TaskResourceGroupCreating TaskResourceGroupPhase = "Creating"
	// TaskResourceGroupReserving is the phase of a group whose parties look for machines.
	TaskResourceGroupReserving TaskResourceGroupPhase = "Reserving"
	// TaskResourceGroupReserved is the phase of a group of which enough parties have their machines.
	TaskResourceGroupReserved TaskResourceGroupPhase = "Reserved"
	// TaskResourceGroupReserveFailed is the phase of a group that pauses before the next try.
	TaskResourceGroupReserveFailed TaskResourceGroupPhase = "ReserveFailed"
	// TaskResourceGroupFailed is the phase of a group that was given up.
	TaskResourceGroupFailed TaskResourceGroupPhase = "Failed"
)

// TaskResourceGroupConditionType is what a TaskResourceGroupCondition is about.
type TaskResourceGroupConditionType string

// The conditions of a group, in the order in which they come to be.
const (
	// GroupValidated says whether the spec makes sense.
	GroupValidated TaskResourceGroupConditionType = "TaskResourceGroupValidated"
	// GroupResourceNameGenerated says whether every party has the name of its TaskResource.
	GroupResourceNameGenerated TaskResourceGroupConditionType = "TaskResourceNameGenerated"
	// GroupResourcesCreated says whether the TaskResources were made.
	GroupResourcesCreated TaskResourceGroupConditionType = "TaskResourcesCreated"
	// GroupPodAnnotationUpdated says whether the pods were told that their reservation may be tried.
	GroupPodAnnotationUpdated TaskResourceGroupConditionType = "PodAnnotationUpdated"
	// GroupResourcesListed says whether the TaskResources could be read.
	GroupResourcesListed TaskResourceGroupConditionType = "TaskResourcesListed"
	// GroupResourcesReserved says whether enough parties have their machines.
	GroupResourcesReserved TaskResourceGroupConditionType = "TaskResourcesReserved"
	// GroupExpired says whether the parties have tried for too long.
	GroupExpired TaskResourceGroupConditionType = "TaskResourceGroupExpired"
	// GroupResourcesScheduled says whether the pods may start.
	GroupResourcesScheduled TaskResourceGroupConditionType = "TaskResourcesScheduled"
	// GroupFailed says whether the group was given up.
	GroupFailed TaskResourceGroupConditionType = "TaskResourceGroupFailed"
	// GroupDependentTaskFailed says whether the task failed for another reason.
	GroupDependentTaskFailed TaskResourceGroupConditionType = "DependentTaskFailed"
)
