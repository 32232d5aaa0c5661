package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DomainAppImage lists the images that a domain has approved. It exists so that objects of other control planes find their kind; nothing
// reads or writes it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Namespaced,shortName=daimg
type DomainAppImage struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	// Spec is the list of approved images.
	Spec DomainAppImageSpec `json:"spec"`
}

// DomainAppImageList is a list of DomainAppImages.
//
// +kubebuilder:object:root=true
type DomainAppImageList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// Items are the DomainAppImages of this page.
	Items []DomainAppImage `json:"items"`
}

// DomainAppImageSpec is a list of approved images.
type DomainAppImageSpec struct {
	// Images are the approved images.
	Images []ApprovedImage `json:"images,omitempty"`
}

// ApprovedImage is an image that a domain admits.
type ApprovedImage struct {
	// Tag is the image tag.
	Tag string `json:"tag"`

	// ID is the image id, the digest of its configuration.
	ID string `json:"id"`

	// Sign is the approver's signature of the image.
	Sign string `json:"sign"`
}
