package names

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
)

// Objects with a fixed name.
const (
	// CrossDomain is the namespace of jobs, tasks and deployments.
	CrossDomain = "cross-domain"
	// Scheduler is the scheduler that pods of tasks ask for.
	Scheduler = "kuscia-scheduler"
	// ConfigMapDomain holds a domain's configuration values, sealed.
	ConfigMapDomain = "domain-config"
	// ResourceQuotaDomain bounds the number of a domain's pods.
	ResourceQuotaDomain = "resource-limitation"
	// ClusterRoleDomain is what every own domain may do outside its namespace.
	ClusterRoleDomain = "domain-cluster-res"
	// ClusterRoleKuscia is what the control plane may do; its binding has the same name.
	ClusterRoleKuscia = "kuscia"
	// DataSourceDefault is the folder that every domain begins with.
	DataSourceDefault = "default-data-source"
	// DataSourceDefaultProxy is the data source of external data proxies.
	DataSourceDefaultProxy = "default-dp-data-source"
	// DataSourceEncryptedInfo is the key in a data source's data that holds its sealed particulars.
	DataSourceEncryptedInfo = "encryptedInfo"
	// UserDomainPrefix begins the user as whom a partner's requests reach our API; see DomainUser.
	UserDomainPrefix = "entente:domain:"
)

// Parts of built names.
const (
	// SuffixConfigTemplate ends the ConfigMap with the templates of a task or deployment.
	SuffixConfigTemplate = "-configtemplate"
	// SuffixGeneratedConfig ends the ConfigMap with the values for a task's templates.
	SuffixGeneratedConfig = "-kuscia-gen-conf"
	// ServicePrefix begins service names that would else start with a digit or be too long.
	ServicePrefix = "svc-"
)

// DomainRoute is the name of the DomainRoute, and of the ClusterDomainRoute, from src to dst. Two pairs of domains may share a name
// (a-b to c, a to b-c): whoever reads a route looks at its spec.
func DomainRoute(src, dst string) string { return src + "-" + dst }

// InteropConfig is the name of the object by which src follows what happens at dst.
func InteropConfig(src, dst string) string { return src + "-2-" + dst }

// VirtualHost is how the original's gateways call what leads from src to dst.
func VirtualHost(src, dst string) string { return src + "-to-" + dst }

// RouteCluster is how the original's gateways call one port of the endpoint of a route; it turns up in HeaderHandshakeCluster.
func RouteCluster(src, dst, port string) string { return VirtualHost(src, dst) + "-" + port }

// DomainUser is the user as whom a partner's requests reach our Kubernetes API.
func DomainUser(domain string) string { return UserDomainPrefix + domain }

// TaskID is the name of a task that its job did not name. The UUID's last group tells it from the job's other tasks.
func TaskID(job, uuid string) string { return job + "-" + lastGroup(uuid) }

// TaskResource is the name of a party's share of a group.
func TaskResource(group, uuid string) string { return group + "-" + lastGroup(uuid) }

// Pod is the name of a task's pod. A party without a role has none in the name.
func Pod(task, role string, replica int) string { return podName(task, role, replica) }

// PodIdentity is the value of LabelPodIdentity of a task's pod.
func PodIdentity(taskUID, role string, replica int) string { return podName(taskUID, role, replica) }

// ConfigTemplate is the ConfigMap with the templates of a task or deployment.
func ConfigTemplate(owner string) string { return owner + SuffixConfigTemplate }

// GeneratedConfig is the ConfigMap with the values for a task's templates.
func GeneratedConfig(task string) string { return task + SuffixGeneratedConfig }

// ServiceName is the service of one port of a pod. All parties compute it for each other's pods, so its letters are a contract.
//
// The name is <pod>-<port>, with svc- before it when it starts with a digit. Where that has more than the 63 characters of a DNS label,
// it is svc-<start of the pod>-<first 16 hex digits of SHA-256 of <pod>-<port>>-<port>, exactly 63 long. The result is a DNS label for
// every pod of lower-case letters, digits and dashes, and every port name that Kubernetes accepts (at most 15 characters).
func ServiceName(pod, port string) string {
	const limit, digits = 63, 16
	name := pod + "-" + port
	plain := name
	if name[0] >= '0' && name[0] <= '9' {
		plain = ServicePrefix + name
	}
	if len(plain) <= limit {
		return plain
	}
	sum := sha256.Sum256([]byte(name))
	room := limit - len(ServicePrefix) - len("-") - digits - len("-") - len(port)
	start := name[:min(max(room, 0), len(name))]
	return ServicePrefix + start + "-" + hex.EncodeToString(sum[:])[:digits] + "-" + port
}

func podName(owner, role string, replica int) string {
	if role != "" {
		owner += "-" + role
	}
	return owner + "-" + strconv.Itoa(replica)
}

func lastGroup(uuid string) string { return uuid[strings.LastIndexByte(uuid, '-')+1:] }
