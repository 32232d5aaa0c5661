package config

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/entente-mesh/entente/api/names"
)

// peekMode is the mode before anything else is read, as it decides which keys have an effect; empty when it is missing or wrong.
func peekMode(root *yaml.Node) Mode {
	for i := 0; i < len(root.Content); i += 2 {
		if root.Content[i].Value != "mode" {
			continue
		}
		for _, m := range []Mode{Master, Lite, Autonomy} {
			if strings.EqualFold(root.Content[i+1].Value, string(m)) {
				return m
			}
		}
	}
	return ""
}

// check holds what single keys cannot show: what is missing, and what does not go together.
func (c *Config) check(r *reader) {
	c.checkDomain(r)
	if c.Mode == Lite {
		c.checkLite(r)
	} else {
		c.checkExternalTLS(r)
		c.checkCluster(r)
	}
	if c.Mode != Master {
		c.checkRuntime(r)
	}
	c.checkGateway(r)
}

func (c *Config) checkDomain(r *reader) {
	if !r.given("mode") {
		r.mistake("mode", "missing", `write for example "mode: autonomy"`)
	}
	switch id := c.DomainID; {
	case !r.given("domainID"):
		r.mistake("domainID", "missing", `write the party's name, for example "domainID: alice"`)
	case id == "": // its problem is reported
	case names.Reserved(id):
		r.mistake("domainID", fmt.Sprintf("%q is a reserved name", id), "choose another name for the party")
	case names.ValidateDomainID(id) != nil:
		remedy := "use 1 to 63 lower-case letters, digits and -, a letter or digit at both ends"
		if lower := strings.ToLower(id); names.ValidateDomainID(lower) == nil {
			remedy = fmt.Sprintf("did you mean %q?", lower)
		}
		r.mistake("domainID", fmt.Sprintf("%.*q is no valid name", 2*maxShown, id), remedy)
	}
}

func (c *Config) checkLite(r *reader) {
	if !r.given("domainKeyData") {
		r.mistake("domainKeyData", "missing; a lite needs a key of its own", "make the file with: entente init --mode lite")
	}
	const remedy = `write the address of the master's gateway, for example "masterEndpoint: https://master.example.com:1080"`
	if !r.given("masterEndpoint") {
		r.mistake("masterEndpoint", "missing; a lite needs its master", remedy)
		return
	}
	if c.MasterEndpoint == "" {
		return // its problem is reported
	}
	// The value is not repeated: it may hold a password.
	u, err := url.Parse(c.MasterEndpoint)
	switch {
	case err != nil || u.Hostname() == "":
		r.mistake("masterEndpoint", "found no host in the address", remedy)
	case u.Scheme != "http" && u.Scheme != "https":
		r.mistake("masterEndpoint", "the address begins neither with http:// nor with https://", remedy)
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		r.mistake("masterEndpoint", "the address has more than host, port and path", remedy)
	case !validPort(u.Port()):
		r.mistake("masterEndpoint", "the address has no port from 1 to 65535", remedy)
	}
}

func validPort(digits string) bool {
	n, err := strconv.ParseUint(digits, 10, 16)
	return digits == "" || err == nil && n > 0
}

// checkExternalTLS wants a certificate and its key together. Of a file and data the file counts.
func (c *Config) checkExternalTLS(r *reader) {
	const at = "domainRoute.externalTLS."
	t := c.DomainRoute.ExternalTLS
	for _, pair := range []struct{ name, file, data string }{
		{"cert", t.CertFile, t.CertData}, {"key", t.KeyFile, t.KeyData}, {"ca", t.CAFile, t.CAData},
	} {
		if pair.file != "" && pair.data != "" {
			r.warn(at+pair.name+"Data", fmt.Sprintf("no effect, as %sFile gives the same", pair.name), "remove it")
		}
	}
	cert, key := t.CertFile+t.CertData != "", t.KeyFile+t.KeyData != ""
	switch {
	case cert && !key:
		r.mistake(at+"keyFile", "missing; the certificate has no private key", "give keyFile or keyData")
	case key && !cert:
		r.mistake(at+"certFile", "missing; the private key has no certificate", "give certFile or certData")
	}
	protocolTLS := c.Protocol != NoTLS
	if c.Protocol != "" && r.given(at+"enableTLS") && t.EnableTLS != protocolTLS {
		r.warn(at+"enableTLS", fmt.Sprintf("no effect, as protocol is %s", c.Protocol), "remove it")
	}
}

