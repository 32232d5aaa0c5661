package translate_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/mesh"
)

// bob is called by partners of each kind.
func bob(t testing.TB) *draft {
	d := newDraft("bob")
	return d.
		service(mesh.Service{Name: "echo"}, echo(t, "echo")).
		service(mesh.Service{Name: "secret", Restricted: true, Callers: []string{"alice", "carol"}}, echo(t, "secret")).
		service(mesh.Service{Name: "own", Restricted: true}, echo(t, "own")).
		service(mesh.Service{Name: "transport", Affinity: mesh.Affinity{Header: names.HeaderPTPSession}}, echo(t, "transport")).
		builtin(mesh.Builtin{Name: "kuscia-handshake", Address: echo(t, "handshake"), External: true, Open: true, Paths: []string{"/handshake", "/register"}}).
		builtin(mesh.Builtin{Name: "apiserver", Address: echo(t, "apiserver"), External: true, Control: true, Paths: []string{"/api/v1/namespaces/[^/]+/.*", "/healthz"}}).
		builtin(mesh.Builtin{Name: "kusciaapi", Address: echo(t, "kusciaapi"), External: true, Callers: []string{"alice"}}).
		builtin(mesh.Builtin{Name: "datamesh", Address: echo(t, "datamesh")}).
		called(mesh.Route{Source: "alice"}, 'A').
		called(mesh.Route{Source: "mallory"}, 'M').
		called(mesh.Route{Source: "far", Via: "alice"}, 0).
		called(mesh.Route{Source: "placed", From: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/31")}}, '/').
		called(mesh.Route{Source: "crypt", Encryption: mesh.AES}, '+').
		called(mesh.Route{Source: "old", Auth: mesh.AuthNone, From: []netip.Prefix{netip.MustParsePrefix("127.0.0.4/32")}}, 0).
		called(mesh.Route{Source: "anywhere", Auth: mesh.AuthNone}, 0).
		called(mesh.Route{Source: "bank", Auth: mesh.AuthNone, Protocol: mesh.BFIA, From: []netip.Prefix{netip.MustParsePrefix("127.0.0.5/32")}}, 0)
}

func TestExternal(t *testing.T) {
	t.Parallel()
	g := newGate(t, bob(t).done())
	for _, part := range []struct {
		name string
		test func(*testing.T, *gate)
	}{
		{"lets in who proves itself", letsInWhoProvesItself},
		{"lets them in to what they may call", letsThemInToWhatTheyMayCall},
		{"lets in handshakes without a token", letsInHandshakesWithoutToken},
		{"lets in sources without a token by their address", letsInSourcesWithoutTokenByTheirAddress},
		{"no other spelling of a host reaches a service", noOtherSpellingOfAHostReachesAService},
		{"a service sees who calls and no token", aServiceSeesWhoCallsAndNoToken},
		{"what a handshake claims arrives without token", whatAHandshakeClaimsArrivesWithoutToken},
		{"BFIA partners are named by their proof", bfiaPartnersAreNamedByTheirProof},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, g.in(t)) })
	}
}

// An attempt is a call, and who answers it: a status, or a service.
type attempt struct {
	name string
	call call
	want any
}

// try makes each attempt, at one side of a gate.
func try(t *testing.T, at func(*gate, call) answer, g *gate, attempts []attempt) {
	t.Helper()
	for _, a := range attempts {
		t.Run(a.name, func(t *testing.T) {
			got := at(g.in(t), a.call)
			if service, ok := a.want.(string); ok {
				if got.Code != 200 || got.Seen.Service != service {
					t.Errorf("got %v, want %s", got, service)
				}
			} else if got.Code != a.want || got.Header.Get(names.HeaderErrorMessage) == "" {
				t.Errorf("got %v, want %d with an error message", got, a.want)
			}
		})
	}
}

func letsInWhoProvesItself(t *testing.T, g *gate) {
	alice := as("alice", "bob", "echo.bob.svc", 'A')
	try(t, (*gate).external, g, []attempt{
		{"without anything", call{}, 401},
		{"without a token", call{header: map[string]string{names.HeaderHost: "echo.bob.svc", names.HeaderSource: "alice"}}, 401},
		{"with the noop token", call{header: with(alice, names.HeaderToken, "noop")}, 401},
		{"with a token of nobody", call{header: with(alice, names.HeaderToken, "Aother")}, 401},
		{"with a token whose first character no token has", call{header: with(alice, names.HeaderToken, "%41")}, 401},
		{"with the token of a removed revision and the good one behind it", call{header: with(alice, names.HeaderToken, "Ax|"+token("alice", "bob", 'A'))}, 401},
		{"with its token", call{header: alice}, "echo"},
		{"with its token over HTTP/2", call{header: alice, http2: true}, "echo"},
		{"with its token and another's name", call{header: with(alice, names.HeaderSource, "mallory")}, "echo"},
		{"with its token and a name that needs none", call{header: with(alice, names.HeaderSource, "old")}, 403},
		{"from an origin that is not its own", call{header: with(alice, names.HeaderOriginSource, "mallory")}, 403},
		{"from an origin behind it", call{header: with(alice, names.HeaderOriginSource, "far")}, "echo"},
		{"from two origins", call{header: with(alice, names.HeaderOriginSource, "alice|far")}, 403},
		{"from a listed address", call{header: as("placed", "bob", "echo.bob.svc", '/'), from: "127.0.0.3"}, "echo"},
		{"from another address", call{header: as("placed", "bob", "echo.bob.svc", '/')}, 403},
		{"where bodies should be encrypted", call{header: as("crypt", "bob", "echo.bob.svc", '+')}, 403},
	})
}

