package config

import (
	"encoding/json"
	"time"
)

// KusciaAPI is the operator's API.
type KusciaAPI struct {
	HTTPPort         int             // JSON; default 8082
	GRPCPort         int             // default 8083
	HTTPInternalPort int             // for calls that come through the gateway; default 8092
	Debug            bool            // logs requests; default false
	ConnectTimeout   time.Duration   // seconds in the file; default 5 s
	ReadTimeout      time.Duration   // seconds in the file; default 20 s
	IdleTimeout      time.Duration   // seconds in the file; default 300 s
	Initiator        string          // the party that jobs are started for
	Protocol         Protocol        // never empty: default that of the node, else MTLS
	Token            json.RawMessage // JSON of the file's value, nil when absent: then the token is the node's own file. Secret.
}

func defaultKusciaAPI() KusciaAPI {
	return KusciaAPI{
		HTTPPort: 8082, GRPCPort: 8083, HTTPInternalPort: 8092,
		ConnectTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, IdleTimeout: 300 * time.Second,
	}
}

func (k *KusciaAPI) keys() []key {
	return []key{
		port("HTTPPort", &k.HTTPPort).means("Port of JSON over HTTP."),
		port("GRPCPort", &k.GRPCPort).like("8083").means("Port of gRPC."),
		port("HTTPInternalPort", &k.HTTPInternalPort).like("8092").means("Port for calls that come through the gateway."),
		flag("debug", &k.Debug).means("Logs requests."),
		span("connectTimeout", &k.ConnectTimeout, time.Second).means("Seconds for a connection to come up."),
		span("readTimeout", &k.ReadTimeout, time.Second).means("Seconds for a request to arrive."),
		span("idleTimeout", &k.IdleTimeout, time.Second).means("Seconds that an unused connection is kept."),
		text("initiator", &k.Initiator).like("alice").means("The party that jobs are started for."),
		choice("protocol", &k.Protocol, NoTLS, TLS, MTLS).like("MTLS").otherwise("`protocol`, else MTLS").means("What the API speaks, if not what the node's `protocol` says."),
		free("token", &k.Token).hidden().like("(secret)").otherwise("the token file in the data folder").means("The token that callers show."),
	}
}

// ConfManager keeps configuration and issues certificates for applications; modes lite, autonomy.
type ConfManager struct {
	HTTPPort       int             // default 8060
	GRPCPort       int             // default 8061
	ConnectTimeout time.Duration   // seconds in the file; default 5 s
	ReadTimeout    time.Duration   // seconds in the file; default 20 s
	WriteTimeout   time.Duration   // seconds in the file; default 20 s
	IdleTimeout    time.Duration   // seconds in the file; default 300 s
	Driver         string          // where it is kept; default crd
	Params         json.RawMessage // of the driver; JSON of the file's value, nil when absent. May hold secrets.
}

func defaultConfManager() ConfManager {
	return ConfManager{
		HTTPPort: 8060, GRPCPort: 8061,
		ConnectTimeout: 5 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: 20 * time.Second, IdleTimeout: 300 * time.Second,
		Driver: "crd",
	}
}

func (m *ConfManager) keys() []key {
	return []key{
		port("HTTPPort", &m.HTTPPort).like("8060").means("Port of JSON over HTTP."),
		port("GRPCPort", &m.GRPCPort).like("8061").means("Port of gRPC."),
		span("connectTimeout", &m.ConnectTimeout, time.Second).means("Seconds for a connection to come up."),
		span("readTimeout", &m.ReadTimeout, time.Second).means("Seconds for a request to arrive."),
		span("writeTimeout", &m.WriteTimeout, time.Second).means("Seconds for a reply to leave."),
		span("idleTimeout", &m.IdleTimeout, time.Second).means("Seconds that an unused connection is kept."),
		text("driver", &m.Driver).like("crd").means("Where configuration is kept: `crd` is the domain's namespace."),
		free("params", &m.Params).hidden().means("Parameters of the driver."),
	}
}

