package translate

import (
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
)

// token makes the secret that an outbound route's requests prove themselves with. Without a token it is empty and never absent: Envoy goes on
// using a secret that was taken away, and waits for one that it was never given.
func token(r *mesh.Route, t *mesh.Tokens) *piece {
	p := &piece{from: r.Ref}
	if !direct(r) || !proven(r) {
		return p
	}
	current := ""
	if t != nil && !t.Current.Empty() {
		current = t.Current.Reveal()
		p.from = t.Credential
	}
	p.addSecret(&tlsv3.Secret{
		Name: TokenSecret(r.Destination),
		Type: &tlsv3.Secret_GenericSecret{GenericSecret: &tlsv3.GenericSecret{Secret: inline(current)}},
	})
	return p
}

// addTLS adds what a route's TLS proves itself with and checks its destination against.
func (p *piece) addTLS(r *mesh.Route) {
	if r.TLS == nil {
		return
	}
	if r.TLS.Certificate != "" {
		p.addSecret(certificate(ClientSecret(r.Destination), r.TLS.Certificate, r.TLS.Key))
	}
	if r.TLS.CA != "" {
		p.addSecret(authority(AuthoritySecret(r.Destination), r.TLS.CA))
	}
}

// settingsSecrets makes the secrets that belong to no object.
func settingsSecrets(settings *mesh.Settings) *piece {
	p := &piece{}
	if t := settings.ExternalTLS; t != nil {
		p.addSecret(certificate(SecretServer, t.Certificate, t.Key))
		if t.ClientCA != "" {
			p.addSecret(authority(SecretClientCA, t.ClientCA))
		}
	}
	if settings.Authorities != "" {
		p.addSecret(authority(SecretAuthorities, settings.Authorities))
	}
	return p
}

// addSecret adds a secret. Its version must not betray its content, except for certificate authorities, which are public.
func (p *piece) addSecret(s *tlsv3.Secret) {
	r := p.add(cache.Secret, s.GetName(), s)
	r.Secret = s.GetValidationContext() == nil
}

func certificate(name, chain string, key mesh.Secret) *tlsv3.Secret {
	return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: &tlsv3.TlsCertificate{
		CertificateChain: inline(chain), PrivateKey: inline(key.Reveal()),
	}}}
}

func authority(name, pem string) *tlsv3.Secret {
	return &tlsv3.Secret{Name: name, Type: &tlsv3.Secret_ValidationContext{ValidationContext: &tlsv3.CertificateValidationContext{
		TrustedCa: inline(pem),
	}}}
}

func inline(text string) *corev3.DataSource {
	return &corev3.DataSource{Specifier: &corev3.DataSource_InlineString{InlineString: text}}
}
