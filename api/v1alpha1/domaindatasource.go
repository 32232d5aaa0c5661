package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DomainDataSource is a place where a domain keeps data: a folder, an object store, a database. The details, credentials among them, are
// sealed to the domain's own key or kept in its configuration store; this object never carries them in clear.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,shortName=dds
// +kubebuilder:subresource:status
type DomainDataSource struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	// Spec is the description of the place.
	Spec DomainDataSourceSpec `json:"spec"`

	// Status is whether the place can be used.
	Status DataStatus `json:"status,omitzero"`
}

// DomainDataSourceList is a list of DomainDataSources.
//
// +kubebuilder:object:root=true
type DomainDataSourceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// Items are the DomainDataSources of this page.
	Items []DomainDataSource `json:"items"`
}

// DomainDataSourceSpec describes a place for data.
type DomainDataSourceSpec struct {
	// Name is the name that people read.
	Name string `json:"name"`

	// Type is the kind of place: localfs, oss, mysql, postgresql, odps, hive or dameng.
	Type string `json:"type"`

	// URI is the public part of the address: a folder, `bucket/prefix` or `endpoint/project`; empty for databases.
	URI string `json:"uri,omitempty"`

	// Data holds, under the key encryptedInfo, the details of the place sealed to the domain's key.
	Data map[string]string `json:"data,omitempty"`

	// InfoKey is the key of the details in the domain's configuration store, instead of data.
	InfoKey string `json:"infoKey,omitempty"`

	// AccessDirectly says that engines may open the place themselves instead of going through the data mesh.
	AccessDirectly bool `json:"accessDirectly,omitempty"`
}