// DataMesh is the service through which engines reach data; modes lite, autonomy.
type DataMesh struct {
	DisableTLS    bool // default false
	DataProxyList []DataProxy
}

// A DataProxy serves some kinds of data sources by Arrow Flight.
type DataProxy struct {
	Endpoint        string // host:port
	ClientTLSConfig ClientTLS
	DataSourceTypes []string // kinds of data sources that go there
	Mode            string   // direct or proxy; the original reads it and does nothing with it
}

// ClientTLS is what a client proves itself with, as files.
type ClientTLS struct{ CertFile, KeyFile, CAFile string }

func (d *DataMesh) keys() []key {
	return []key{
		flag("disableTLS", &d.DisableTLS).means("Serves engines in plain text and without certificates."),
		groups("dataProxyList", &d.DataProxyList, (*DataProxy).keys).means("External Arrow Flight services for further kinds of data sources."),
	}
}

func (d *DataProxy) keys() []key {
	return []key{
		text("endpoint", &d.Endpoint).like("dataproxy-grpc:8023").means("`host:port` of the service."),
		group("clientTLSConfig", []key{
			text("certFile", &d.ClientTLSConfig.CertFile).like("/path/to/client.crt").means("Certificate to show."),
			text("keyFile", &d.ClientTLSConfig.KeyFile).like("/path/to/client.key").means("Its private key."),
			text("caFile", &d.ClientTLSConfig.CAFile).like("/path/to/ca.crt").means("Authority of the service's certificate."),
		}).means("How to prove oneself to the service."),
		texts("dataSourceTypes", &d.DataSourceTypes).like("[odps, hive]").means("Kinds of data sources that go there."),
		text("mode", &d.Mode).like("direct").means("`direct` or `proxy`. The original reads it and does nothing with it."),
	}
}

// DomainRoute is the external gateway; modes master, autonomy.
type DomainRoute struct{ ExternalTLS ExternalTLS }

// ExternalTLS is the certificate of the external gateway. Each of the three comes as a file or as data (base64 of PEM), and the file counts
// where both are given; without a certificate the node issues itself one. Mode lite has no certificate of its own here.
type ExternalTLS struct {
	// EnableTLS is what holds: Protocol's TLS, MTLS and NOTLS decide; with an empty Protocol the file's value, by default true in modes
	// master and autonomy and false in mode lite.
	EnableTLS bool
	CertFile  string
	CertData  string
	KeyFile   string
	KeyData   string // secret
	CAFile    string
	CAData    string
}

func (d *DomainRoute) keys() []key {
	t := &d.ExternalTLS
	return []key{
		group("externalTLS", []key{
			flag("enableTLS", &t.EnableTLS).otherwise("`true`, unless `protocol` is NOTLS").means("Serves partners by TLS. A `protocol` decides before this key."),
			text("certFile", &t.CertFile).like("/path/to/server.crt").otherwise("a certificate of the domain's authority").means("Certificate of the gateway, as a file."),
			text("certData", &t.CertData).hidden().like("(base64 of a PEM file)").means("The same as base64 of PEM."),
			text("keyFile", &t.KeyFile).like("/path/to/server.key").means("Its private key, as a file."),
			text("keyData", &t.KeyData).hidden().like("(base64 of a PEM file)").means("The same as base64 of PEM."),
			text("caFile", &t.CAFile).like("/path/to/ca.crt").means("Authority of partners' certificates, as a file."),
			text("caData", &t.CAData).hidden().like("(base64 of a PEM file)").means("The same as base64 of PEM."),
		}).means("How the external gateway proves itself."),
	}
}

// MasterDoor is what a control plane lets others reach; modes master, autonomy.
type MasterDoor struct {
	// APIWhitelist are regular expressions of the API server's paths that the gateway forwards; empty means all.
	APIWhitelist []string
}

func (m *MasterDoor) keys() []key {
	return []key{
		patterns("apiWhitelist", &m.APIWhitelist).otherwise("all").means("Regular expressions of the API server's paths that the gateway forwards; one match is enough."),
	}
}
