// Package config reads a node's configuration file strictly: what it returns is complete, checked and has its defaults, and what it refuses
// it names by file, line and key, with a remedy, all mistakes at once.
//
// The file is the original's kuscia.yaml: every key that the original knows is known here, so an existing file loads. Three things differ.
// A key that nobody knows is a mistake, where the original skips it in silence. A key that has no effect in the file's mode is reported in
// [Config].Warnings. A block that is given in part keeps the defaults of the rest. Beside that there is one block of our own, entente.
package config

import (
	"encoding/json"
	"math"
	"time"
)

// A Config is a node's configuration with defaults filled in. It is not changed after [Parse].
type Config struct {
	Mode Mode // what the node is; required
	// DomainID names the party whose node this is, and its namespace; required.
	DomainID string
	// DomainKeyData is the domain's private key: base64 of an RSA key in PEM. Required in mode lite; else empty means that the node keeps
	// a key of its own in its data folder. Secret.
	DomainKeyData string
	LogLevel      LogLevel // default INFO; the only key that takes effect while the node runs
	// Protocol is what the external gateway and KusciaAPI speak. Empty: the gateway uses TLS in modes master and autonomy, and KusciaAPI
	// uses MTLS.
	Protocol Protocol

	LiteDeployToken string // what a lite shows at its first registration, and never again; mode lite. Secret.
	MasterEndpoint  string // http(s)://host[:port][/path] of the master's gateway; mode lite, required there

	Runtime           Runtime           // what runs pods; default runc; modes lite, autonomy
	Runk              Runk              // runtime runk; modes lite, autonomy
	Capacity          Capacity          // what the node offers to pods; modes lite, autonomy
	ReservedResources ReservedResources // what the node keeps for itself; modes lite, autonomy
	Image             Image             // where images come from; modes lite, autonomy
	Agent             Agent             // finer points of running pods; modes lite, autonomy

	// DatastoreEndpoint is the database of the control plane, such as mysql://user:password@tcp(host:port)/db or postgres://…; empty means
	// SQLite in the data folder. Modes master, autonomy. Secret, as it holds a password.
	DatastoreEndpoint string
	ClusterToken      string // joins K3s servers on one datastore; modes master, autonomy. Secret.
	// EnableWorkloadApprove makes jobs that others start wait for this party's approval; default false; modes master, autonomy.
	EnableWorkloadApprove bool
	GarbageCollection     GarbageCollection // modes master, autonomy
	Master                MasterDoor        // modes master, autonomy

	KusciaAPI     KusciaAPI
	KusciaAPISans []string        // more IP addresses and names in KusciaAPI's certificate
	ConfManager   ConfManager     // modes lite, autonomy
	DataMesh      DataMesh        // modes lite, autonomy
	DomainRoute   DomainRoute     // modes master, autonomy
	LogRotate     LogRotate       // files of all logs
	Debug         bool            // serves Go's profiles at DebugPort; default false
	DebugPort     int             // default 28080
	MetricUpdate  time.Duration   // metricUpdatePeriod: time between two collections of network metrics; default 5 s
	SecretStores  json.RawMessage // secretBackends, which the original documents and does not read; nil when absent. May hold secrets.

	Entente Entente // our own block

	// Warnings are keys of the file that have no effect, in the order of the file's lines.
	Warnings Problems

	file   string
	places map[string]spot
}

// defaults is the configuration of an empty file.
func defaults() *Config {
	return &Config{
		LogLevel:          Info,
		Runtime:           RunC,
		ReservedResources: defaultReservedResources(),
		Agent:             defaultAgent(),
		Capacity:          defaultCapacity(),
		GarbageCollection: defaultGarbageCollection(),
		KusciaAPI:         defaultKusciaAPI(),
		ConfManager:       defaultConfManager(),
		LogRotate:         defaultLogRotate(),
		DebugPort:         28080,
		MetricUpdate:      5 * time.Second,
		Entente:           defaultEntente(),
	}
}

