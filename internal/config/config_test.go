package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/api/resource"
)

// fixtures are files that together hold every key, each in every mode that has it.
func fixtures(t testing.TB) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, name := range []string{"master.yaml", "lite.yaml", "autonomy.yaml", "existing-cluster.yaml"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = data
	}
	return all
}

func parsed(t testing.TB, text string) *Config {
	t.Helper()
	c, err := Parse("kuscia.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// problems parses a text that must be refused.
func problems(t testing.TB, text string) Problems {
	t.Helper()
	_, err := Parse("kuscia.yaml", []byte(text))
	var ps Problems
	if !errors.As(err, &ps) || len(ps) == 0 {
		t.Fatalf("got %v, want Problems", err)
	}
	return ps
}

func TestEveryKeyLoadsInEveryModeThatHasIt(t *testing.T) {
	t.Parallel()
	written := map[Mode]map[string]bool{Master: {}, Lite: {}, Autonomy: {}}
	for name, data := range fixtures(t) {
		c, err := Parse(name, data)
		if err != nil {
			t.Fatal(err)
		}
		if len(c.Warnings) > 0 {
			t.Errorf("warnings:\n%v", c.Warnings)
		}
		for path := range c.places {
			written[c.Mode][withoutIndexes(path)] = true
		}
	}
	walk("", new(Config).keys(), nil, func(path string, _ key, modes []Mode) {
		if modes == nil {
			modes = []Mode{Master, Lite, Autonomy}
		}
		// One file cannot have two kinds of clusters, nor a certificate twice: one of the modes has those keys.
		if strings.HasPrefix(path, "entente.cluster.") || strings.HasPrefix(path, "domainRoute.externalTLS.") {
			if !written[Master][path] && !written[Autonomy][path] {
				t.Errorf("no fixture has %s", path)
			}
			return
		}
		for _, m := range modes {
			if !written[m][path] {
				t.Errorf("no fixture of mode %s has %s", m, path)
			}
		}
	})
}

func withoutIndexes(path string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(path, "[") {
		if _, rest, entry := strings.Cut(part, "]"); entry {
			b.WriteString("[]" + rest)
			continue
		}
		b.WriteString(part)
	}
	return b.String()
}

func TestEveryFieldIsFilledFromSomeFile(t *testing.T) {
	t.Parallel()
	left := map[string]bool{}
	var fields func(at string, v reflect.Value, visit func(string, reflect.Value))
	fields = func(at string, v reflect.Value, visit func(string, reflect.Value)) {
		ours := v.Type().PkgPath() == reflect.TypeFor[Config]().PkgPath()
		switch {
		case v.Kind() == reflect.Struct && ours:
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.IsExported() && f.Name != "Warnings" {
					fields(at+"."+f.Name, v.Field(i), visit)
				}
			}
		case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
			e := reflect.Zero(v.Type().Elem())
			if v.Len() > 0 {
				e = v.Index(0)
			}
			fields(at, e, visit)
		default:
			visit(at, v)
		}
	}
	empty := reflect.ValueOf(*defaults())
	fields("", empty, func(at string, v reflect.Value) { left[at] = true })
	usual := map[string]any{}
	fields("", empty, func(at string, v reflect.Value) { usual[at] = v.Interface() })
	for name, data := range fixtures(t) {
		c, err := Parse(name, data)
		if err != nil {
			t.Fatal(err)
		}
		fields("", reflect.ValueOf(*c), func(at string, v reflect.Value) {
			if !reflect.DeepEqual(usual[at], v.Interface()) {
				delete(left, at)
			}
		})
	}
	delete(left, ".ConfManager.Driver") // has one value only
	for at := range left {
		t.Errorf("no fixture changes Config%s: is its key declared?", at)
	}
}

func TestTheKeysOfTheOriginalAreAllKnownAndNothingElseIs(t *testing.T) {
	t.Parallel()
	want := strings.Fields(`
mode domainID domainKeyData logLevel protocol liteDeployToken masterEndpoint runtime
runk runk.namespace runk.dnsServers runk.kubeconfigFile runk.enableLogging runk.logDirectory runk.logMaxFiles runk.logMaxSize
capacity capacity.cpu capacity.memory capacity.pods capacity.storage capacity.ephemeralStorage capacity.bandwidth
reservedResources reservedResources.cpu reservedResources.memory reservedResources.bandwidth
image image.pullPolicy image.defaultRegistry image.registries image.httpProxy
image.registries[].name image.registries[].endpoint image.registries[].username image.registries[].password
datastoreEndpoint clusterToken
kusciaAPI kusciaAPI.HTTPPort kusciaAPI.GRPCPort kusciaAPI.HTTPInternalPort kusciaAPI.debug kusciaAPI.connectTimeout
kusciaAPI.readTimeout kusciaAPI.idleTimeout kusciaAPI.initiator kusciaAPI.protocol kusciaAPI.token kusciaAPISans
confManager confManager.HTTPPort confManager.GRPCPort confManager.connectTimeout confManager.readTimeout confManager.writeTimeout
confManager.idleTimeout confManager.driver confManager.params
dataMesh dataMesh.disableTLS dataMesh.dataProxyList dataMesh.dataProxyList[].endpoint dataMesh.dataProxyList[].clientTLSConfig
dataMesh.dataProxyList[].clientTLSConfig.certFile dataMesh.dataProxyList[].clientTLSConfig.keyFile
dataMesh.dataProxyList[].clientTLSConfig.caFile dataMesh.dataProxyList[].dataSourceTypes dataMesh.dataProxyList[].mode
domainRoute domainRoute.externalTLS domainRoute.externalTLS.enableTLS domainRoute.externalTLS.certFile
domainRoute.externalTLS.certData domainRoute.externalTLS.keyFile domainRoute.externalTLS.keyData domainRoute.externalTLS.caFile
domainRoute.externalTLS.caData
agent agent.allowPrivileged agent.provider agent.provider.k8s agent.provider.k8s.labelsToAdd agent.provider.k8s.annotationsToAdd
agent.provider.k8s.affinitiesToAdd agent.provider.k8s.runtimeClassName agent.provider.k8s.dns agent.provider.k8s.dns.policy
agent.provider.k8s.dns.servers agent.provider.k8s.dns.searches agent.provider.k8s.dns.resolverConfig agent.provider.k8s.backend
agent.provider.k8s.backend.name agent.provider.k8s.backend.config agent.provider.k8s.qps agent.provider.k8s.burst
agent.provider.k8s.timeout agent.provider.k8s.endpoint agent.provider.cri agent.provider.cri.containerLogMaxSize
agent.provider.cri.containerLogMaxFiles agent.plugins agent.plugins[].name agent.plugins[].config
enableWorkloadApprove debug debugPort logrotate logrotate.maxFiles logrotate.maxFileSizeMB logrotate.maxAgeDays
garbageCollection garbageCollection.kusciaDomainDataGC garbageCollection.kusciaDomainDataGC.enable
garbageCollection.kusciaDomainDataGC.durationHours garbageCollection.kusciaJobGC garbageCollection.kusciaJobGC.durationHours
metricUpdatePeriod master master.apiWhitelist secretBackends`)
	got := slices.DeleteFunc(paths("", new(Config).keys()), func(p string) bool { return strings.HasPrefix(p, "entente") })
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func TestASmallFileGetsTheDefaults(t *testing.T) {
	t.Parallel()
	got := parsed(t, "mode: autonomy\ndomainID: alice\n")
	want := &Config{
		Mode: Autonomy, DomainID: "alice", LogLevel: Info, Runtime: RunC,
		Runk:              Runk{LogMaxFiles: 5, LogMaxSize: resource.MustParse("512Mi")},
		Capacity:          Capacity{Pods: resource.MustParse("500")},
		ReservedResources: ReservedResources{CPU: resource.MustParse("0.5"), Memory: resource.MustParse("500Mi"), Bandwidth: resource.MustParse("10")},
		Agent:             Agent{Provider: Provider{CRI: CRIProvider{ContainerLogMaxSize: resource.MustParse("512Mi"), ContainerLogMaxFiles: 5}}},
		GarbageCollection: GarbageCollection{KusciaDomainDataGC: DomainDataGC{Duration: 720 * time.Hour}, KusciaJobGC: JobGC{Duration: 720 * time.Hour}},
		KusciaAPI: KusciaAPI{
			HTTPPort: 8082, GRPCPort: 8083, HTTPInternalPort: 8092, Protocol: MTLS,
			ConnectTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, IdleTimeout: 300 * time.Second,
		},
		ConfManager: ConfManager{
			HTTPPort: 8060, GRPCPort: 8061, Driver: "crd",
			ConnectTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: 20 * time.Second, IdleTimeout: 300 * time.Second,
		},
		DomainRoute:  DomainRoute{ExternalTLS{EnableTLS: true}},
		LogRotate:    LogRotate{MaxFiles: 5, MaxFileSizeMB: 512, MaxAgeDays: 30},
		DebugPort:    28080,
		MetricUpdate: 5 * time.Second,
		Entente: Entente{
			Cluster: Cluster{Kind: Embedded, Listen: netip.MustParseAddrPort("127.0.0.1:6443"), Synchronous: Full},
			Gateway: Gateway{
				Enabled: true, External: netip.MustParseAddrPort("0.0.0.0:1080"), MaxConnections: 32768, StreamIdle: time.Minute,
			},
			DNS: DNS{Enabled: true},
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Config{}), cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

func TestAValueIsReadAsItWasMeant(t *testing.T) {
	t.Parallel()
	const autonomy = "mode: autonomy\ndomainID: alice\n"
	const master = "mode: master\ndomainID: m\n"
	const lite = "mode: lite\ndomainID: a\ndomainKeyData: x\nmasterEndpoint: http://m\n"
	for _, c := range []struct {
		name, text string
		get        func(*Config) any
		want       any
	}{
		{"a part of a block leaves the other defaults", autonomy + "kusciaAPI:\n  HTTPPort: 1\n", func(c *Config) any { return [...]int{c.KusciaAPI.HTTPPort, c.KusciaAPI.GRPCPort} }, [...]int{1, 8083}},
		{"an empty block changes nothing", autonomy + "kusciaAPI:\n", func(c *Config) any { return c.KusciaAPI.HTTPPort }, 8082},
		{"an empty text leaves the default", autonomy + "runtime: \"\"\n", func(c *Config) any { return c.Runtime }, RunC},
		{"a number may be a domain", "mode: autonomy\ndomainID: 123\n", func(c *Config) any { return c.DomainID }, "123"},
		{"a mode in capitals", "mode: AUTONOMY\ndomainID: a\n", func(c *Config) any { return c.Mode }, Autonomy},
		{"a runtime in capitals", autonomy + "runtime: RUNP\n", func(c *Config) any { return c.Runtime }, RunP},
		{"a level in small letters", autonomy + "logLevel: warn\n", func(c *Config) any { return c.LogLevel.Slog().String() }, "WARN"},
		{"a port in another notation", autonomy + "debugPort: 0x1F90\n", func(c *Config) any { return c.DebugPort }, 8080},
		{"yes for true, as the original takes it", autonomy + "debug: yes\n", func(c *Config) any { return c.Debug }, true},
		{"hours", autonomy + "garbageCollection: {kusciaJobGC: {durationHours: 24}}\n", func(c *Config) any { return c.GarbageCollection.KusciaJobGC.Duration }, 24 * time.Hour},
		{"zero as a time", autonomy + "kusciaAPI: {idleTimeout: 0}\n", func(c *Config) any { return c.KusciaAPI.IdleTimeout }, time.Duration(0)},
		{"a free value becomes JSON", autonomy + "agent:\n  plugins:\n    - name: p\n      config: {a: [1, 2.5, yes, ~, x], 7: .inf}\n", func(c *Config) any { return string(c.Agent.Plugins[0].Config) }, `{"7":".inf","a":[1,2.5,"yes",null,"x"]}`},
		{"the first registry is the default one", autonomy + "image: {registries: [{name: a}, {name: b}]}\n", func(c *Config) any { return c.Image.DefaultRegistry }, "a"},
		{"a named registry is the default one", autonomy + "image: {defaultRegistry: b, registries: [{name: a}, {name: b}]}\n", func(c *Config) any { return c.Image.DefaultRegistry }, "b"},
		{"logs of runk follow those of the node", autonomy + "logrotate: {maxFiles: 9, maxFileSizeMB: 3}\n", func(c *Config) any { return []any{c.Runk.LogMaxFiles, c.Runk.LogMaxSize.String()} }, []any{9, "3Mi"}},
		{"an API without a protocol follows the node's", autonomy + "protocol: NOTLS\n", func(c *Config) any { return c.KusciaAPI.Protocol }, NoTLS},
		{"an API with a protocol keeps it", autonomy + "protocol: NOTLS\nkusciaAPI: {protocol: mtls}\n", func(c *Config) any { return c.KusciaAPI.Protocol }, MTLS},
		{"no TLS at the gateway by protocol", autonomy + "protocol: notls\n", func(c *Config) any { return c.DomainRoute.ExternalTLS.EnableTLS }, false},
		{"no TLS at the gateway by its own key", master + "domainRoute: {externalTLS: {enableTLS: false}}\n", func(c *Config) any { return c.DomainRoute.ExternalTLS.EnableTLS }, false},
		{"own certificate with protocol TLS stays", master + "protocol: TLS\ndomainRoute: {externalTLS: {certFile: c, keyFile: k}}\n", func(c *Config) any { return c.DomainRoute.ExternalTLS }, ExternalTLS{EnableTLS: true, CertFile: "c", KeyFile: "k"}},
		{"a lite's gateway has no TLS by default", lite, func(c *Config) any { return c.DomainRoute.ExternalTLS.EnableTLS }, false},
		{"a lite's gateway has TLS by protocol", lite + "protocol: TLS\n", func(c *Config) any { return c.DomainRoute.ExternalTLS.EnableTLS }, true},
		{"a byte order mark and other line ends", "\uFEFFmode: autonomy\r\ndomainID: alice\r\nlogLevel: WARN\r\n", func(c *Config) any { return []any{c.LogLevel, c.Line("logLevel")} }, []any{Warn, 3}},
		{"an anchor and its alias", autonomy + "agent: {provider: {k8s: {labelsToAdd: &l {a: b}, annotationsToAdd: *l}}}\n", func(c *Config) any { return c.Agent.Provider.K8s.AnnotationsToAdd }, map[string]string{"a": "b"}},
		{"a merge key, under what is written", autonomy + "kusciaAPI: &t {readTimeout: 7, idleTimeout: 8}\nconfManager: {<<: *t, readTimeout: 9}\n", func(c *Config) any { return []any{c.ConfManager.ReadTimeout, c.ConfManager.IdleTimeout} }, []any{9 * time.Second, 8 * time.Second}},
		{"several merges, of which the first wins", autonomy + "kusciaAPI: &t {readTimeout: 7}\nconfManager: {<<: [*t, {readTimeout: 8, idleTimeout: 9}]}\n", func(c *Config) any { return []any{c.ConfManager.ReadTimeout, c.ConfManager.IdleTimeout} }, []any{7 * time.Second, 9 * time.Second}},
		{"the marks around one document", "---\n" + autonomy + "...\n---\n", func(c *Config) any { return c.DomainID }, "alice"},
		{"a free port for tests", autonomy + "entente: {cluster: {listen: '127.0.0.1:0'}}\n", func(c *Config) any { return c.Entente.Cluster.Listen.Port() }, uint16(0)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := parsed(t, c.text)
			if len(got.Warnings) > 0 {
				t.Errorf("warnings:\n%v", got.Warnings)
			}
			if diff := cmp.Diff(c.want, c.get(got)); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAKeyWithoutEffectIsAWarningAndTheFileLoads(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"a lite's key in mode autonomy", "mode: autonomy\ndomainID: a\nliteDeployToken: t\n", "kuscia.yaml:3: liteDeployToken: no effect in mode autonomy, only in lite; remove it"},
		{"a node's block in mode master", "mode: master\ndomainID: m\nrunk:\n  nonsense: 1\n", "kuscia.yaml:3: runk: no effect in mode master, only in lite, autonomy; remove it"},
		{"a control plane's key in mode lite", "mode: lite\ndomainID: a\ndomainKeyData: k\nmasterEndpoint: http://m:80\ndatastoreEndpoint: mysql://x\n", "kuscia.yaml:5: datastoreEndpoint: no effect in mode lite, only in master, autonomy; remove it"},
		{"a cluster in mode lite", "mode: lite\ndomainID: a\ndomainKeyData: k\nmasterEndpoint: http://m:80\nentente:\n  cluster: {kind: k3s}\n", "kuscia.yaml:6: entente.cluster: no effect in mode lite, only in master, autonomy; remove it"},
		{"a key of another kind of cluster", "mode: master\ndomainID: m\nentente:\n  cluster:\n    kubeconfig: f\n", "kuscia.yaml:5: entente.cluster.kubeconfig: no effect with entente.cluster.kind embedded; remove it"},
		{"a database beside a cluster that exists", "mode: master\ndomainID: m\ndatastoreEndpoint: mysql://x\nentente: {cluster: {kind: kubeconfig, kubeconfig: f}}\n", "kuscia.yaml:3: datastoreEndpoint: no effect with entente.cluster.kind kubeconfig; remove it"},
		{"too few log files", "mode: autonomy\ndomainID: a\nrunk:\n  logMaxFiles: 1\n", "kuscia.yaml:4: runk.logMaxFiles: no effect below 2, logrotate.maxFiles holds; give 2 or more"},
		{"a registry that is not listed", "mode: autonomy\ndomainID: a\nimage:\n  defaultRegistry: x\n", "kuscia.yaml:4: image.defaultRegistry: no effect, no entry of image.registries has this name; add the entry or use the name of one"},
		{"a certificate twice", "mode: autonomy\ndomainID: a\ndomainRoute:\n  externalTLS:\n    certFile: c\n    certData: c\n    keyFile: k\n", "kuscia.yaml:6: domainRoute.externalTLS.certData: no effect, as certFile gives the same; remove it"},
		{"TLS against the protocol", "mode: autonomy\ndomainID: a\nprotocol: NOTLS\ndomainRoute:\n  externalTLS:\n    enableTLS: true\n", "kuscia.yaml:6: domainRoute.externalTLS.enableTLS: no effect, as protocol is NOTLS; remove it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, parsed(t, c.text).Warnings.Error()); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAKeyIsFoundByItsPath(t *testing.T) {
	t.Parallel()
	c := parsed(t, "mode: autonomy\ndomainID: alice\ndomainKeyData:\n  abc\nimage:\n  registries:\n    - name: a\n    -\n      endpoint: e\n")
	got := map[string]int{}
	for _, path := range []string{"domainID", "domainKeyData", "image.registries[0].name", "image.registries[1]", "image.registries[1].endpoint", "debugPort"} {
		got[path] = c.Line(path)
	}
	want := map[string]int{"domainID": 2, "domainKeyData": 3, "image.registries[0].name": 7, "image.registries[1]": 9, "image.registries[1].endpoint": 9, "debugPort": 0}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	for path, want := range map[string]string{
		"domainKeyData": "kuscia.yaml:3: domainKeyData: the key is damaged; make another",
		"debugPort":     "kuscia.yaml: debugPort: the key is damaged; make another",
	} {
		if got := c.Problem(path, "the key is damaged", "make another").Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
