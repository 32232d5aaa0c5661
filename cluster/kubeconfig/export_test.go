package kubeconfig_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/entente-mesh/entente/cluster/kubeconfig"
)

// What is exported connects as the original did, without the files that the original named.
func TestAnExportedConfigurationIsCompleteInItself(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := map[string]struct{ have, want *rest.Config }{
		"certificates in files": {
			have: &rest.Config{Host: "https://127.0.0.1:6443", TLSClientConfig: rest.TLSClientConfig{CAFile: write("ca"), CertFile: write("cert"), KeyFile: write("key")}},
			want: &rest.Config{Host: "https://127.0.0.1:6443", TLSClientConfig: rest.TLSClientConfig{CAData: []byte("ca"), CertData: []byte("cert"), KeyData: []byte("key")}},
		},
		"a token that is renewed in its file": {
			have: &rest.Config{Host: "https://example.org", BearerTokenFile: write("token"), TLSClientConfig: rest.TLSClientConfig{CAData: []byte("ca"), ServerName: "inner"}},
			want: &rest.Config{Host: "https://example.org", BearerToken: "token", BearerTokenFile: filepath.Join(dir, "token"), TLSClientConfig: rest.TLSClientConfig{CAData: []byte("ca"), ServerName: "inner"}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := kubeconfig.Export(tt.have)
			if err != nil {
				t.Fatal(err)
			}
			got, err := clientcmd.RESTConfigFromKubeConfig(text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want.String(), got.String()); diff != "" {
				t.Errorf("read back (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want.TLSClientConfig, got.TLSClientConfig); diff != "" {
				t.Errorf("TLS (-want +got):\n%s", diff)
			}
			if tt.want.BearerToken != got.BearerToken {
				t.Errorf("token %q, want %q", got.BearerToken, tt.want.BearerToken)
			}
		})
	}
}
