package v1alpha1

import corev1 "k8s.io/api/core/v1"

// DeployTemplate is how an engine runs for one role of a computation.
type DeployTemplate struct {
	// Name identifies the template inside its AppImage.
	Name string `json:"name"`

	// Role is a comma-separated list of the roles that use this template. Empty means any role that no other template names.
	Role string `json:"role,omitempty"`

	// Replicas is the number of pods that a party starts. Absent means 1.
	Replicas *int32 `json:"replicas,omitempty"`

	// Spec is the pod that is started.
	Spec PodTemplate `json:"spec"`

	// NetworkPolicy says which roles may call which ports. Absent means that every party of the task may call every port of scope Cluster.
	NetworkPolicy *NetworkPolicy `json:"networkPolicy,omitempty"`
}

// NetworkPolicy restricts who may call the ports of a template.
type NetworkPolicy struct {
	// Ingresses are the permissions. A call is allowed if one of them allows it.
	Ingresses []Ingress `json:"ingresses"`
}

// Ingress lets some roles call some ports.
type Ingress struct {
	// From names the callers.
	From IngressFrom `json:"from"`

	// Ports are the ports that the callers may use.
	Ports []IngressPort `json:"ports"`
}

// IngressFrom names the callers that an Ingress admits.
type IngressFrom struct {
	// Roles are the roles of the same task whose domains are admitted.
	Roles []string `json:"roles"`
}

// IngressPort names a port that an Ingress opens.
type IngressPort struct {
	// Port is the name of a container port of the template.
	Port string `json:"port"`
}

// PodTemplate is the part of a pod that an engine's publisher, or a party of a computation, may choose.
type PodTemplate struct {
	// Containers are the pod's containers. In a party's template they are merged with the AppImage's by position.
	Containers []Container `json:"containers,omitempty"`

	// RestartPolicy is the pod's restart policy. Absent means Never for tasks and Always for deployments.
	RestartPolicy corev1.RestartPolicy `json:"restartPolicy,omitempty"`

	// Affinity is the pod's scheduling affinity among the nodes of its domain.
	Affinity *corev1.Affinity `json:"affinity,omitempty"`
}

// Container is one container of a PodTemplate. Its image is the AppImage's.
type Container struct {
	// Name identifies the container inside its pod.
	Name string `json:"name"`

	// Command replaces the entry point of the image. A party that gives a command or arguments replaces both.
	Command []string `json:"command,omitempty"`

	// Args are the arguments of the command.
	Args []string `json:"args,omitempty"`

	// WorkingDir is the folder in which the command starts. Relative mount paths start here too.
	WorkingDir string `json:"workingDir"`

	// ConfigVolumeMounts are the files made from the AppImage's configTemplates.
	ConfigVolumeMounts []ConfigVolumeMount `json:"configVolumeMounts,omitempty"`

	// Ports are the ports on which the container listens. Their names are unique over the whole pod.
	Ports []ContainerPort `json:"ports,omitempty"`

	// EnvFrom are sources of environment variables.
	EnvFrom []corev1.EnvFromSource `json:"envFrom,omitempty"`

	// Env are environment variables. Those of a party are appended to those of the AppImage.
	Env []corev1.EnvVar `json:"env,omitempty"`

	// Resources are the container's requests and limits. Those of a party override those of the AppImage one by one.
	Resources corev1.ResourceRequirements `json:"resources,omitzero"`

	// LivenessProbe restarts the container when it fails.
	LivenessProbe *corev1.Probe `json:"livenessProbe,omitempty"`

	// ReadinessProbe says when the container may be called.
	ReadinessProbe *corev1.Probe `json:"readinessProbe,omitempty"`

	// StartupProbe holds the other probes back until the container has started.
	StartupProbe *corev1.Probe `json:"startupProbe,omitempty"`

	// MetricProbe says where the engine's metrics can be scraped.
	MetricProbe *MetricProbe `json:"metricProbe,omitempty"`

	// ImagePullPolicy is when the image is pulled. Absent means IfNotPresent.
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`

	// SecurityContext are the container's security options. A node grants privileged only if its configuration allows it.
	SecurityContext *corev1.SecurityContext `json:"securityContext,omitempty"`
}

// ConfigVolumeMount places one rendered configuration template into a container.
type ConfigVolumeMount struct {
	// MountPath is the path of the file in the container; a relative one starts at the container's working folder.
	MountPath string `json:"mountPath"`

	// SubPath is the name of the template in the AppImage's configTemplates.
	SubPath string `json:"subPath"`
}

// MetricProbe says where the metrics of an engine are served.
type MetricProbe struct {
	// Path is the HTTP path of the metrics.
	Path string `json:"path,omitempty"`

	// Port is the name of the container port that serves them.
	Port string `json:"port,omitempty"`
}

// ContainerPort is a named port of a container.
type ContainerPort struct {
	// Name identifies the port and becomes part of the service's host name.
	Name string `json:"name"`

	// Port is the number on which the container listens. Zero or absent: one is allocated for each pod and handed to the engine.
	Port int32 `json:"port,omitempty"`

	// Protocol is what is spoken on the port.
	// +kubebuilder:default=HTTP
	Protocol PortProtocol `json:"protocol,omitempty"`

	// Scope is how far away callers may be.
	// +kubebuilder:validation:Enum=Cluster;Domain;Local
	// +kubebuilder:default=Local
	Scope PortScope `json:"scope,omitempty"`
}

// PortProtocol is the protocol spoken on a port.
//
// +kubebuilder:validation:Enum=HTTP;GRPC
type PortProtocol string

// The protocols that a port can speak.
const (
	// PortHTTP is HTTP/1.1.
	PortHTTP PortProtocol = "HTTP"
	// PortGRPC is gRPC, that is HTTP/2.
	PortGRPC PortProtocol = "GRPC"
)

// PortScope is how far away the callers of a port may be.
type PortScope string

// The scopes of a port.
const (
	// ScopeCluster lets other domains call the port through the gateways.
	ScopeCluster PortScope = "Cluster"
	// ScopeDomain lets the pods of the own domain call the port.
	ScopeDomain PortScope = "Domain"
	// ScopeLocal keeps the port inside its pod; it gets no service.
	ScopeLocal PortScope = "Local"
)
