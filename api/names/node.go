package names

// What nodes carry beside LabelNamespace and LabelRuntime.
const (
	// LabelNodeDomain is the domain that owns a node, under an older key.
	LabelNodeDomain = "domain"
	// LabelNodeAPIVersion is the API version that the original's agents claim; see NodeAPIVersion.
	LabelNodeAPIVersion = "kubernetes.io/apiVersion"
	// NodeAPIVersion is the value of LabelNodeAPIVersion.
	NodeAPIVersion = "0.26.6"
	// LabelNodeRole is the role of a node; see NodeRole.
	LabelNodeRole = "kubernetes.io/role"
	// NodeRole is the value of LabelNodeRole.
	NodeRole = "agent"
	// TaintAgent keeps pods away that were not made for agents. Its value is TaintAgentValue, its effect TaintAgentEffect.
	TaintAgent = "kuscia.secretflow/agent"
	// TaintAgentValue is the value of TaintAgent.
	TaintAgentValue = "v1"
	// TaintAgentEffect is the effect of TaintAgent.
	TaintAgentEffect = "NoSchedule"
	// ResourceBandwidth is the network bandwidth of a node, and what a pod asks of it, in Mbit/s.
	ResourceBandwidth = "kuscia.io/bandwidth"
	// ConditionKernelParams says whether a node's kernel is set up for the work.
	ConditionKernelParams = "Kernel-Params"
)

// Runtimes, in the configuration file and in LabelRuntime.
const (
	// RuntimeRunC runs pods in containerd.
	RuntimeRunC = "runc"
	// RuntimeRunP runs pods as processes.
	RuntimeRunP = "runp"
	// RuntimeRunK runs pods in another Kubernetes cluster.
	RuntimeRunK = "runk"
)
