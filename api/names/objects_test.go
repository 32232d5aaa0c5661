package names_test

import (
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/entente-mesh/entente/api/names"
)

func TestNamesAreBuiltAsTheOriginalBuildsThem(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, want, got string }{
		{"a route is called by both ends", "alice-bob", names.DomainRoute("alice", "bob")},
		{"following a host is called by both ends", "alice-2-bob", names.InteropConfig("alice", "bob")},
		{"what leads to a partner is called by both ends", "alice-to-bob", names.VirtualHost("alice", "bob")},
		{"a port of a route's endpoint is called after it", "alice-to-bob-http", names.RouteCluster("alice", "bob", "http")},
		{"a service is found below its domain", "psi-server.bob.svc", names.ServiceHost("psi-server", "bob")},
		{"a domain takes handshakes at a host of its own", "kuscia-handshake.bob.svc", names.HandshakeHost("bob")},
		{"the master's handshake host is that of the domain master", names.HostMasterHandshake, names.HandshakeHost(names.Master)},
		{"the master's API host is that of the domain master", names.HostMasterAPIServer, names.APIServerHost(names.Master)},
		{"the master's reporter is a service of the domain master", names.HostMasterReporter, names.ServiceHost(names.ServiceReporter, names.Master)},
		{"the master's hosts are those of the domain master", names.HostMasters, names.DomainHosts(names.Master)},
		{"a domain serves its API at a host of its own", "apiserver.bob.svc", names.APIServerHost("bob")},
		{"a domain takes polls at a host of its own", "receiver.bob.svc", names.ReceiverHost("bob")},
		{"all hosts of a domain are a wildcard", "*.bob.svc", names.DomainHosts("bob")},
		{"a partner is a user of its own", "entente:domain:bob", names.DomainUser("bob")},
		{"an external listener is certified for its domain", "alice_ENVOY_EXTERNAL", names.ExternalCommonName("alice")},
		{"a task without an id is told apart by a UUID's last group", "job-0242ac110002", names.TaskID("job", "6d9d7e8c-33aa-11ee-be56-0242ac110002")},
		{"a task resource is told apart by a UUID's last group", "task-0242ac110002", names.TaskResource("task", "6d9d7e8c-33aa-11ee-be56-0242ac110002")},
		{"a pod is called after its task, role and place", "psi-server-0", names.Pod("psi", "server", 0)},
		{"a pod without a role leaves it out", "psi-1", names.Pod("psi", "", 1)},
		{"a pod is selected by its task's UID", "6d9d7e8c-server-0", names.PodIdentity("6d9d7e8c", "server", 0)},
		{"templates of a task have a config map", "psi-configtemplate", names.ConfigTemplate("psi")},
		{"values of a task have a config map", "psi-kuscia-gen-conf", names.GeneratedConfig("psi")},
		{"a port's number has a variable in capitals without dashes", "KUSCIA_PORT_NODE_MANAGER_NUMBER", names.PortEnv("node-manager")},
		{"bandwidth is limited per destination", "kuscia.secretflow/bandwidth-limit-bob", names.BandwidthLimit("bob")},
		{"a custom field is a label", "kuscia.job.custom-fields/project", names.CustomField("project")},
		{"a data set's id keeps what an id may hold", "table1-k3j5h7d9f1s2a4q6", names.DomainDataID("9- Table_1", "k3j5h7d9f1s2a4q6")},
		{"a data set's id keeps 16 characters of its name", "abcdefghijklmnop-k3j5", names.DomainDataID("abcdefghijklmnopq", "k3j5")},
		{"a data set without a letter has an id all the same", "domaindata-k3j5", names.DomainDataID("表 1", "k3j5")},
		{"a data source's id begins with its type", "oss-k3j5", names.DataSourceID("oss", "k3j5")},
		{"a grant's id says what it is", "domaindatagrant-k3j5", names.DomainDataGrantID("k3j5")},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if c.got != c.want {
				t.Errorf("got %q, want %q", c.got, c.want)
			}
		})
	}
}

func TestServiceNamesFitIntoADNSLabel(t *testing.T) {
	t.Parallel()
	fifty := strings.Repeat("p", 50)
	for _, c := range []struct{ name, pod, port, want string }{
		{"a short name is pod and port", "psi-server-0", "spu", "psi-server-0-spu"},
		{"a name that starts with a digit gets a prefix", "2024-psi-0", "spu", "svc-2024-psi-0-spu"},
		{"a name of 63 characters stays whole", fifty + "123456789", "spu", fifty + "123456789-spu"},
		{"a name of 64 characters is cut and told apart by its hash", fifty + "1234567890", "spu", "svc-" + strings.Repeat("p", 38) + "-7bdbe6847b706060-spu"},
		{"a digit's prefix counts towards the length", "1" + fifty + "234567", "spu", "svc-1" + strings.Repeat("p", 37) + "-77f00f2a03e04a6e-spu"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := names.ServiceName(c.pod, c.port); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// FuzzServiceName holds the promise for every pod and port name that Kubernetes could accept.
func FuzzServiceName(f *testing.F) {
	f.Add("psi-server-0", "spu")
	f.Add("2024-psi-0", "node-manager")
	f.Add(strings.Repeat("1", 63), "client-server")
	f.Add(strings.Repeat("a-", 100)+"0", "a")
	pods := regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,251}[a-z0-9])?$`)
	f.Fuzz(func(t *testing.T, pod, port string) {
		name := names.ServiceName(pod, port)
		if name != names.ServiceName(pod, port) {
			t.Errorf("two answers for pod %q, port %q", pod, port)
		}
		if !pods.MatchString(pod) || len(validation.IsValidPortName(port)) > 0 {
			return // nothing is promised but an answer
		}
		if faults := validation.IsDNS1035Label(name); len(faults) > 0 {
			t.Errorf("pod %q, port %q: %q is no service name: %v", pod, port, name, faults)
		}
	})
}
