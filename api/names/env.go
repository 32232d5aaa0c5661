package names

import "strings"

// Environment variables that a task's container finds.
const (
	// EnvPortPrefix and EnvPortSuffix stand around a port's name; see PortEnv.
	EnvPortPrefix = "KUSCIA_PORT_"
	// EnvPortSuffix and EnvPortPrefix stand around a port's name; see PortEnv.
	EnvPortSuffix = "_NUMBER"
	// EnvServerCert is the file of the server certificate, relative to the working directory.
	EnvServerCert = "SERVER_CERT_FILE"
	// EnvServerKey is the file of the server certificate's key.
	EnvServerKey = "SERVER_PRIVATE_KEY_FILE"
	// EnvClientCert is the file of the client certificate.
	EnvClientCert = "CLIENT_CERT_FILE"
	// EnvClientKey is the file of the client certificate's key.
	EnvClientKey = "CLIENT_PRIVATE_KEY_FILE"
	// EnvTrustedCA is the file of the CA that both certificates are judged by.
	EnvTrustedCA = "TRUSTED_CA_FILE"
	// EnvCPULimit is how many processors the container may use.
	EnvCPULimit = "CONTAINER_CPU_LIMIT"
	// EnvMemoryLimit is how much memory the container may use, in Mi.
	EnvMemoryLimit = "CONTAINER_MEM_LIMIT"
)

// Environment variables that Entente reads.
const (
	// EnvRegistryEndpoint is the image registry when the configuration names none. Deprecated in the original, still read.
	EnvRegistryEndpoint = "REGISTRY_ENDPOINT"
	// EnvRegistryUsername belongs to EnvRegistryEndpoint.
	EnvRegistryUsername = "REGISTRY_USERNAME"
	// EnvRegistryPassword belongs to EnvRegistryEndpoint.
	EnvRegistryPassword = "REGISTRY_PASSWORD"
	// EnvShim is where entente-shim lies, if not beside entente or on PATH.
	EnvShim = "ENTENTE_SHIM"
)

// Variables of configuration templates.
const (
	// TemplateTaskID is the task.
	TemplateTaskID = "TASK_ID"
	// TemplateTaskInputConfig is the input of the task, as its job gave it.
	TemplateTaskInputConfig = "TASK_INPUT_CONFIG"
	// TemplateTaskClusterDefine is who takes part in the task and where they listen: JSON, lowerCamelCase.
	TemplateTaskClusterDefine = "TASK_CLUSTER_DEFINE"
	// TemplateServingID is the deployment, for AppTypeServing.
	TemplateServingID = "SERVING_ID"
	// TemplateInputConfig is the input of a deployment.
	TemplateInputConfig = "INPUT_CONFIG"
	// TemplateClusterDefine is TemplateTaskClusterDefine for a deployment.
	TemplateClusterDefine = "CLUSTER_DEFINE"
	// TemplateAllocatedPorts are the ports of the pod itself: JSON, lowerCamelCase.
	TemplateAllocatedPorts = "ALLOCATED_PORTS"
	// TemplateDomainID is the domain that runs the pod.
	TemplateDomainID = "KUSCIA_DOMAIN_ID"
	// TemplateAPIProtocol is how KusciaAPI is spoken to: NOTLS, TLS or MTLS.
	TemplateAPIProtocol = "KUSCIA_API_PROTOCOL"
	// TemplateAPIToken is the token of KusciaAPI, a secret.
	TemplateAPIToken = "KUSCIA_API_TOKEN"
	// TemplateDomainKey is the domain's private key. The original gives it to any template that asks.
	TemplateDomainKey = "KUSCIA_DOMAIN_KEY_DATA"
)

// PortEnv is the environment variable that tells a container the number of its port: KUSCIA_PORT_NODE_MANAGER_NUMBER for node-manager.
func PortEnv(port string) string {
	return EnvPortPrefix + strings.ReplaceAll(strings.ToUpper(port), "-", "_") + EnvPortSuffix
}
