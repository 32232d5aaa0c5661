package names

// Annotations that tie jobs, tasks and their mirrors to parties.
const (
	// AnnotationInitiator is the domain that started the job or made the data.
	AnnotationInitiator = "kuscia.secretflow/initiator"
	// AnnotationSelfAsInitiator, True or False, says whether the initiator belongs to this cluster.
	AnnotationSelfAsInitiator = "kuscia.secretflow/self-cluster-as-initiator"
	// AnnotationSelfAsParticipant, True or False, says whether a domain of this cluster takes part.
	AnnotationSelfAsParticipant = "kuscia.secretflow/self-cluster-as-participant"
	// AnnotationKusciaParties are the partners reached by the Kuscia protocol, joined by PartySeparator.
	AnnotationKusciaParties = "kuscia.secretflow/interconn-kuscia-parties"
	// AnnotationBFIAParties are the partners reached by the BFIA protocol, joined by PartySeparator.
	AnnotationBFIAParties = "kuscia.secretflow/interconn-bfia-parties"
	// AnnotationSelfParties are the parties of this cluster, joined by PartySeparator.
	AnnotationSelfParties = "kuscia.secretflow/interconn-self-parties"
	// PartySeparator joins domain ids in the three annotations above. No domain id can contain it.
	PartySeparator = "_"
	// AnnotationInitiatorMasterDomain is the domain that is master of the initiator.
	AnnotationInitiatorMasterDomain = "kuscia.secretflow/initiator-master-domain"
	// AnnotationPartyMasterDomain is the domain that is master of the party, and its namespace at the host.
	AnnotationPartyMasterDomain = "kuscia.secretflow/party-master-domain"
	// AnnotationTaskSummaryResourceVersion is the version of the summary that was last taken over.
	AnnotationTaskSummaryResourceVersion = "kuscia.secretflow/tasksummary-resource-version"
)

// Annotations of tasks and their pods.
const (
	// AnnotationJobID is the job that a task belongs to.
	AnnotationJobID = "kuscia.secretflow/job-id"
	// AnnotationTaskID is the task that an object belongs to.
	AnnotationTaskID = "kuscia.secretflow/task-id"
	// AnnotationTaskAlias is the name of the task within its job, which is the same at all parties.
	AnnotationTaskAlias = "kuscia.secretflow/task-alias"
	// AnnotationTaskResourceGroup is the group that a pod belongs to.
	AnnotationTaskResourceGroup = "kuscia.secretflow/task-resource-group"
	// AnnotationTaskResource is the task resource that a pod belongs to; the scheduler finds the gang by it.
	AnnotationTaskResource = "kuscia.secretflow/task-resource"
	// AnnotationReservingTimestamp is when the last attempt to reserve began (RFC 3339). Its change wakes the scheduler.
	AnnotationReservingTimestamp = "kuscia.secretflow/taskresource-reserving-timestamp"
	// AnnotationMetricPath is the path under which a pod shows its metrics.
	AnnotationMetricPath = "kuscia.secretflow/metric_path"
	// AnnotationMetricPort is the port under which a pod shows its metrics.
	AnnotationMetricPort = "kuscia.secretflow/metric_port"
	// AnnotationShouldBeScraped, if True, asks for a pod's metrics.
	AnnotationShouldBeScraped = "kuscia.secretflow/should_be_scraped"
	// AnnotationImageID is the image that a pod must run; the agent refuses another one under the same name.
	AnnotationImageID = "kuscia.secretflow/image-id"
	// AnnotationConfigTemplateVolumes is the volume whose files the agent renders.
	AnnotationConfigTemplateVolumes = "kuscia.secretflow/config-template-volumes"
	// ConfigTemplateVolume is the one value of AnnotationConfigTemplateVolumes, and the name of that volume.
	ConfigTemplateVolume = "config-template"
	// AnnotationConfigTemplateValues is the ConfigMap that holds the values for rendering.
	AnnotationConfigTemplateValues = "kuscia.secretflow/config-template-value-cm-name"
	// AnnotationCompressedConfigValues are the values, joined by commas, that stand as zlib streams in that ConfigMap's binary data.
	AnnotationCompressedConfigValues = "kuscia.secretflow/config-value-compress-fields-name"
	// AnnotationKubeStorage is a setting of template rendering. Its prefix differs from all others.
	AnnotationKubeStorage = "config-data.kuscia.secretflow/kube-storage"
	// AnnotationOwnerPodName is the pod whose files the agent copied into an object of another cluster.
	AnnotationOwnerPodName = "kuscia.secretflow/owner-pod-name"
)

