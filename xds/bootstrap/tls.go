package bootstrap

import (
	"errors"
	"fmt"
	"path"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

// TLS is how an Envoy of a fleet and its control plane prove themselves to each other. All its fields are required.
//
// Envoy reads certificates anew only when it knows them as secrets. So Files must be written beside the bootstrap, and whoever renews a
// certificate moves the new files over the old ones: Envoy sees the move.
type TLS struct {
	// Folder is where Files are, an absolute path.
	Folder string
	// Certificate, Key and CA are PEM files, absolute paths: this Envoy's own two, and whose certificates prove the control plane.
	Certificate, Key, CA string
	// ServerName is the DNS name that the control plane's certificate must have.
	ServerName string
}

// Names of the secrets, and without the extension of their files.
const (
	clientSecret = "xds-client"
	serverSecret = "xds-server"
)

func (t *TLS) check() error {
	for _, p := range []struct{ what, path string }{
		{"folder", t.Folder}, {"certificate", t.Certificate}, {"key", t.Key}, {"CA", t.CA},
	} {
		if !path.IsAbs(p.path) {
			return fmt.Errorf("TLS of the control plane: %s %q: give an absolute path", p.what, p.path)
		}
	}
	if t.ServerName == "" {
		return errors.New("TLS of the control plane: no server name: give a DNS name that its certificate has")
	}
	return nil
}

// Files are what the bootstrap refers to in Folder, by name. They hold paths and no secrets.
func (t *TLS) Files() (map[string][]byte, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	file := func(name string) *corev3.DataSource {
		return &corev3.DataSource{Specifier: &corev3.DataSource_Filename{Filename: name}}
	}
	secrets := []*tlsv3.Secret{
		{Name: clientSecret, Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
			CertificateChain: file(t.Certificate), PrivateKey: file(t.Key),
			WatchedDirectory: &corev3.WatchedDirectory{Path: path.Dir(t.Certificate)},
		}}},
		{Name: serverSecret, Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
			TrustedCa:        file(t.CA),
			WatchedDirectory: &corev3.WatchedDirectory{Path: path.Dir(t.CA)},
			MatchTypedSubjectAltNames: []*tlsv3.SubjectAltNameMatcher{{
				SanType: tlsv3.SubjectAltNameMatcher_DNS,
				Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: t.ServerName}},
			}},
		}}},
	}
	files := make(map[string][]byte, len(secrets))
	for _, s := range secrets {
		body, err := anypb.New(s)
		if err != nil {
			return nil, err
		}
		if files[s.Name+".json"], err = marshal(&discoveryv3.DiscoveryResponse{Resources: []*anypb.Any{body}}); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// socket is the transport that both sides prove themselves on.
func (t *TLS) socket() (*corev3.TransportSocket, error) {
	secret := func(name string) *tlsv3.SdsSecretConfig {
		return &tlsv3.SdsSecretConfig{Name: name, SdsConfig: &corev3.ConfigSource{
			ConfigSourceSpecifier: &corev3.ConfigSource_PathConfigSource{PathConfigSource: &corev3.PathConfigSource{Path: path.Join(t.Folder, name+".json")}},
			InitialFetchTimeout:   durationpb.New(15 * time.Second),
			ResourceApiVersion:    corev3.ApiVersion_V3,
		}}
	}
	body, err := anypb.New(&tlsv3.UpstreamTlsContext{
		Sni: t.ServerName,
		CommonTlsContext: &tlsv3.CommonTlsContext{
			TlsParams: &tlsv3.TlsParameters{
				TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_3,
				TlsMaximumProtocolVersion: tlsv3.TlsParameters_TLSv1_3, // by itself a client stops at 1.2
			},
			TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{secret(clientSecret)},
			ValidationContextType:          &tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig{ValidationContextSdsSecretConfig: secret(serverSecret)},
			AlpnProtocols:                  []string{"h2"},
		},
	})
	if err != nil {
		return nil, err
	}
	return &corev3.TransportSocket{Name: "envoy.transport_sockets.tls", ConfigType: &corev3.TransportSocket_TypedConfig{TypedConfig: body}}, nil
}
