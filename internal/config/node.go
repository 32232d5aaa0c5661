package config

import (
	"encoding/json"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// Runk is the Kubernetes cluster that runs the pods of runtime runk; modes lite, autonomy.
type Runk struct {
	Namespace      string            // where pods run
	DNSServers     []string          // name servers of pods; default the node's address
	KubeconfigFile string            // how to reach the cluster; empty means the service account of the pod that the node runs in
	EnableLogging  bool              // keeps the logs of pods; default false
	LogDirectory   string            // where; default the folder of all pods' logs
	LogMaxFiles    int               // files kept for a container; default logrotate.maxFiles
	LogMaxSize     resource.Quantity // bytes of each; default logrotate.maxFileSizeMB
}

func (r *Runk) keys() []key {
	return []key{
		text("namespace", &r.Namespace).means("Where pods run."),
		texts("dnsServers", &r.DNSServers).like("[192.0.2.53]").otherwise("the node's address").means("Name servers of pods."),
		text("kubeconfigFile", &r.KubeconfigFile).like("/path/to/kubeconfig").otherwise("the service account of the pod that the node runs in").means("How to reach the cluster."),
		flag("enableLogging", &r.EnableLogging).means("Keeps the logs of pods."),
		text("logDirectory", &r.LogDirectory).like("/path/to/folder").otherwise("the folder of all pods' logs").means("Where the logs are kept."),
		number("logMaxFiles", &r.LogMaxFiles, 0, anyCount).otherwise("`logrotate.maxFiles`").means("Files kept for a container, at least 2; with less the default holds."),
		quantity("logMaxSize", &r.LogMaxSize).like("100Mi").otherwise("`logrotate.maxFileSizeMB`").means("Size of each file."),
	}
}

// Capacity is what the node offers to pods; modes lite, autonomy. A zero quantity means what the machine has.
type Capacity struct {
	CPU              resource.Quantity // cores; required with runtime runk
	Memory           resource.Quantity // bytes; required with runtime runk
	Pods             resource.Quantity // default 500
	Storage          resource.Quantity // bytes; required with runtime runk; default the disk of the data folder
	EphemeralStorage resource.Quantity // bytes
	Bandwidth        resource.Quantity // Mbit/s; default the network card's speed, or 1000
}

func defaultCapacity() Capacity { return Capacity{Pods: resource.MustParse("500")} }

func (c *Capacity) keys() []key {
	machine := "what the machine has"
	return []key{
		quantity("cpu", &c.CPU).like("4").otherwise(machine).means("Cores."),
		quantity("memory", &c.Memory).otherwise(machine).means("Bytes of memory."),
		quantity("pods", &c.Pods).like("500").means("Pods at a time."),
		quantity("storage", &c.Storage).like("100Gi").otherwise("the disk of the data folder").means("Bytes of disk."),
		quantity("ephemeralStorage", &c.EphemeralStorage).like("100Gi").otherwise(machine).means("Bytes of disk for what ends with a pod."),
		quantity("bandwidth", &c.Bandwidth).like("1000").otherwise("the network card's speed, or 1000").means("Mbit/s."),
	}
}

// ReservedResources is what the node keeps for itself; modes lite, autonomy.
type ReservedResources struct {
	CPU       resource.Quantity // cores; default 0.5
	Memory    resource.Quantity // bytes; default 500Mi
	Bandwidth resource.Quantity // Mbit/s; default 10
}

func defaultReservedResources() ReservedResources {
	return ReservedResources{CPU: resource.MustParse("500m"), Memory: resource.MustParse("500Mi"), Bandwidth: resource.MustParse("10")}
}

func (s *ReservedResources) keys() []key {
	return []key{
		quantity("cpu", &s.CPU).like("500m").means("Cores."),
		quantity("memory", &s.Memory).like("500Mi").means("Bytes of memory."),
		quantity("bandwidth", &s.Bandwidth).like("10").means("Mbit/s."),
	}
}

// Image is where images come from; modes lite, autonomy.
type Image struct {
	PullPolicy      string     // parsed and never used by the original
	DefaultRegistry string     // name of the entry of Registries for images without one; default the first
	Registries      []Registry // in the order of the file
	HTTPProxy       string     // proxy for pulling images
}

func (i *Image) keys() []key {
	return []key{
		text("pullPolicy", &i.PullPolicy).like("IfNotPresent").means("When images are pulled. The original reads it and does nothing with it."),
		text("defaultRegistry", &i.DefaultRegistry).otherwise("the first of `image.registries`").means("Name of the registry of images without one."),
		groups("registries", &i.Registries, (*Registry).keys).means("Registries that images may come from."),
		text("httpProxy", &i.HTTPProxy).hidden().like("http://proxy.example.com:3128").means("Proxy for pulling images."),
	}
}

// A Registry is a place to pull images from.
type Registry struct {
	Name     string
	Endpoint string // host[:port][/path]
	Username string
	Password string // secret
}

func (r *Registry) keys() []key {
	return []key{
		text("name", &r.Name).like("example").means("What `image.defaultRegistry` calls it."),
		text("endpoint", &r.Endpoint).like("registry.example.com/team").means("`host[:port][/path]`."),
		text("username", &r.Username).like("reader").means("User name, where the registry asks for one."),
		text("password", &r.Password).hidden().means("Password of the user."),
	}
}

// Agent is the finer points of running pods; modes lite, autonomy.
type Agent struct {
	AllowPrivileged bool // lets pods ask for privileges; default false
	Provider        Provider
	Plugins         []Plugin
}

// Provider is what differs between runtimes.
type Provider struct {
	K8s K8sProvider // runtime runk
	CRI CRIProvider // runtime runc and runp
}

// K8sProvider is how pods are made in the cluster of runtime runk.
type K8sProvider struct {
	LabelsToAdd      map[string]string // put on every pod
	AnnotationsToAdd map[string]string // put on every pod
	AffinitiesToAdd  json.RawMessage   // replaces the affinity of every pod; JSON of the file's value, nil when absent
	RuntimeClassName string
	DNS              K8sDNS
	Backend          K8sBackend
	QPS              float64       // requests to the API server in a second; 0 means the client's default
	Burst            int           // requests at once; 0 means the client's default
	Timeout          time.Duration // of a request; seconds in the file; 0 means none
	Endpoint         string        // of the API server, instead of the kubeconfig's
}

// K8sDNS is the name resolution of pods of runtime runk.
type K8sDNS struct {
	Policy         string
	Servers        []string
	Searches       []string
	ResolverConfig json.RawMessage // JSON of the file's value, nil when absent
}

// K8sBackend chooses what prepares pods of runtime runk for their cluster.
type K8sBackend struct {
	Name   string
	Config json.RawMessage // JSON of the file's value, nil when absent
}

// CRIProvider is the log files of containers.
type CRIProvider struct {
	ContainerLogMaxSize  resource.Quantity // bytes of each; default 512Mi
	ContainerLogMaxFiles int               // files kept for a container; default 5
}

// A Plugin replaces the configuration of one of the agent's plugins.
type Plugin struct {
	Name   string
	Config json.RawMessage // JSON of the file's value, nil when absent
}

func defaultAgent() Agent {
	return Agent{Provider: Provider{CRI: CRIProvider{ContainerLogMaxSize: resource.MustParse("512Mi"), ContainerLogMaxFiles: 5}}}
}

func (a *Agent) keys() []key {
	return []key{
		flag("allowPrivileged", &a.AllowPrivileged).means("Lets pods ask for privileges."),
		group("provider", []key{
			group("k8s", a.Provider.K8s.keys()).means("Pods of runtime `runk`."),
			group("cri", a.Provider.CRI.keys()).means("Pods of runtimes `runc` and `runp`."),
		}).means("What differs between runtimes."),
		groups("plugins", &a.Plugins, (*Plugin).keys).means("Configuration of the agent's plugins; replaces that of the plugin of the same name."),
	}
}

func (k *K8sProvider) keys() []key {
	client := "the client's default"
	return []key{
		pairs("labelsToAdd", &k.LabelsToAdd).means("Labels for every pod."),
		pairs("annotationsToAdd", &k.AnnotationsToAdd).means("Annotations for every pod."),
		free("affinitiesToAdd", &k.AffinitiesToAdd).means("A Kubernetes affinity that replaces that of every pod."),
		text("runtimeClassName", &k.RuntimeClassName).like("kata").means("Runtime class of every pod."),
		group("dns", []key{
			text("policy", &k.DNS.Policy).like("None").means("DNS policy of every pod."),
			texts("servers", &k.DNS.Servers).like("[192.0.2.53]").means("Name servers."),
			texts("searches", &k.DNS.Searches).like("[svc.cluster.local]").means("Search domains."),
			free("resolverConfig", &k.DNS.ResolverConfig).like("name").means("What is mounted as resolv.conf."),
		}).means("Name resolution of pods."),
		group("backend", []key{
			text("name", &k.Backend.Name).means("What prepares pods for their cluster."),
			free("config", &k.Backend.Config).means("Its configuration."),
		}).means("What prepares pods for their cluster."),
		realNumber("qps", &k.QPS).otherwise(client).means("Requests to the API server in a second."),
		number("burst", &k.Burst, 0, anyCount).otherwise(client).means("Requests to the API server at once."),
		span("timeout", &k.Timeout, time.Second).otherwise("none").means("Seconds after which a request is given up."),
		text("endpoint", &k.Endpoint).like("https://192.0.2.10:6443").otherwise("that of the kubeconfig").means("Address of the API server."),
	}
}

func (c *CRIProvider) keys() []key {
	return []key{
		quantity("containerLogMaxSize", &c.ContainerLogMaxSize).like("512Mi").means("Size of each log file of a container."),
		number("containerLogMaxFiles", &c.ContainerLogMaxFiles, 1, anyCount).means("Log files kept for a container."),
	}
}

func (p *Plugin) keys() []key {
	return []key{
		text("name", &p.Name).like("cert-issuance").means("The plugin."),
		free("config", &p.Config).means("Its configuration."),
	}
}
