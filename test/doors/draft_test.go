package doors

import (
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/translate"
)

const (
	domain  = "bob"
	gateway = "bob-0"
	partner = "alice"
	service = "echo"
	secret  = "secret"
)

// token is what the partner proves itself with.
func token() string { return "T" + strings.Repeat("0", 43) }

// theMesh is bob's: an open service and one for somebody else, both at an address, and one partner.
func theMesh(at netip.AddrPort) *mesh.Mesh {
	m := &mesh.Mesh{Settings: &mesh.Settings{Domain: domain, Address: netip.MustParseAddr("127.0.0.1")}}
	ref := func(kind, name string) live.Ref {
		return live.Ref{Kind: kind, Namespace: domain, Name: name, Version: "1"}
	}
	for _, s := range []*mesh.Service{{Name: service}, {Name: secret, Restricted: true, Callers: []string{"carol"}}} {
		s.Ref = ref(mesh.KindService, s.Name)
		m.Services = m.Services.With(s.Name, s)
		m.Endpoints = m.Endpoints.With(s.Name, &mesh.Endpoints{Ref: s.Ref, Service: s.Name, Ready: []mesh.Endpoint{{Address: at}}})
	}
	route := names.DomainRoute(partner, domain)
	m.Inbound = m.Inbound.With(partner, &mesh.Route{
		Ref: ref(mesh.KindRoute, route), Name: route, Source: partner, Destination: domain, Auth: mesh.AuthToken, Protocol: mesh.Kuscia,
	})
	m.Accepted = m.Accepted.With(token(), mesh.Accepted{Source: partner})
	return m
}

// theGateway is bob's gateway with its sockets in a folder. The kernel chooses its ports.
func theGateway(dir string) translate.Gateway {
	anyPort := netip.MustParseAddrPort("127.0.0.1:0")
	return translate.Gateway{
		Name: gateway, Version: "test", External: anyPort, Internal: []netip.AddrPort{anyPort},
		Control: filepath.Join(dir, "control.sock"), Proof: filepath.Join(dir, "proof.sock"),
	}
}