func letsThemInToWhatTheyMayCall(t *testing.T, g *gate) {
	alice, mallory := as("alice", "bob", "echo.bob.svc", 'A'), as("mallory", "bob", "secret.bob.svc", 'M')
	to := func(host string) map[string]string { return with(alice, names.HeaderHost, host) }
	try(t, (*gate).external, g, []attempt{
		{"to a service that it may call", call{header: to("secret.bob.svc")}, "secret"},
		{"to a service that it may call, with the port", call{header: to("secret.bob.svc:80")}, "secret"},
		{"to a service that others may call", call{header: mallory}, 403},
		{"to a service that others may call, with the port", call{header: with(mallory, names.HeaderHost, "secret.bob.svc:80")}, 403},
		{"to a service of the domain alone", call{header: to("own.bob.svc")}, 404},
		{"to what pods alone are answered", call{header: to("datamesh.bob.svc")}, 404},
		{"to no service", call{header: to("none.bob.svc")}, 404},
		{"to another domain", call{header: to("echo.carol.svc")}, 404},
		{"to the cluster of the control plane", call{header: to("xds")}, 404},
		{"to a cluster by its name", call{header: to("svc/secret")}, 404},
		{"to a cluster that the original's header names", call{header: with(to("none.bob.svc"), names.HeaderHandshakeCluster, "svc/secret")}, 404},
		{"to the API on a path that is open", call{header: to("apiserver.bob.svc"), path: "/api/v1/namespaces/bob/pods"}, "apiserver"},
		{"to the API on another path", call{header: to("apiserver.bob.svc"), path: "/api/v1/secrets"}, 404},
		{"to the API over dots", call{header: to("apiserver.bob.svc"), path: "/api/v1/namespaces/bob/../../secrets"}, 404},
		{"to the API over escaped slashes", call{header: to("apiserver.bob.svc"), path: "/api/v1/namespaces/bob/..%2f..%2fsecrets"}, 404},
		{"to an API that it may call", call{header: to("kusciaapi.bob.svc")}, "kusciaapi"},
		{"to an API that others may call", call{header: with(mallory, names.HeaderHost, "kusciaapi.bob.svc")}, 403},
	})
}

func letsInHandshakesWithoutToken(t *testing.T, g *gate) {
	handshake := map[string]string{names.HeaderHost: "kuscia-handshake.bob.svc"}
	try(t, (*gate).external, g, []attempt{
		{"for a handshake without a token", call{header: handshake, path: "/handshake"}, "handshake"},
		{"for a registration", call{header: handshake, path: "/register", method: "POST", body: "x"}, "handshake"},
		{"for a handshake on another path", call{header: handshake, path: "/handshake/x"}, 401},
		{"for a handshake of more than 64 KiB", call{header: handshake, path: "/handshake", method: "POST", body: strings.Repeat("x", 65<<10)}, 413},
	})
}

func letsInSourcesWithoutTokenByTheirAddress(t *testing.T, g *gate) {
	old := map[string]string{names.HeaderSource: "old", names.HeaderHost: "echo.bob.svc"}
	bank := map[string]string{"x-ptp-source-node-id": "bank", "x-ptp-target-node-id": "bob"}
	invoke := "/v1/interconn/chan/invoke"
	try(t, (*gate).external, g, []attempt{
		{"by its address alone", call{header: old, from: "127.0.0.4"}, "echo"},
		{"by its name alone", call{header: old}, 403},
		{"by its address alone to a service of others", call{header: with(old, names.HeaderHost, "secret.bob.svc"), from: "127.0.0.4"}, 403},
		{"by its address alone to no service", call{header: with(old, names.HeaderHost, "none.bob.svc"), from: "127.0.0.4"}, 404},
		{"by its address from another's origin", call{header: with(old, names.HeaderOriginSource, "alice"), from: "127.0.0.4"}, 403},
		{"by nothing at all", call{header: with(old, names.HeaderSource, "anywhere"), from: "127.0.0.4"}, 401},
		{"as a BFIA partner by its address", call{header: bank, path: invoke, from: "127.0.0.5"}, "transport"},
		{"as a BFIA partner from elsewhere", call{header: bank, path: invoke}, 403},
		{"as a BFIA partner to a service", call{header: with(bank, names.HeaderHost, "echo.bob.svc"), from: "127.0.0.5"}, 401},
		{"as a BFIA partner with a token", call{header: map[string]string{names.HeaderToken: token("alice", "bob", 'A'), "x-ptp-target-node-id": "bob", "x-ptp-source-node-id": "mallory"}, path: invoke}, "transport"},
	})
}

