package names

// Labels of services.
const (
	// LabelPortScope says who may reach the service's port: Cluster, Domain or Local.
	LabelPortScope = "kuscia.secretflow/port-scope"
	// LabelPortName is the container port that the service stands for.
	LabelPortName = "kuscia.secretflow/port-name"
	// LabelGatewayProxy marks a service that the gateway exports.
	LabelGatewayProxy = "kuscia.secretflow/gateway-proxy"
	// LabelLoadBalancer says who balances the service. With LoadBalancerDomainRoute DNS answers the gateway's address.
	LabelLoadBalancer = "kuscia.secretflow/loadbalancer"
	// LoadBalancerDomainRoute is the value of LabelLoadBalancer of every service except those of scope Domain.
	LoadBalancerDomainRoute = "domainroute"
)

// Labels of pods, nodes and what the agent makes.
const (
	// LabelController says whose child an object is: ControllerKusciaTask or ControllerKusciaJob.
	LabelController = "kuscia.secretflow/controller"
	// ControllerKusciaTask marks the pods, config maps and groups of a task.
	ControllerKusciaTask = "kusciatask"
	// ControllerKusciaJob marks the tasks of a job.
	ControllerKusciaJob = "kuscia-job"
	// LabelCommunicationRoleServer, if True, asks the agent for a server certificate in the pod.
	LabelCommunicationRoleServer = "kuscia.secretflow/communication-role-server"
	// LabelCommunicationRoleClient, if True, asks the agent for a client certificate in the pod.
	LabelCommunicationRoleClient = "kuscia.secretflow/communication-role-client"
	// LabelPodIdentity is what a task's services select their pod by; see PodIdentity.
	LabelPodIdentity = "kuscia.secretflow/pod-identity"
	// LabelPodRole is the role of the pod's party in its task.
	LabelPodRole = "kuscia.secretflow/pod-role"
	// LabelNamespace is the domain that owns a node. Pods select their nodes by it.
	LabelNamespace = "kuscia.secretflow/namespace"
	// LabelRuntime is the runtime of a node: RuntimeRunC, RuntimeRunP or RuntimeRunK.
	LabelRuntime = "kuscia.secretflow/runtime"
	// LabelNode is the node whose agent made the object.
	LabelNode = "kuscia.secretflow/node"
	// LabelPodUID is the pod for which the agent made the object.
	LabelPodUID = "kuscia.secretflow/pod-uid"
	// LabelOwnerNamespace is the namespace of the object's owner. The underscore is part of the word.
	LabelOwnerNamespace = "kuscia.secretflow/owner_namespace"
)

// Labels of domains and their namespaces.
const (
	// LabelDomainName is the domain of a namespace.
	LabelDomainName = "kuscia.secretflow/domain-name"
	// LabelRole is the role of a domain: empty for an own one, partner for a foreign one.
	LabelRole = "kuscia.secretflow/role"
	// LabelInterConnProtocols is the first protocol that a domain speaks.
	LabelInterConnProtocols = "kuscia.secretflow/interconn-protocols"
	// LabelDeleted marks the namespace of a domain that was removed; the namespace itself stays.
	LabelDeleted = "kuscia.secretflow/deleted"
	// LabelDomainAuth is DomainAuthCompleted once a domain's service account, bindings and route exist.
	LabelDomainAuth = "kuscia.secretflow/domain-auth"
	// DomainAuthCompleted is the one value of LabelDomainAuth.
	DomainAuthCompleted = "completed"
)

// Labels of routes.
const (
	// LabelRouteSource is the source of a route.
	LabelRouteSource = "kuscia.secretflow/clusterdomainroute-source"
	// LabelRouteDestination is the destination of a route.
	LabelRouteDestination = "kuscia.secretflow/clusterdomainroute-destination"
	// LabelRoutePartner is the partner of a cluster domain route. Its prefix is misspelled in the original, and stays so.
	LabelRoutePartner = "kuscia.secertflow/domainroute-partner"
	// LabelGRPCDegrade, if GRPCDegraded, sends gRPC through a partner's gateway that speaks HTTP/1.1 only.
	LabelGRPCDegrade = "kuscia.secretflow/grpc-degrade"
	// GRPCDegraded is the one value of LabelGRPCDegrade that counts. It has a capital letter, unlike True.
	GRPCDegraded = "True"
)

