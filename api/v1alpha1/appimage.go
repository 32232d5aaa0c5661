package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// AppImage describes an engine: its container image, the templates of its pods, one per role, and the configuration files that it wants to
// find. Jobs and deployments refer to it by name. It belongs to the whole cluster and is written by administrators.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=aimg
type AppImage struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	// Spec is the engine as its publisher describes it.
	Spec AppImageSpec `json:"spec"`
}

// AppImageList is a list of AppImages.
//
// +kubebuilder:object:root=true
type AppImageList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// Items are the AppImages of this page.
	Items []AppImage `json:"items"`
}

// AppImageSpec is what a publisher says about an engine.
type AppImageSpec struct {
	// Image is the container image that all templates run.
	Image ImageReference `json:"image"`

	// ConfigTemplates maps a template name to the text of a file. `{{.NAME}}` in the text is replaced, when a pod starts, by a value of the
	// task, of the node or of the domain's configuration store; containers mount the result by configVolumeMounts.
	ConfigTemplates map[string]string `json:"configTemplates,omitempty"`

	// DeployTemplates are the pod templates. A party uses the first one whose comma-separated role list contains its role, else the one
	// without a role, else, if it has no role itself, the first.
	DeployTemplates []DeployTemplate `json:"deployTemplates"`
}

// ImageReference names a container image and, optionally, pins what it must contain.
type ImageReference struct {
	// Name is the repository, with or without a registry, such as `registry.example.com/secretflow`.
	Name string `json:"name"`

	// Tag is the image tag.
	Tag string `json:"tag"`

	// ID is the image id (the digest of its configuration) that a node must find before it runs the image. Empty means any.
	ID string `json:"id,omitempty"`

	// Sign is a publisher's signature of the image. It is carried, not checked.
	Sign string `json:"sign,omitempty"`
}
