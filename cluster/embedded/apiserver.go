//go:build !lite

package embedded

import (
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/apiserver/pkg/server/options"
	"k8s.io/apiserver/pkg/storage/storagebackend"
	"k8s.io/client-go/tools/cache"
	kubeoptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
	"k8s.io/kubernetes/pkg/controlplane/reconcilers"

	"github.com/entente-mesh/entente/cluster/embedded/pki"
	"github.com/entente-mesh/entente/cluster/embedded/store"
)

// issuer is who service-account tokens say they come from: the name that every Kubernetes cluster has inside.
const issuer = "https://kubernetes.default.svc.cluster.local"

// eventTTL is how long events are kept, as in the original.
const eventTTL = 10 * time.Minute

// anonymous lets callers without credentials ask whether the server lives, and nothing else.
const anonymous = `apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
anonymous:
  enabled: true
  conditions:
  - path: /livez
  - path: /readyz
  - path: /healthz
`

// apiServer is the kube-apiserver.
type apiServer struct {
	options     *kubeoptions.ServerRunOptions
	connections *connections
	log         *slog.Logger
	ready       chan struct{}
}

func newAPIServer(c Config, keys pki.Files, etcd store.Endpoint) (*apiServer, error) {
	auth := filepath.Join(c.Dir, "authentication.yaml")
	if err := os.WriteFile(auth, []byte(anonymous), 0o600); err != nil {
		return nil, fmt.Errorf("write %s: %w: give a data folder that this user may write", auth, err)
	}
	o := kubeoptions.NewServerRunOptions()
	o.Etcd.StorageConfig.Transport = storagebackend.TransportConfig{
		ServerList: etcd.Servers, TrustedCAFile: etcd.CAFile, CertFile: etcd.CertFile, KeyFile: etcd.KeyFile,
	}
	o.EventTTL = eventTTL
	o.Features.EnableProfiling = false
	o.Metrics = nil // its defaults change nothing, but complain in the log that they do not
	o.ServiceClusterIPRanges = c.ServiceCIDR.String()
	o.AllowPrivileged = true // as K3s does; an agent's own configuration decides what it runs
	o.APIEnablement.RuntimeConfig = map[string]string{"scheduling.k8s.io/v1beta1": "true"}
	clients := countConnections(c.Listener)
	listen(o, c, clients)
	authenticate(o, keys, auth)
	o.Authorization.Modes = []string{"Node", "RBAC"}
	o.Admission.GenericAdmission.EnablePlugins = []string{"NodeRestriction"}
	// It puts finalizers on volumes that only a volume controller would take off again, and none runs here.
	o.Admission.GenericAdmission.DisablePlugins = []string{"StorageObjectInUseProtection"}

	name, err := cache.NewInformerName("kube-apiserver")
	if err != nil {
		return nil, err
	}
	o.InformerName = name
	return &apiServer{options: o, connections: clients, log: c.Log, ready: make(chan struct{})}, nil
}

// listen says where the server is reached.
func listen(o *kubeoptions.ServerRunOptions, c Config, l net.Listener) {
	at := l.Addr().(*net.TCPAddr)
	o.SecureServing.Listener, o.SecureServing.BindAddress, o.SecureServing.BindPort = l, at.IP, at.Port
	o.SecureServing.MinTLSVersion = "VersionTLS12"
	o.GenericServerRunOptions.AdvertiseAddress = net.IP(c.AdvertiseAddress.AsSlice())
	if c.AdvertiseAddress.IsLoopback() {
		// Kubernetes refuses loopback addresses as endpoints, and nobody else could use one.
		o.EndpointReconcilerType = string(reconcilers.NoneEndpointReconcilerType)
	}
}

// authenticate says whom the server believes, and who it is itself.
func authenticate(o *kubeoptions.ServerRunOptions, keys pki.Files, anonymous string) {
	o.SecureServing.ServerCert.CertKey = options.CertKey{CertFile: keys.ServingCert, KeyFile: keys.ServingKey}
	o.Authentication.ClientCert.ClientCA = keys.ClientCA
	o.Authentication.AuthenticationConfigFile = anonymous
	o.Authentication.RequestHeader = &options.RequestHeaderAuthenticationOptions{
		ClientCAFile:        keys.FrontProxyCA,
		AllowedNames:        []string{pki.FrontProxyUser},
		UsernameHeaders:     []string{"X-Remote-User"},
		UIDHeaders:          []string{"X-Remote-Uid"},
		GroupHeaders:        []string{"X-Remote-Group"},
		ExtraHeaderPrefixes: []string{"X-Remote-Extra-"},
	}
	o.ProxyClientCertFile, o.ProxyClientKeyFile = keys.FrontProxyCert, keys.FrontProxyKey
	o.KubeletConfig.TLSClientConfig.CertFile, o.KubeletConfig.TLSClientConfig.KeyFile = keys.KubeletClientCert, keys.KubeletClientKey
	o.Authentication.ServiceAccounts.Issuers = []string{issuer}
	o.Authentication.ServiceAccounts.KeyFiles = []string{keys.ServiceAccountKey}
	o.ServiceAccountSigningKeyFile = keys.ServiceAccountKey
}
