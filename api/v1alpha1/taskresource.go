package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TaskResource is the reservation of machines for one party's pods of a task, in the party's namespace. The scheduler reserves all of them or
// none; the pods start when the whole group has its machines. It has no status subresource, so status and spec are written together.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,shortName=tr
// +kubebuilder:printcolumn:name="MinReservedPods",type="integer",JSONPath=`.spec.minReservedPods`
// +kubebuilder:printcolumn:name="Phase",type="string",JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="StartTime",type="date",JSONPath=`.status.startTime`
// +kubebuilder:printcolumn:name="CompletionTime",type="date",JSONPath=`.status.completionTime`
// +kubebuilder:printcolumn:name="LastTransitionTime",type="date",JSONPath=`.status.lastTransitionTime`
type TaskResource struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	// Spec is what is to be reserved. Written by controllers/taskgroup.
	Spec TaskResourceSpec `json:"spec"`

	// Status is the state of the reservation. Phases Reserving, Reserved and Failed for want of machines are written by the scheduler,
	// Schedulable and Failed with the group by controllers/taskgroup.
	Status TaskResourceStatus `json:"status,omitzero"`
}

// TaskResourceList is a list of TaskResources.
//
// +kubebuilder:object:root=true
type TaskResourceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// Items are the TaskResources of this page.
	Items []TaskResource `json:"items"`
}

// TaskResourceSpec is what is to be reserved for one party.
type TaskResourceSpec struct {
	// Role is the party's role in the task.
	Role string `json:"role,omitempty"`

	// MinReservedPods is the number of pods that must have a machine before the reservation holds.
	// +kubebuilder:validation:Minimum=1
	MinReservedPods int `json:"minReservedPods"`

	// ResourceReservedSeconds is how long the machines are held while the party waits for the others. Zero or absent means 30.
	ResourceReservedSeconds int `json:"resourceReservedSeconds,omitempty"`

	// Initiator is the id of the domain that asked for the task.
	Initiator string `json:"initiator,omitempty"`

	// Pods are the pods of the party. It is empty in the copy of a partner's reservation.
	Pods []ReservedPod `json:"pods,omitempty"`
}

// ReservedPod is one pod for which a machine is reserved.
type ReservedPod struct {
	// Name is the name of the pod.
	Name string `json:"name"`

	// Resources is what the containers of the pod need together.
	Resources corev1.ResourceRequirements `json:"resources,omitzero"`
}

// TaskResourceStatus is the state of a reservation.
type TaskResourceStatus struct {
	// Phase is the state in one word.
	Phase TaskResourcePhase `json:"phase"`

	// Conditions are the phases that the reservation has been in; the type of a condition is a phase.
	Conditions []TaskResourceCondition `json:"conditions,omitempty"`

	// StartTime is when the reservation was begun.
	StartTime *metav1.Time `json:"startTime,omitempty"`

	// CompletionTime is when it ended, in Schedulable or Failed.
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`

	// LastTransitionTime is when the phase last changed.
	LastTransitionTime *metav1.Time `json:"lastTransitionTime,omitempty"`
}

// TaskResourceCondition is one phase of a reservation.
type TaskResourceCondition struct {
	// Type is the phase that the condition is about.
	Type TaskResourcePhase `json:"type"`

	// Status is True, False or Unknown.
	Status corev1.ConditionStatus `json:"status"`

	// Reason says why, for programs and people.
	Reason string `json:"reason,omitempty"`

	// LastTransitionTime is when the status last changed.
	LastTransitionTime *metav1.Time `json:"lastTransitionTime,omitempty"`
}

// TaskResourcePhase is the state of a reservation, and the type of its conditions.
type TaskResourcePhase string

// The phases of a reservation.
const (
	// TaskResourcePending is the phase of a reservation that may not be tried yet.
	TaskResourcePending TaskResourcePhase = "Pending"
	// TaskResourceReserving is the phase of a reservation for which the scheduler looks for machines.
	TaskResourceReserving TaskResourcePhase = "Reserving"
	// TaskResourceReserved is the phase of a reservation that has its machines and waits for the other parties.
	TaskResourceReserved TaskResourcePhase = "Reserved"
	// TaskResourceSchedulable is the phase of a reservation whose pods may start.
	TaskResourceSchedulable TaskResourcePhase = "Schedulable"
	// TaskResourceFailed is the phase of a reservation that was given up.
	TaskResourceFailed TaskResourcePhase = "Failed"
)
