package names

// Ports that partners, pods and operators know.
const (
	// PortExternal is where partners reach the gateway; the only port that must be open between institutions.
	PortExternal = 1080
	// PortInternal is where the domain's own pods reach the gateway.
	PortInternal = 80
	// PortInternalTLS is PortInternal with TLS, which the original knows and never opens.
	PortInternalTLS = 443
	// PortDNS is where pods ask for names, over UDP and TCP.
	PortDNS = 53
	// PortAPIServer is the Kubernetes API.
	PortAPIServer = 6443
	// PortKusciaAPIHTTP is KusciaAPI as JSON.
	PortKusciaAPIHTTP = 8082
	// PortKusciaAPIGRPC is KusciaAPI as gRPC.
	PortKusciaAPIGRPC = 8083
	// PortKusciaAPIInternal is KusciaAPI for requests that come through the gateway; loopback only.
	PortKusciaAPIInternal = 8092
	// PortConfManagerHTTP is ConfManager as JSON.
	PortConfManagerHTTP = 8060
	// PortConfManagerGRPC is ConfManager as gRPC.
	PortConfManagerGRPC = 8061
	// PortDataMeshHTTP is DataMesh as JSON.
	PortDataMeshHTTP = 8070
	// PortDataMeshGRPC is DataMesh as gRPC and Arrow Flight.
	PortDataMeshGRPC = 8071
	// PortReporter takes the progress of tasks; loopback only, reached through the gateway.
	PortReporter = 8050
	// PortTransport is the message queue of BFIA engines; loopback only, reached through the gateway.
	PortTransport = 8081
	// PortInterConnScheduler is the BFIA scheduler, reached through the gateway.
	PortInterConnScheduler = 8084
	// PortDiagnose answers a partner's network diagnosis, reached through the gateway.
	PortDiagnose = 8095
	// PortMetrics is where Prometheus finds everything.
	PortMetrics = 9091
	// PortSocketMetrics is where Prometheus finds the figures of sockets.
	PortSocketMetrics = 9092
	// PortNodeMetrics is where Prometheus finds the figures of the machine.
	PortNodeMetrics = 9100
)

// Ports that the original uses inside a node. Entente prefers unix sockets; the numbers say what must not be given to others.
const (
	// PortControllers is health and metrics of the controllers.
	PortControllers = 8090
	// PortHandshake takes handshakes and registrations from the gateway.
	PortHandshake = 1054
	// PortEnvoyAdmin is Envoy's administration.
	PortEnvoyAdmin = 10000
	// PortXDS is Envoy's configuration.
	PortXDS = 10001
	// PortContainerdStream is where containerd attaches.
	PortContainerdStream = 9010
	// PortDebug is Go's profiler.
	PortDebug = 28080
)

// Ports that tasks get.
const (
	// PortTaskFirst is the lowest port that a task may get.
	PortTaskFirst = 20000
	// PortTaskEnd is the lowest port above those that a task may get.
	PortTaskEnd = 32767
)
