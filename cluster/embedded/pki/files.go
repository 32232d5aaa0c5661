package pki

import "path/filepath"

// Files are the absolute or relative paths, as dir was, that the control plane's flags name. A certificate and its key lie in
// one PEM file, so that one rename replaces both and no reader ever sees a pair that does not match; flags that ask for a
// certificate and a key get the same path twice, which Go's TLS loaders and Kubernetes' reloading ones accept.
type Files struct {
	// ServerCA is what clients trust when they connect to the API server (certificate-authority, --root-ca-file).
	ServerCA string
	// ClientCA is whose client certificates the API server accepts (--client-ca-file); ClientCAKey signs them.
	ClientCA, ClientCAKey string
	// FrontProxyCA is whose holders may speak for any user (--requestheader-client-ca-file).
	FrontProxyCA string
	// ServingCert and ServingKey are the API server's own (--tls-cert-file, --tls-private-key-file).
	ServingCert, ServingKey string
	// KubeletClientCert and KubeletClientKey are how the API server calls nodes (--kubelet-client-certificate, -key).
	KubeletClientCert, KubeletClientKey string
	// FrontProxyCert and FrontProxyKey are how the API server calls extension servers (--proxy-client-cert-file, -key-file).
	FrontProxyCert, FrontProxyKey string
	// AdminCert and AdminKey belong to the local administrator.
	AdminCert, AdminKey string
	// ControllerManagerCert and ControllerManagerKey belong to the user system:kube-controller-manager.
	ControllerManagerCert, ControllerManagerKey string
	// SchedulerCert and SchedulerKey belong to the user system:kube-scheduler.
	SchedulerCert, SchedulerKey string
	// ServiceAccountKey signs and checks service-account tokens (--service-account-signing-key-file, --service-account-key-file,
	// --service-account-private-key-file): all three take this file, which holds the private and the public half.
	ServiceAccountKey string
}

// FrontProxyUser is the common name of the front proxy's certificate (--requestheader-allowed-names).
const FrontProxyUser = "front-proxy-client"

func layout(dir string) Files {
	serverCACert, _ := authorityFiles(dir, serverCA)
	clientCACert, clientCAKey := authorityFiles(dir, clientCA)
	proxyCACert, _ := authorityFiles(dir, frontProxyCA)
	serving, kubelet, proxy := leafFile(dir, leafServing), leafFile(dir, leafKubeletClient), leafFile(dir, leafFrontProxy)
	admin, manager, scheduler := leafFile(dir, leafAdmin), leafFile(dir, leafControllerManager), leafFile(dir, leafScheduler)
	return Files{
		ServerCA: serverCACert,
		ClientCA: clientCACert, ClientCAKey: clientCAKey,
		FrontProxyCA: proxyCACert,
		ServingCert:  serving, ServingKey: serving,
		KubeletClientCert: kubelet, KubeletClientKey: kubelet,
		FrontProxyCert: proxy, FrontProxyKey: proxy,
		AdminCert: admin, AdminKey: admin,
		ControllerManagerCert: manager, ControllerManagerKey: manager,
		SchedulerCert: scheduler, SchedulerKey: scheduler,
		ServiceAccountKey: filepath.Join(dir, "service-account.key"),
	}
}

func authorityFiles(dir, name string) (cert, key string) {
	return filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
}

func leafFile(dir, name string) string { return filepath.Join(dir, name+".pem") }