// keys declares the top of the file in the order of the reference page.
func (c *Config) keys() []key {
	return []key{
		choice("mode", &c.Mode, Master, Lite, Autonomy).like("autonomy").
			means("What the node is: `master` (control plane of a centralized network), `lite` (runs tasks under a master), `autonomy` (both, a peer among peers). Required."),
		text("domainID", &c.DomainID).like("alice").
			means("The party whose node this is. Lower-case letters, digits and `-`, at most 63. Required."),
		text("domainKeyData", &c.DomainKeyData).hidden().like("(base64 of a PEM file)").otherwise("a key of its own in the data folder").
			means("The domain's private key: base64 of an RSA key in PEM, PKCS#1 or PKCS#8. Required in mode lite."),
		choice("logLevel", &c.LogLevel, Info, Debug, Warn, Error, Fatal).
			means("The least important messages that are logged. Takes effect while the node runs."),
		choice("protocol", &c.Protocol, NoTLS, TLS, MTLS).like("TLS").otherwise("TLS at the gateway of master and autonomy, none at that of lite; MTLS at KusciaAPI").
			means("What the external gateway and KusciaAPI speak. With `NOTLS` KusciaAPI asks for no token either."),
		text("liteDeployToken", &c.LiteDeployToken).in(Lite).hidden().
			means("What the lite shows at its first registration; of no use afterwards."),
		text("masterEndpoint", &c.MasterEndpoint).in(Lite).like("https://master.example.com:1080").
			means("The master's gateway, `http(s)://host[:port][/path]`. Required in mode lite."),

		choice("runtime", &c.Runtime, RunC, RunP, RunK).in(Lite, Autonomy).
			means("What runs pods: `runc` (containerd), `runp` (processes without privileges), `runk` (another Kubernetes cluster)."),
		group("runk", c.Runk.keys()).in(Lite, Autonomy).means("The cluster of runtime `runk`."),
		group("capacity", c.Capacity.keys()).in(Lite, Autonomy).means("What the node offers to pods. Runtime `runk` needs cpu, memory and storage."),
		group("reservedResources", c.ReservedResources.keys()).in(Lite, Autonomy).means("What the node keeps for itself."),
		group("image", c.Image.keys()).in(Lite, Autonomy).means("Where images come from."),
		group("agent", c.Agent.keys()).in(Lite, Autonomy).means("Finer points of running pods."),

		text("datastoreEndpoint", &c.DatastoreEndpoint).in(Master, Autonomy).hidden().like("mysql://user:password@tcp(host:3306)/db").otherwise("SQLite in the data folder").
			means("The control plane's database, as K3s takes it. One database for each node."),
		text("clusterToken", &c.ClusterToken).in(Master, Autonomy).hidden().otherwise("a random one in the data folder").
			means("Joins several K3s servers on one datastore."),
		flag("enableWorkloadApprove", &c.EnableWorkloadApprove).in(Master, Autonomy).
			means("Jobs that other parties start wait for this party's approval."),
		group("garbageCollection", c.GarbageCollection.keys()).in(Master, Autonomy).means("How long finished things are kept."),
		group("master", c.Master.keys()).in(Master, Autonomy).means("What a control plane lets others reach."),

		group("kusciaAPI", c.KusciaAPI.keys()).means("The operator's API."),
		texts("kusciaAPISans", &c.KusciaAPISans).like("[192.0.2.10, api.example.com]").
			means("More IP addresses and names in KusciaAPI's certificate."),
		group("confManager", c.ConfManager.keys()).in(Lite, Autonomy).means("The service that keeps configuration and issues certificates for applications."),
		group("dataMesh", c.DataMesh.keys()).in(Lite, Autonomy).means("The service through which engines reach data."),
		group("domainRoute", c.DomainRoute.keys()).in(Master, Autonomy).means("The external gateway."),
		group("logrotate", c.LogRotate.keys()).means("Files of all logs."),
		flag("debug", &c.Debug).means("Serves Go's profiles at `debugPort`."),
		port("debugPort", &c.DebugPort).means("Where profiles are served."),
		span("metricUpdatePeriod", &c.MetricUpdate, time.Second).means("Seconds between two collections of network metrics."),
		free("secretBackends", &c.SecretStores).hidden().means("Accepted for the sake of existing files; no effect, as in the original."),

		group("entente", c.Entente.keys()).means("What the original does not have."),
	}
}

// anyCount is for numbers without an upper bound of their own.
const anyCount = math.MaxInt32

// Parse reads the text of a configuration file; name is what problems call the file. It touches nothing else: paths in it are not opened,
// ports not tried, keys not decoded. An error is [Problems] and then there is no configuration.
func Parse(name string, data []byte) (*Config, error) {
	root, problems := document(name, data)
	if root == nil {
		problems.sort()
		return nil, problems
	}
	c := defaults()
	keys := c.keys()
	r := &reader{file: name, paths: paths("", keys), places: map[string]spot{}, problems: problems}
	r.mode = peekMode(root)
	r.keys("", root, keys)
	c.file, c.places = name, r.places
	c.check(r)
	if len(r.problems) > 0 {
		r.problems.sort()
		return nil, r.problems
	}
	c.resolve(r)
	r.warnings.sort()
	c.Warnings = r.warnings
	return c, nil
}

// Line is where the file has the key, such as domainKeyData or image.registries[0].endpoint, and 0 where it does not: then its value is a default.
func (c *Config) Line(path string) int { return c.places[path].line }

// File is the name under which the file was read.
func (c *Config) File() string { return c.file }

// Problem is for checks that need the world: a key that cannot be decoded, a port that is taken. It names the key's file and line.
func (c *Config) Problem(path, reason, remedy string) Problem {
	return Problem{File: c.file, Line: c.Line(path), Path: path, Reason: reason, Remedy: remedy}
}
