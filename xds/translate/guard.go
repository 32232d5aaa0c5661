package translate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"

	rbacconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	"google.golang.org/genproto/googleapis/api/expr/v1alpha1"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/entente-mesh/entente/mesh"
)

// A guard is the proof of a source that uses no token.
type guard struct {
	route       *mesh.Route
	certificate *expr.Expr // nil for AuthNone
}

// guards are those of all sources without a token that can be let in, in the order of their names. The original lets in whoever claims to be such a
// source; here the route must say by what it is known.
func (e *external) guards() []*guard {
	var all []*guard
	for _, r := range e.mesh.Inbound.All() {
		if r.Auth == mesh.AuthToken || r.Via != "" || r.Encryption != "" {
			continue
		}
		e.from = append(e.from, r.Ref)
		if g := (&guard{route: r}); e.sound(g) {
			all = append(all, g)
		}
	}
	return all
}

// sound completes a guard, or reports what keeps it from proving anything.
func (e *external) sound(g *guard) bool {
	r := g.route
	if r.Auth == mesh.AuthNone {
		if len(r.From) > 0 {
			return true
		}
		e.report(r.Ref, "spec.sourceWhiteIPList", "authenticationType None proves nothing and no addresses of "+r.Source+" are listed, so none of its requests is let in",
			"list the addresses of "+r.Source+"'s gateways here, or use authenticationType Token")
		return false
	}
	if tls := e.settings.ExternalTLS; tls == nil || tls.ClientCA == "" {
		e.report(r.Ref, "spec.authenticationType", "MTLS needs client certificates and the external listener asks for none, so no request of "+r.Source+" is let in",
			"set the gateway's TLS with an authority for client certificates, or use authenticationType Token")
		return false
	}
	block, _ := pem.Decode([]byte(r.Client))
	if block == nil || block.Type != "CERTIFICATE" {
		e.report(r.Ref, "spec.mTLSConfig.sourceClientCert", "there is no certificate in PEM by which "+r.Source+" is known, so none of its requests is let in",
			"set it to base64 of the certificate that "+r.Source+"'s gateway shows")
		return false
	}
	digest := sha256.Sum256(block.Bytes)
	g.certificate = showsCertificate(hex.EncodeToString(digest[:]))
	return true
}

// admit says, on one route, who is let in: of everybody or else those who meet one of the principals, the guard's source alone, by its proof and
// not by a token, if there is a guard.
func (p *packer) admit(g *guard, some []*rbacconfigv3.Principal, everybody bool) map[string]*anypb.Any {
	if g == nil {
		if everybody {
			return nil
		}
		return map[string]*anypb.Any{filterCallers: p.only(nil, some...)}
	}
	who := anybody()
	if len(g.route.From) > 0 {
		who = anyOf(fromNetworks(g.route.From))
	}
	if !everybody {
		who = allOf(who, anyOf(some))
	}
	return map[string]*anypb.Any{filterAuth: p.off(), filterCallers: p.only(g.certificate, who)}
}
