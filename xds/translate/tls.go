package translate

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/entente-mesh/entente/mesh"
)

// downstreamTLS is how the external listener proves itself, or nil without TLS. Certificates come by SDS: new ones hold for new connections and
// close none. With ClientCA nobody gets in who shows no certificate of it.
func (p *packer) downstreamTLS(s *mesh.Settings) *corev3.TransportSocket {
	if s.ExternalTLS == nil {
		return nil
	}
	common := &tlsv3.CommonTlsContext{
		TlsParams:                      &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2},
		TlsCertificateSdsSecretConfigs: []*tlsv3.SdsSecretConfig{secretByADS(SecretServer)},
		AlpnProtocols:                  []string{"h2", "http/1.1"},
	}
	context := &tlsv3.DownstreamTlsContext{CommonTlsContext: common}
	if s.ExternalTLS.ClientCA != "" {
		context.RequireClientCertificate = wrapperspb.Bool(true)
		common.ValidationContextType = &tlsv3.CommonTlsContext_ValidationContextSdsSecretConfig{
			ValidationContextSdsSecretConfig: secretByADS(SecretClientCA),
		}
	}
	return p.socket("envoy.transport_sockets.tls", context)
}
