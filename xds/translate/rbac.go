package translate

import (
	"net/netip"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	rbacconfigv3 "github.com/envoyproxy/go-control-plane/envoy/config/rbac/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	rbacv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/rbac/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	matcherv3 "github.com/envoyproxy/go-control-plane/envoy/type/matcher/v3"
	"google.golang.org/genproto/googleapis/api/expr/v1alpha1"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/entente-mesh/entente/api/names"
)

// typeRBAC is the type of a list of who may.
const typeRBAC = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"

// discoveredRBAC is a list of who may, by ECDS: it changes without a change of the listener.
func discoveredRBAC(name string) *hcmv3.HttpFilter {
	return &hcmv3.HttpFilter{Name: name, ConfigType: &hcmv3.HttpFilter_ConfigDiscovery{ConfigDiscovery: &corev3.ExtensionConfigSource{
		ConfigSource: ads(), TypeUrls: []string{typeRBAC},
	}}}
}

// callers is where routes say who may call them; it sleeps on the others.
func (p *packer) callers() *hcmv3.HttpFilter { return p.dormant(filterCallers, &rbacv3.RBAC{}) }

// noConnect refuses CONNECT.
func (p *packer) noConnect() *hcmv3.HttpFilter {
	return p.filter("no-connect", &rbacv3.RBAC{Rules: &rbacconfigv3.RBAC{
		Action: rbacconfigv3.RBAC_DENY,
		Policies: map[string]*rbacconfigv3.Policy{"connect": {
			Permissions: []*rbacconfigv3.Permission{{Rule: &rbacconfigv3.Permission_Header{Header: headerIs(":method", upgradeConnect)}}},
			Principals:  []*rbacconfigv3.Principal{anybody()},
		}},
	}})
}

// only lets through, on one route, what meets one of the principals and the condition, if there is one.
func (p *packer) only(condition *expr.Expr, principals ...*rbacconfigv3.Principal) *anypb.Any {
	return p.pack(&rbacv3.RBACPerRoute{Rbac: &rbacv3.RBAC{Rules: &rbacconfigv3.RBAC{
		Action: rbacconfigv3.RBAC_ALLOW,
		Policies: map[string]*rbacconfigv3.Policy{filterCallers: {
			Permissions: []*rbacconfigv3.Permission{{Rule: &rbacconfigv3.Permission_Any{Any: true}}},
			Principals:  principals,
			Condition:   condition,
		}},
	}}})
}

// fromOrigins are requests that began at one of the domains.
func fromOrigins(domains []string) []*rbacconfigv3.Principal {
	return claims(names.HeaderOriginSource, domains)
}

// fromSources are requests that one of the domains sent.
func fromSources(domains []string) []*rbacconfigv3.Principal {
	return claims(names.HeaderSource, domains)
}

func claims(header string, values []string) []*rbacconfigv3.Principal {
	principals := make([]*rbacconfigv3.Principal, 0, len(values))
	for _, value := range values {
		principals = append(principals, &rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_Header{Header: headerIs(header, value)}})
	}
	return principals
}

// fromNetworks are requests over connections from one of the networks.
func fromNetworks(networks []netip.Prefix) []*rbacconfigv3.Principal {
	principals := make([]*rbacconfigv3.Principal, 0, len(networks))
	for _, n := range networks {
		principals = append(principals, &rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_DirectRemoteIp{
			DirectRemoteIp: &corev3.CidrRange{AddressPrefix: n.Addr().String(), PrefixLen: u32(uint32(n.Bits()))},
		}})
	}
	return principals
}

// anyOf is met by what meets one of them.
func anyOf(principals []*rbacconfigv3.Principal) *rbacconfigv3.Principal {
	return &rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_OrIds{OrIds: &rbacconfigv3.Principal_Set{Ids: principals}}}
}

// allOf is met by what meets all of them.
func allOf(principals ...*rbacconfigv3.Principal) *rbacconfigv3.Principal {
	return &rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_AndIds{AndIds: &rbacconfigv3.Principal_Set{Ids: principals}}}
}

// anybody is met by everything.
func anybody() *rbacconfigv3.Principal {
	return &rbacconfigv3.Principal{Identifier: &rbacconfigv3.Principal_Any{Any: true}}
}

// showsCertificate is the CEL expression connection.sha256_peer_certificate_digest == "…", in the parsed form that Envoy wants: the client proved
// in the TLS handshake to hold the key of exactly this certificate. The digest is in lower-case hex.
func showsCertificate(digest string) *expr.Expr {
	return &expr.Expr{ExprKind: &expr.Expr_CallExpr{CallExpr: &expr.Expr_Call{Function: "_==_", Args: []*expr.Expr{
		{ExprKind: &expr.Expr_SelectExpr{SelectExpr: &expr.Expr_Select{
			Operand: &expr.Expr{ExprKind: &expr.Expr_IdentExpr{IdentExpr: &expr.Expr_Ident{Name: "connection"}}},
			Field:   "sha256_peer_certificate_digest",
		}}},
		{ExprKind: &expr.Expr_ConstExpr{ConstExpr: &expr.Constant{ConstantKind: &expr.Constant_StringValue{StringValue: digest}}}},
	}}}}
}

// headerIs matches a header that is there once with this value.
func headerIs(name, value string) *routev3.HeaderMatcher {
	return headerMatches(name, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Exact{Exact: value}})
}

// headerHas matches a header that begins so.
func headerHas(name, prefix string) *routev3.HeaderMatcher {
	return headerMatches(name, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Prefix{Prefix: prefix}})
}

// headerEnds matches a header that ends so.
func headerEnds(name, suffix string) *routev3.HeaderMatcher {
	return headerMatches(name, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_Suffix{Suffix: suffix}})
}

// headerFits matches a header that the whole regular expression (RE2) fits.
func headerFits(name, pattern string) *routev3.HeaderMatcher {
	return headerMatches(name, &matcherv3.StringMatcher{MatchPattern: &matcherv3.StringMatcher_SafeRegex{SafeRegex: regex(pattern)}})
}

// headerThere matches a request that has the header.
func headerThere(name string) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{Name: name, HeaderMatchSpecifier: &routev3.HeaderMatcher_PresentMatch{PresentMatch: true}}
}

// not matches what m does not, which for a header's value includes that the header is not there.
func not(m *routev3.HeaderMatcher) *routev3.HeaderMatcher {
	m.InvertMatch = true
	return m
}

func headerMatches(name string, m *matcherv3.StringMatcher) *routev3.HeaderMatcher {
	return &routev3.HeaderMatcher{Name: name, HeaderMatchSpecifier: &routev3.HeaderMatcher_StringMatch{StringMatch: m}}
}

func regex(pattern string) *matcherv3.RegexMatcher { return &matcherv3.RegexMatcher{Regex: pattern} }