// Labels of jobs, tasks and task resources.
const (
	// LabelInterConnProtocolType is the protocol of an object that partners share: kuscia or bfia.
	LabelInterConnProtocolType = "kuscia.secretflow/interconn-protocol-type"
	// LabelJobUID is the UID of the job that an object belongs to.
	LabelJobUID = "kuscia.secretflow/job-uid"
	// LabelTaskUID is the UID of the task that an object belongs to.
	LabelTaskUID = "kuscia.secretflow/task-uid"
	// LabelTaskResourceGroupUID is the UID of the group that an object belongs to.
	LabelTaskResourceGroupUID = "kuscia.secretflow/task-resource-group-uid"
	// LabelTaskResourceUID is the UID of the task resource that a pod belongs to.
	LabelTaskResourceUID = "kuscia.secretflow/task-resource-uid"
	// LabelJobStage is the newest command to a job, such as Start or Cancel.
	LabelJobStage = "kuscia.secretflow/job-stage"
	// LabelJobStageTrigger is the domain that gave the command.
	LabelJobStageTrigger = "kuscia.secretflow/job-stage-trigger"
	// LabelJobStageVersion counts the commands, in decimal; of two copies the higher one wins.
	LabelJobStageVersion = "kuscia.secretflow/job-stage-version"
	// LabelJobAutoApproval is known to the original and used by nobody.
	LabelJobAutoApproval = "kuscia.secretflow/job-auto-approval"
	// LabelTaskUnschedulable, if True, keeps the task controller's hands off a task until it has failed.
	LabelTaskUnschedulable = "kuscia.secretflow/task-unschedulable"
	// LabelHostResourceVersion is the resource version, in the host's cluster, of the object that this one was copied from.
	LabelHostResourceVersion = "kuscia.secretflow/resource-version-under-host-cluster"
	// LabelHasSynced marks a summary that its reader has taken over.
	LabelHasSynced = "kuscia.secretflow/has-synced"
	// LabelCustomFieldPrefix begins the labels that carry a job's custom fields; see CustomField.
	LabelCustomFieldPrefix = "kuscia.job.custom-fields/"
)

// Labels of data.
const (
	// LabelDomainDataType is the type of a data set, such as table or model.
	LabelDomainDataType = "kuscia.secretflow/domaindata-type"
	// LabelDomainDataID is the data set that a grant is about.
	LabelDomainDataID = "kuscia.secretflow/domaindataid"
	// LabelDomainDataVendor says who made a data set: VendorManual, VendorGrant, VendorSecretFlow or another engine.
	LabelDomainDataVendor = "kuscia.secretflow/domaindata-vendor"
	// LabelDomainDataSourceType is the type of a data source, such as localfs.
	LabelDomainDataSourceType = "kuscia.secretflow/domaindatasource-type"
	// LabelDomainDataGrantVendor says who made a grant.
	LabelDomainDataGrantVendor = "kuscia.secretflow/domaindatagrant-vendor"
	// LabelDomainDataGrantDomain is the domain that a grant was given to.
	LabelDomainDataGrantDomain = "kuscia.secretflow/domaindatagrant-domain"
	// LabelOwnerReferences is the object in another namespace whose deletion takes this copy along.
	LabelOwnerReferences = "kuscia.secretflow/owner-references"

	// VendorManual is the vendor of data that a person registered, and the default.
	VendorManual = "manual"
	// VendorGrant is the vendor of copies that a grant brought.
	VendorGrant = "grant"
	// VendorSecretFlow is the vendor of an engine's results, which may be collected when they are old.
	VendorSecretFlow = "secretflow"
)

// Labels of deployments.
const (
	// LabelAppType is the kind of a deployed application: AppTypeServing or AppTypeSCQL.
	LabelAppType = "kuscia.secretflow/app-type"
	// AppTypeServing marks a model server; its templates know TemplateServingID.
	AppTypeServing = "serving"
	// AppTypeSCQL marks a secure query engine.
	AppTypeSCQL = "scql"
	// LabelDeploymentUID is the UID of the KusciaDeployment that an object belongs to.
	LabelDeploymentUID = "kuscia.secretflow/kd-uid"
	// LabelKusciaDeployment is the name of the KusciaDeployment that an object belongs to.
	LabelKusciaDeployment = "kuscia.secretflow/kd-name"
	// LabelDeploymentName is the Deployment that a service selects pods by.
	LabelDeploymentName = "kuscia.secretflow/deployment-name"
)

// CustomField is the label that carries the custom field name of a job.
func CustomField(name string) string { return LabelCustomFieldPrefix + name }
