package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DomainDataGrant lets another domain use a piece of data. It lives in the author's namespace; a copy of it and of the DomainData goes to the
// grantee.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,shortName=ddg
// +kubebuilder:subresource:status
type DomainDataGrant struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	// Spec is the permission.
	Spec DomainDataGrantSpec `json:"spec"`

	// Status is whether the permission holds, and how it was used.
	Status DomainDataGrantStatus `json:"status,omitzero"`
}

// DomainDataGrantList is a list of DomainDataGrants.
//
// +kubebuilder:object:root=true
type DomainDataGrantList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// Items are the DomainDataGrants of this page.
	Items []DomainDataGrant `json:"items"`
}

// DomainDataGrantSpec is a permission to use a piece of data. Its JSON, with an empty signature, is what the author signs.
type DomainDataGrantSpec struct {
	// Author is the id of the domain that owns the data and gives the permission.
	Author string `json:"author"`

	// DomainDataID is the name of the DomainData.
	DomainDataID string `json:"domainDataID"`

	// Signature is the author's RSA signature (PKCS#1 v1.5 over SHA-256) of this spec with an empty signature: base64.
	Signature string `json:"signature,omitempty"`

	// GrantDomain is the id of the domain that may use the data.
	GrantDomain string `json:"grantDomain"`

	// Limit narrows the permission. Absent means no limit.
	Limit *GrantLimit `json:"limit,omitempty"`

	// Description are remarks for people.
	Description map[string]string `json:"description,omitempty"`
}

// GrantLimit narrows a permission. Every limit that is given must be met.
type GrantLimit struct {
	// ExpirationTime is when the permission ends.
	ExpirationTime *metav1.Time `json:"expirationTime,omitempty"`

	// UseCount is how often the data may be used. Zero or absent means no bound.
	UseCount int `json:"useCount,omitempty"`

	// FlowID is the flow in which the data may be used.
	FlowID string `json:"flowID,omitempty"`

	// Components are the engine components that may use the data.
	Components []string `json:"components,omitempty"`

	// Initiator is the id of the domain whose jobs may use the data.
	Initiator string `json:"initiator,omitempty"`

	// InputConfig is the task input with which the data may be used.
	InputConfig string `json:"inputConfig,omitempty"`

	// GrantMode is what is shared.
	GrantMode []GrantMode `json:"grantMode,omitempty"`
}

// DomainDataGrantStatus is whether a permission holds, and how it was used.
type DomainDataGrantStatus struct {
	// Phase is the verdict. Written by controllers/domaindata.
	Phase GrantPhase `json:"phase"`

	// Message says why the permission does not hold. Written by controllers/domaindata.
	Message string `json:"message"`

	// UseRecords are the uses so far, oldest first.
	UseRecords []GrantUse `json:"use_records,omitempty"`
}

// GrantUse is one use of granted data.
type GrantUse struct {
	// UseTime is when the data was used.
	UseTime metav1.Time `json:"use_time"`

	// GrantDomain is the id of the domain that used it.
	GrantDomain string `json:"grant_domain"`

	// Component is the engine component that used it.
	Component string `json:"component,omitempty"`

	// Output is what was made from it.
	Output string `json:"output,omitempty"`
}

// GrantMode is what a grant shares.
//
// +kubebuilder:validation:Enum=normal;metadata;file
type GrantMode string

// The things that a grant can share.
const (
	// GrantNormal shares the use of the data in computations. It is what the APIs write.
	GrantNormal GrantMode = "normal"
	// GrantMetadata shares the description of the data.
	GrantMetadata GrantMode = "metadata"
	// GrantFile shares the file.
	GrantFile GrantMode = "file"
)

// GrantPhase says whether a permission holds.
//
// +kubebuilder:validation:Enum=Ready;Unavailable;Unknown
type GrantPhase string

// The phases of a grant.
const (
	// GrantReady is the phase of a permission that holds.
	GrantReady GrantPhase = "Ready"
	// GrantUnavailable is the phase of a permission that has expired, is used up, or whose signature is wrong.
	GrantUnavailable GrantPhase = "Unavailable"
	// GrantUnknown is the phase of a permission that has not been looked at.
	GrantUnknown GrantPhase = "Unknown"
)
