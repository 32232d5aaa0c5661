package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// InteropConfig says that some domains of this cluster take part in jobs that start at another control plane, the host. The member pulls its
// objects from the host's API server and pushes its results there. controllers/clusterdomainroute makes one, named
// `<source>-2-<destination>`, for each ready route to a partner that runs its own control plane.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,shortName=interop
type InteropConfig struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	// Spec names the host and its members.
	Spec InteropConfigSpec `json:"spec"`
}

// InteropConfigList is a list of InteropConfigs.
//
// +kubebuilder:object:root=true
type InteropConfigList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	// Items are the InteropConfigs of this page.
	Items []InteropConfig `json:"items"`
}

// InteropConfigSpec names a host and the members that work with it.
type InteropConfigSpec struct {
	// Host is the id of the domain whose control plane starts the jobs.
	Host string `json:"host"`

	// Members are the ids of the domains of this cluster that take part.
	Members []string `json:"members"`
}
