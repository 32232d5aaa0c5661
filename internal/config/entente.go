package config

import "net/netip"

// Entente is what the original does not have.
type Entente struct {
	Home    string  // data folder, relative to the file's; empty leaves the choice to the command
	Cluster Cluster // modes master, autonomy
	Gateway Gateway
	DNS     DNS
	Metrics Metrics
}

// Cluster is the Kubernetes API that the control plane stands on; modes master, autonomy.
type Cluster struct {
	Kind ClusterKind // default embedded

	// Listen is where the API server serves; kinds embedded, k3s; default 127.0.0.1:6443. Port 0 takes a free one.
	Listen netip.AddrPort
	// Advertise is the address under which other machines reach the API server; kinds embedded, k3s; invalid (the zero value) means
	// that of Listen.
	Advertise   netip.Addr
	SANs        []string     // more names and addresses in the serving certificate; kind embedded
	Synchronous Synchronous  // durability of the SQLite store; kind embedded; default FULL
	Datastore   DatastoreTLS // how DatastoreEndpoint is reached over TLS; kind embedded

	Kubeconfig string // the file that reaches the cluster, relative to this file; kind kubeconfig, required there
	Context    string // its context; kind kubeconfig; empty means the file's current one

	K3s K3sServer // kind k3s
}

// DatastoreTLS is what it takes to reach an external datastore over TLS. All files are PEM and optional.
type DatastoreTLS struct {
	CAFile   string // authorities that the datastore's certificate may come from
	CertFile string // this node's certificate
	KeyFile  string // its key
}

// K3sServer is the K3s that the control plane stands on.
type K3sServer struct {
	Binary    string // the program; empty means K3S_BIN, else k3s on PATH
	Installed bool   // uses the K3s service of this machine instead of a child process; default false
}

func defaultEntente() Entente {
	return Entente{
		Cluster: Cluster{Kind: Embedded, Listen: netip.MustParseAddrPort("127.0.0.1:6443"), Synchronous: Full},
		Gateway: defaultGateway(),
		DNS:     DNS{Enabled: true},
	}
}

func (e *Entente) keys() []key {
	c := &e.Cluster
	return []key{
		text("home", &e.Home).like("/var/lib/entente").otherwise("a folder of the system's for the domain").means("The data folder; a relative path starts at this file's folder. The flag `--home` and `ENTENTE_HOME` come first."),
		group("cluster", []key{
			choice("kind", &c.Kind, Embedded, K3s, Kubeconfig).means("`embedded` (inside this process), `k3s`, or `kubeconfig` (a cluster that exists)."),
			address("listen", &c.Listen).means("Where the API server serves; kinds embedded and k3s. Port 0 takes a free one."),
			ip("advertise", &c.Advertise).otherwise("that of `listen`").means("Address under which other machines reach the API server; kinds embedded and k3s."),
			texts("sans", &c.SANs).like("[192.0.2.10, api.example.com]").means("More names and addresses in the API server's certificate; kind embedded."),
			choice("synchronous", &c.Synchronous, Full, Normal).means("`FULL`: what was acknowledged survives a power loss. `NORMAL` is faster and may lose the last commits then. Kind embedded with SQLite."),
			group("datastore", []key{
				text("caFile", &c.Datastore.CAFile).like("/path/to/ca.crt").means("Authorities that the datastore's certificate may come from."),
				text("certFile", &c.Datastore.CertFile).like("/path/to/client.crt").means("This node's certificate towards the datastore."),
				text("keyFile", &c.Datastore.KeyFile).like("/path/to/client.key").means("The key of that certificate."),
			}).means("PEM files to reach `datastoreEndpoint` over TLS. Kind embedded."),
			text("kubeconfig", &c.Kubeconfig).like("/path/to/kubeconfig").means("The file that reaches the cluster; kind kubeconfig, required there. A relative path starts at this file's folder."),
			text("context", &c.Context).like("production").otherwise("the file's current one").means("The context of that file."),
			group("k3s", []key{
				text("binary", &c.K3s.Binary).like("/usr/local/bin/k3s").otherwise("`K3S_BIN`, else `k3s` on PATH").means("The K3s program."),
				flag("installed", &c.K3s.Installed).means("Uses the K3s service of this machine instead of a child process."),
			}).means("Kind k3s."),
		}).in(Master, Autonomy).means("The Kubernetes API that the control plane stands on."),
		group("gateway", e.Gateway.keys()).means("The Envoy of this node."),
		group("dns", e.DNS.keys()).means("The name server of this node."),
		group("metrics", e.Metrics.keys()).means("Figures of this node for Prometheus."),
	}
}
