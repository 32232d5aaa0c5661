package names

// Services that every gateway may know, by the first label of their hosts.
const (
	// ServiceHandshake takes handshakes and registrations.
	ServiceHandshake = "kuscia-handshake"
	// ServiceGate takes heartbeats that a token has proved, between two Ententes.
	ServiceGate = "entente-gate"
	// ServiceAPIServer is the Kubernetes API of a master, for its lites and partners.
	ServiceAPIServer = "apiserver"
	// ServiceStorage is the large-value store of a master.
	ServiceStorage = "kusciastorage"
	// ServiceKusciaAPI is KusciaAPI.
	ServiceKusciaAPI = "kusciaapi"
	// ServiceReporter takes the progress of tasks.
	ServiceReporter = "reporter"
	// ServiceTransport is the message queue of BFIA engines.
	ServiceTransport = "transport"
	// ServiceInterConnScheduler is the BFIA scheduler.
	ServiceInterConnScheduler = "interconn-scheduler"
	// ServiceReceiver takes the polls of a reverse tunnel.
	ServiceReceiver = "receiver"
	// ServiceDiagnose answers network diagnosis.
	ServiceDiagnose = "diagnose"
	// ServiceDataMesh is DataMesh; pods know it by this word alone.
	ServiceDataMesh = "datamesh"
	// ServiceConfManager is ConfManager; pods know it by this word alone.
	ServiceConfManager = "confmanager"
	// ServiceDataProxy is an external reader and writer of data; pods know it by this word alone.
	ServiceDataProxy = "dataproxy"
	// ServiceGateway is the gateway itself; pods know it by this word alone.
	ServiceGateway = "gateway"
)

// Hosts with a fixed name.
const (
	// HostSuffix ends every host of the mesh.
	HostSuffix = ".svc"
	// Master is what a lite calls its master before it knows the master's domain id. No domain may be called so.
	Master = "master"
	// HostMasters covers every service of the master.
	HostMasters = "*.master.svc"
	// HostMasterHandshake is where a lite registers and handshakes.
	HostMasterHandshake = "kuscia-handshake.master.svc"
	// HostMasterAPIServer is where a lite finds its Kubernetes API.
	HostMasterAPIServer = "apiserver.master.svc"
	// HostMasterReporter is where tasks report their progress.
	HostMasterReporter = "reporter.master.svc"
)

// Paths that partners call, below the prefix of the route's endpoint.
const (
	// PathHandshake takes handshakes (POST) and heartbeats (GET).
	PathHandshake = "/handshake"
	// PathRegister takes registrations of lites.
	PathRegister = "/register"
	// PathHeartbeat takes heartbeats at ServiceGate.
	PathHeartbeat = "/heartbeat"
)

// ServiceHost is the host of a service of a domain, by which both its own pods and partners call it.
func ServiceHost(service, domain string) string { return service + "." + domain + HostSuffix }

// HandshakeHost is where a domain takes handshakes.
func HandshakeHost(domain string) string { return ServiceHost(ServiceHandshake, domain) }

// APIServerHost is where a domain serves its Kubernetes API to partners.
func APIServerHost(domain string) string { return ServiceHost(ServiceAPIServer, domain) }

// ReceiverHost is where a domain takes the polls of a reverse tunnel.
func ReceiverHost(domain string) string { return ServiceHost(ServiceReceiver, domain) }

// DomainHosts covers every service of a domain.
func DomainHosts(domain string) string { return ServiceHost("*", domain) }
