package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DataStatus is whether a DomainData or a DomainDataSource can be used. Written by the service that made the object (server/kusciaapi or
// server/datamesh).
type DataStatus struct {
	// Phase is the verdict.
	Phase DataPhase `json:"phase"`

	// Conditions are the observations behind the verdict, oldest first. The list must not be nil.
	Conditions []DataCondition `json:"conditions"`
}

// DataCondition is one observation about data.
type DataCondition struct {
	// Status is True, False or Unknown.
	Status corev1.ConditionStatus `json:"status"`

	// Reason is one word for programs.
	Reason string `json:"reason"`

	// Message is a sentence for people.
	Message string `json:"message,omitempty"`

	// LastUpdateTime is when the observation was made.
	LastUpdateTime metav1.Time `json:"lastUpdateTime"`
}

// DataPhase says whether data can be used.
//
// +kubebuilder:validation:Enum=Available;Unavailable;Unknown
type DataPhase string

// The phases of data.
const (
	// DataAvailable is the phase of data that can be used.
	DataAvailable DataPhase = "Available"
	// DataUnavailable is the phase of data that cannot be used.
	DataUnavailable DataPhase = "Unavailable"
	// DataUnknown is the phase of data about which nothing is known.
	DataUnknown DataPhase = "Unknown"
)
