package kubeconfig

import (
	"fmt"
	"os"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Export writes a client configuration as a kubeconfig file that is complete in itself: what it names in other files is put into it,
// as it is at this moment. The result holds credentials.
func Export(c *rest.Config) ([]byte, error) {
	const name = "entente"
	cluster := &clientcmdapi.Cluster{Server: c.Host, TLSServerName: c.ServerName, InsecureSkipTLSVerify: c.Insecure, CertificateAuthorityData: c.CAData}
	user := &clientcmdapi.AuthInfo{
		ClientCertificateData: c.CertData, ClientKeyData: c.KeyData,
		Token: c.BearerToken, Username: c.Username, Password: c.Password, Exec: c.ExecProvider,
	}
	if user.Token == "" {
		user.TokenFile = c.BearerTokenFile // it is renewed there
	}
	for _, part := range []struct {
		data *[]byte
		file string
	}{
		{&cluster.CertificateAuthorityData, c.CAFile}, {&user.ClientCertificateData, c.CertFile}, {&user.ClientKeyData, c.KeyFile},
	} {
		if len(*part.data) > 0 || part.file == "" {
			continue
		}
		var err error
		if *part.data, err = os.ReadFile(part.file); err != nil {
			return nil, fmt.Errorf("write a kubeconfig of %s: %w", c.Host, err)
		}
	}
	file := clientcmdapi.NewConfig()
	file.Clusters[name], file.AuthInfos[name] = cluster, user
	file.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	file.CurrentContext = name
	text, err := clientcmd.Write(*file)
	if err != nil {
		return nil, fmt.Errorf("write a kubeconfig of %s: %w", c.Host, err)
	}
	return text, nil
}
