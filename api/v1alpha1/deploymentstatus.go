package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KusciaDeploymentStatus is how far a service of several parties has come. KusciaDeployment and KusciaDeploymentSummary share it.
type KusciaDeploymentStatus struct {
	// Phase is the sum over all parties.
	Phase DeploymentPhase `json:"phase,omitempty"`

	// Reason is one word for programs.
	Reason string `json:"reason,omitempty"`

	// Message is a sentence for people.
	Message string `json:"message,omitempty"`

	// LastReconcileTime is when the controller last looked.
	LastReconcileTime *metav1.Time `json:"lastReconcileTime,omitempty"`

	// TotalParties is the number of parties.
	TotalParties int `json:"totalParties"`

	// AvailableParties is the number of parties of which enough pods are available.
	AvailableParties int `json:"availableParties"`

	// PartyDeploymentStatuses are the states of the Deployments, by domain id and name.
	PartyDeploymentStatuses map[string]map[string]PartyDeploymentStatus `json:"partyDeploymentStatuses,omitempty"`
}

// PartyDeploymentStatus is the state of one party's Deployment.
type PartyDeploymentStatus struct {
	// Phase is the state in one word.
	Phase DeploymentPhase `json:"phase,omitempty"`

	// Role is the party's role.
	Role string `json:"role,omitempty"`

	// Replicas is the number of pods.
	Replicas int32 `json:"replicas"`

	// UpdatedReplicas is the number of pods that have the newest template.
	UpdatedReplicas int32 `json:"updatedReplicas"`

	// AvailableReplicas is the number of pods that can be called.
	AvailableReplicas int32 `json:"availableReplicas"`

	// UnavailableReplicas is the number of pods that are wanted and cannot be called.
	UnavailableReplicas int32 `json:"unavailableReplicas"`

	// Conditions are the conditions of the Deployment.
	Conditions []DeploymentCondition `json:"conditions,omitempty"`

	// CreationTimestamp is when the Deployment was made.
	CreationTimestamp *metav1.Time `json:"creationTimestamp,omitempty"`
}

// DeploymentCondition is a condition of a Kubernetes Deployment, copied.
type DeploymentCondition struct {
	// Type is what the condition is about, such as Available or Progressing.
	Type string `json:"type"`

	// Status is True, False or Unknown.
	Status corev1.ConditionStatus `json:"status"`

	// Reason is one word for programs.
	Reason string `json:"reason,omitempty"`

	// Message is a sentence for people.
	Message string `json:"message,omitempty"`

	// LastUpdateTime is when the condition was last written.
	LastUpdateTime *metav1.Time `json:"lastUpdateTime,omitempty"`

	// LastTransitionTime is when the status last changed.
	LastTransitionTime *metav1.Time `json:"lastTransitionTime,omitempty"`
}

// DeploymentPhase is how far a service has come.
type DeploymentPhase string

// The phases of a service.
const (
	// DeploymentProgressing is the phase of a service of which a party is still starting pods.
	DeploymentProgressing DeploymentPhase = "Progressing"
	// DeploymentPartialAvailable is the phase of a service that can be called, with fewer pods than wanted.
	DeploymentPartialAvailable DeploymentPhase = "PartialAvailable"
	// DeploymentAvailable is the phase of a service with all its pods.
	DeploymentAvailable DeploymentPhase = "Available"
	// DeploymentFailed is the phase of a service that cannot be started.
	DeploymentFailed DeploymentPhase = "Failed"
)