// checkCluster wants what the kind of cluster needs and reports keys of another kind.
func (c *Config) checkCluster(r *reader) {
	const at = "entente.cluster."
	if c.Entente.Cluster.Kind == Kubeconfig && !r.given(at+"kubeconfig") {
		r.mistake(at+"kubeconfig", "missing; kind kubeconfig needs the file that reaches the cluster", `write for example "kubeconfig: /path/to/kubeconfig"`)
	}
	own := []ClusterKind{Embedded, K3s}
	for _, k := range []struct {
		path  string
		kinds []ClusterKind
	}{
		{at + "listen", own},
		{at + "advertise", own},
		{at + "sans", []ClusterKind{Embedded}},
		{at + "datastore", []ClusterKind{Embedded}},
		{at + "synchronous", []ClusterKind{Embedded}},
		{at + "kubeconfig", []ClusterKind{Kubeconfig}},
		{at + "context", []ClusterKind{Kubeconfig}},
		{at + "k3s", []ClusterKind{K3s}},
		{"datastoreEndpoint", own},
	} {
		kind := c.Entente.Cluster.Kind
		if r.given(k.path) && !slices.Contains(k.kinds, kind) {
			r.warn(k.path, fmt.Sprintf("no effect with %skind %s", at, kind), "remove it")
		}
	}
}

func (c *Config) checkRuntime(r *reader) {
	if c.Runtime == RunK {
		for _, k := range []struct {
			name  string
			value resource.Quantity
		}{{"cpu", c.Capacity.CPU}, {"memory", c.Capacity.Memory}, {"storage", c.Capacity.Storage}} {
			if path := "capacity." + k.name; k.value.IsZero() && !r.given(path) {
				r.mistake(path, "missing; runtime runk cannot ask the machine", fmt.Sprintf("write what the cluster offers, for example %q", k.name+": 8Gi"))
			}
		}
	}
	if r.given("runk.logMaxFiles") && c.Runk.LogMaxFiles < 2 {
		r.warn("runk.logMaxFiles", "no effect below 2, logrotate.maxFiles holds", "give 2 or more")
	}
	named := func(g Registry) bool { return g.Name == c.Image.DefaultRegistry }
	if c.Image.DefaultRegistry != "" && !slices.ContainsFunc(c.Image.Registries, named) {
		r.warn("image.defaultRegistry", "no effect, no entry of image.registries has this name", "add the entry or use the name of one")
	}
}

// resolve fills in the defaults that depend on other keys.
func (c *Config) resolve(r *reader) {
	if c.KusciaAPI.Protocol == "" {
		c.KusciaAPI.Protocol = c.Protocol
	}
	if c.KusciaAPI.Protocol == "" {
		c.KusciaAPI.Protocol = MTLS
	}
	t := &c.DomainRoute.ExternalTLS
	switch {
	case c.Protocol != "":
		t.EnableTLS = c.Protocol != NoTLS
	case c.Mode == Lite || !r.given("domainRoute.externalTLS.enableTLS"):
		t.EnableTLS = c.Mode != Lite
	}
	if c.Runk.LogMaxFiles < 2 {
		c.Runk.LogMaxFiles = c.LogRotate.MaxFiles
	}
	if c.Runk.LogMaxSize.IsZero() {
		c.Runk.LogMaxSize = *resource.NewQuantity(int64(c.LogRotate.MaxFileSizeMB)<<20, resource.BinarySI)
	}
	if regs := c.Image.Registries; len(regs) > 0 && !slices.ContainsFunc(regs, func(g Registry) bool { return g.Name == c.Image.DefaultRegistry }) {
		c.Image.DefaultRegistry = regs[0].Name
	}
}