// Annotations of services.
const (
	// AnnotationBandwidthLimitPrefix begins the annotations that bound a service's traffic; see BandwidthLimit.
	AnnotationBandwidthLimitPrefix = "kuscia.secretflow/bandwidth-limit-"
	// AnnotationAccessDomain are the domains, joined by commas, that may call the service. Empty or absent means every domain.
	AnnotationAccessDomain = "kuscia.secretflow/access-domain"
	// AnnotationProtocol is what the service speaks: HTTP, HTTPS, GRPC or GRPCS.
	AnnotationProtocol = "kuscia.secretflow/protocol"
	// AnnotationReadyTime is when the gateway first knew the service (RFC 3339).
	AnnotationReadyTime = "kuscia.secretflow/ready-time"
	// AnnotationStickyCookie is the cookie by which the gateway keeps a client at one pod.
	AnnotationStickyCookie = "kuscia.secretflow/sticky-session-cookie"
	// StickyCookie is the cookie that deployments ask for.
	StickyCookie = "KUSCIA_SESSION"
	// AnnotationStickyTTL is how many seconds that cookie lives.
	AnnotationStickyTTL = "kuscia.secretflow/sticky-session-ttl"
)

// Annotations of application images and deployments.
const (
	// AnnotationComponentSpec describes the components of an image to BFIA partners.
	AnnotationComponentSpec = "kuscia.secretflow/component-spec"
	// AnnotationAllocatedPorts are a deployment's ports as JSON.
	AnnotationAllocatedPorts = "kuscia.secretflow/allocated-ports"
	// AnnotationAffinityMode says how a deployment's pods stand to each other: AffinityNone, AffinityTogether or AffinityApart.
	AnnotationAffinityMode = "kuscia.secretflow/affinity-mode"
	// AffinityNone lets pods stand anywhere.
	AffinityNone = "none"
	// AffinityTogether prefers one node for all.
	AffinityTogether = "affinity"
	// AffinityApart prefers a node for each.
	AffinityApart = "anti-affinity"
)

// Annotations of Entente alone.
const (
	// AnnotationProgrammed says whether every live gateway runs what the object asks for, on objects that have no conditions.
	AnnotationProgrammed = "entente.dev/programmed"
	// AnnotationHandshakePin is on a route whose partner has signed a handshake: the partner must sign from then on. It is bound to the
	// partner's public key.
	AnnotationHandshakePin = "entente.dev/handshake-pin"
	// AnnotationHandshakeWatermark is on a route the time and nonce of the newest signed handshake that was accepted; an older one is a
	// replay.
	AnnotationHandshakeWatermark = "entente.dev/handshake-watermark"
	// AnnotationHandshake is on a DomainRoute what keeps it from a token, and whose turn it is; absent while nothing does. Written by auth/gate.
	AnnotationHandshake = "entente.dev/handshake"
	// AnnotationTransitTo is on an inbound DomainRoute the domains, joined by commas, to which its source may pass through this domain's
	// gateway; TransitToAll alone means every one. Absent or empty means none: the original lets every source pass everywhere.
	AnnotationTransitTo = "entente.dev/transit-to"
	// TransitToAll is the value of AnnotationTransitTo that means every domain.
	TransitToAll = "*"
	// AnnotationIsolation is on a pod the isolation that its runtime really reached.
	AnnotationIsolation = "entente.dev/isolation"
)

// BandwidthLimit is the annotation of a service that bounds its traffic to domain, in KiB/s. A domain id of more than 47 characters
// makes a key that Kubernetes refuses.
func BandwidthLimit(domain string) string { return AnnotationBandwidthLimitPrefix + domain }
