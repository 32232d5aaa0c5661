package translate

import (
	"net/netip"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"

	"github.com/entente-mesh/entente/mesh"
)

// SecretAuthorities is what certificates of hosts outside are checked against when nothing else is named: the system's authorities.
const SecretAuthorities = "tls/authorities"

// upstreamTLS is a connection to a server that is told its name and checked by the given rules (nil takes any certificate), with the client
// certificate of the given secret (nil has none). No session is resumed with what was checked by other rules: Envoy keeps tickets per cluster.
func (p *packer) upstreamTLS(sni string, check *tlsv3.CommonTlsContext_CombinedValidationContext, own *tlsv3.SdsSecretConfig) *corev3.TransportSocket {
	common := &tlsv3.CommonTlsContext{TlsParams: &tlsv3.TlsParameters{TlsMinimumProtocolVersion: tlsv3.TlsParameters_TLSv1_2}}
	if own != nil {
		common.TlsCertificateSdsSecretConfigs = []*tlsv3.SdsSecretConfig{own}
	}
	if check != nil {
		common.ValidationContextType = check
	}
	return p.socket("envoy.transport_sockets.tls", &tlsv3.UpstreamTlsContext{Sni: sni, CommonTlsContext: common})
}

// partnerTLS is the connection to a partner's gateway.
//
// Against authorities of its own a partner need not have a certificate for its address: the original makes one for 127.0.0.1 alone, and whoever
// could get another one from that authority is the partner anyway. A name, when the route has one, must be right. Against the system's
// authorities, which vouch for the whole world, the name or the address is always held against the certificate.
func (p *packer) partnerTLS(r *mesh.Route, settings *mesh.Settings) *corev3.TransportSocket {
	var own *tlsv3.SdsSecretConfig
	if r.TLS.Certificate != "" {
		own = secretByADS(ClientSecret(r.Destination))
	}
	if r.TLS.CA == "" {
		host := r.TLS.Name
		if host == "" {
			host = r.Host
		}
		return p.upstreamTLS(r.TLS.Name, p.systemAuthorities(settings, host), own)
	}
	return p.upstreamTLS(r.TLS.Name, checked(AuthoritySecret(r.Destination), r.TLS.Name), own)
}

// systemAuthorities checks a server outside that must have a certificate for host. Without authorities to check it against, the piece is
// refused: an Envoy that is given none takes every certificate without a word.
func (p *packer) systemAuthorities(settings *mesh.Settings, host string) *tlsv3.CommonTlsContext_CombinedValidationContext {
	if settings.Authorities == "" {
		p.refuse("there is no authority to check the certificate of "+host+" against: the object names none, and this system has none",
			"install the system's certificate authorities, or, on a route, set spec.mTLSConfig.tlsCA")
	}
	return checked(SecretAuthorities, host)
}

// checked holds a server to the authorities of a secret and, unless host is empty, to that name or address.
func checked(authorities, host string) *tlsv3.CommonTlsContext_CombinedValidationContext {
	rules := &tlsv3.CertificateValidationContext{}
	if host != "" {
		rules.MatchTypedSubjectAltNames = []*tlsv3.SubjectAltNameMatcher{{
			SanType: sanType(host),
			Matcher: &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: host}},
		}}
	}
	return &tlsv3.CommonTlsContext_CombinedValidationContext{CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
		DefaultValidationContext:         rules,
		ValidationContextSdsSecretConfig: secretByADS(authorities),
	}}
}

func sanType(host string) tlsv3.SubjectAltNameMatcher_SanType {
	if _, err := netip.ParseAddr(host); err == nil {
		return tlsv3.SubjectAltNameMatcher_IP_ADDRESS
	}
	return tlsv3.SubjectAltNameMatcher_DNS
}

// serverName is what a client tells a server: a name, and never an address (RFC 6066, section 3).
func serverName(host string) string {
	if sanType(host) == tlsv3.SubjectAltNameMatcher_IP_ADDRESS {
		return ""
	}
	return host
}

func secretByADS(name string) *tlsv3.SdsSecretConfig {
	return &tlsv3.SdsSecretConfig{Name: name, SdsConfig: ads()}
}