// The services of this domain are named by one spelling each. Everything that looks like another one is not found, be the service open or not.
func noOtherSpellingOfAHostReachesAService(t *testing.T, g *gate) {
	for _, service := range []string{"echo", "secret"} {
		host := service + ".bob.svc"
		for _, spelling := range []string{
			strings.ToUpper(service) + ".bob.svc", service + ".Bob.svc", service + ".bob.SVC", host + ".", "." + host, host + ":080", host + ":81", host + ":0080",
			host + ":", host + ":80:80", host + "," + host, host + "|" + host, host + "|none.bob.svc", "none.bob.svc|" + host, "svc/secret|" + host, "xds|" + host, host + ";x", host + "/", "/" + host, host + "#", host + "?", "user@" + host,
			service + "%2ebob.svc", "%73" + host[1:], host + "\t:80", host + "%00", "http://" + host, service + ".bob.svc.bob.svc", "x." + host, service, service + ".master.svc",
		} {
			for _, source := range []struct {
				name  string
				first byte
			}{{"alice", 'A'}, {"mallory", 'M'}} {
				got := g.external(call{header: as(source.name, "bob", spelling, source.first)})
				if got.Code != 404 && got.Code != 400 {
					t.Errorf("%s asks for %q: %v", source.name, spelling, got)
				}
			}
		}
	}
}

func aServiceSeesWhoCallsAndNoToken(t *testing.T, g *gate) {
	forged := with(as("alice", "bob", "echo.bob.svc", 'A'),
		names.HeaderSource, "mallory|carol", names.HeaderTransitFlag, "true", names.HeaderErrorMessageInternal, "x", names.HeaderFullHost, "x",
		"kuscia_source", "carol", "Kuscia_Origin-Source", "carol", "x-envoy-retry-on", "5xx", "x-forwarded-client-cert", "x",
		"task_id", "kept", names.HeaderEncryptVersion, "kept",
	)
	delete(forged, names.HeaderOriginSource)
	got := g.external(call{header: forged}).Seen
	want := map[string][]string{
		names.HeaderHost: {"echo.bob.svc"}, names.HeaderSource: {"alice"}, names.HeaderOriginSource: {"alice"}, names.HeaderEncryptVersion: {"kept"}, "Task_id": {"kept"},
	}
	for _, ours := range []string{"User-Agent", "Accept-Encoding", "X-Forwarded-Proto", "X-Envoy-External-Address", "Content-Length"} {
		got.Header.Del(ours)
	}
	if diff := cmp.Diff(want, map[string][]string(got.Header)); diff != "" {
		t.Errorf("headers at the service (-want +got):\n%s", diff)
	}
	if got.Host != "echo.bob.svc" {
		t.Errorf("host at the service: %q", got.Host)
	}
}

func whatAHandshakeClaimsArrivesWithoutToken(t *testing.T, g *gate) {
	got := g.external(call{path: "/handshake", header: with(as("alice", "bob", "kuscia-handshake.bob.svc", 'A'), names.HeaderTokenRevision, "3")}).Seen
	for name, want := range map[string]string{
		names.HeaderSource: "alice", names.HeaderOriginSource: "alice", names.HeaderTokenRevision: "3", names.HeaderToken: "",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s at the handshake: %q, want %q", name, got.Header.Get(name), want)
		}
	}
}

func bfiaPartnersAreNamedByTheirProof(t *testing.T, g *gate) {
	bank := g.external(call{path: "/v1/interconn/chan/invoke", from: "127.0.0.5", header: map[string]string{
		"x-ptp-source-node-id": "bank", "x-ptp-target-node-id": "bob", names.HeaderOriginSource: "alice", names.HeaderToken: "x",
	}}).Seen
	alice := g.external(call{path: "/v1/interconn/chan/invoke", header: map[string]string{
		names.HeaderToken: token("alice", "bob", 'A'), "x-ptp-source-node-id": "mallory", "x-ptp-target-node-id": "bob",
	}}).Seen
	for _, c := range []struct {
		seen seen
		want string
	}{{bank, "bank"}, {alice, "alice"}} {
		for _, name := range []string{names.HeaderSource, names.HeaderOriginSource, "x-ptp-source-node-id"} {
			if got := c.seen.Header.Get(name); got != c.want {
				t.Errorf("%s at the queue: %q, want %q", name, got, c.want)
			}
		}
		if c.seen.Header.Get(names.HeaderToken) != "" || c.seen.Host != "transport.bob.svc" {
			t.Errorf("at the queue of %s: token %q, host %q", c.want, c.seen.Header.Get(names.HeaderToken), c.seen.Host)
		}
	}
}
