package translate_test

import (
	"net/netip"
	"strings"
	"testing"

	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	"google.golang.org/protobuf/proto"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/translate"
)

// tables are the three route tables, and what is wrong with the objects.
func tables(t testing.TB, m *mesh.Mesh) (map[string]cache.Resource, []translate.Fault) {
	t.Helper()
	delta, problems := translate.Delta(nil, m)
	found := map[string]cache.Resource{}
	for _, r := range delta.Set {
		if r.Type == cache.Route {
			found[r.Name] = r
		}
	}
	return found, problems
}

func TestOneBadRouteDoesNotTakeTheOthersWithIt(t *testing.T) {
	t.Parallel()
	restricted := mesh.Service{Name: "good", Restricted: true, Callers: []string{"alice"}}
	for _, c := range []struct {
		name   string
		draft  *draft
		object string
		reason string
	}{
		{
			"a path that is no regular expression", newDraft("bob").builtin(mesh.Builtin{Name: "apiserver", External: true, Paths: []string{"("}}),
			"apiserver", "missing closing )",
		},
		{
			"a path that Envoy would not compile", newDraft("bob").builtin(mesh.Builtin{Name: "apiserver", External: true, Paths: []string{strings.Repeat("x", 1000)}}),
			"apiserver", "has 1000 bytes",
		},
		{
			"a partner whose host is none", newDraft("bob").calls(mesh.Route{Destination: "evil", Host: "a\nb", Hops: []mesh.Hop{{Name: "http", Port: 80}}}, netip.AddrPort{}, 'A'),
			"bob-evil", "HostRewriteLiteral",
		},
		{
			"a partner that no address is listed of", newDraft("bob").called(mesh.Route{Source: "old", Auth: mesh.AuthNone}, 0),
			"old-bob", "no addresses of old are listed",
		},
		{
			"a partner that should show a certificate and has none", newDraft("bob").called(mesh.Route{Source: "old", Auth: mesh.AuthMTLS}, 0),
			"old-bob", "asks for none",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			found, problems := tables(t, c.draft.service(restricted).calls(mesh.Route{Destination: "fine", Host: "fine.example.org", Hops: []mesh.Hop{{Name: "http", Port: 80}}}, netip.AddrPort{}, 'B').done())
			told := false
			for _, p := range problems {
				told = told || p.Object.Name == c.object && strings.Contains(p.Reason, c.reason) && p.Remedy != ""
			}
			if !told {
				t.Errorf("no problem of %s says %q: %v", c.object, c.reason, problems)
			}
			for _, name := range []string{translate.RoutesExternal, translate.RoutesInternal, translate.RoutesEgress} {
				text, err := proto.Marshal(found[name].Body)
				if err != nil {
					t.Fatal(err)
				}
				if !strings.Contains(string(text), "good.bob.svc") || name != translate.RoutesExternal && !strings.Contains(string(text), "*.fine.svc") {
					t.Errorf("%s lost the good routes", name)
				}
			}
		})
	}
}

// Envoy refuses a whole table in which a host stands twice. A service outside may be called like a short name that another object has.
func TestNoHostStandsTwice(t *testing.T) {
	t.Parallel()
	d := newDraft("bob")
	d.Settings.Master = true
	d.service(mesh.Service{Name: "a", Restricted: true}).calls(mesh.Route{Destination: "master", Host: "h", Hops: []mesh.Hop{{Name: "http", Port: 80}}}, netip.AddrPort{}, 'A')
	found, problems := tables(t, d.done())
	for _, name := range []string{translate.RoutesInternal, translate.RoutesEgress} {
		seen := map[string]bool{}
		for _, h := range found[name].Body.(*routev3.RouteConfiguration).GetVirtualHosts() {
			for _, domain := range h.GetDomains() {
				if seen[domain] {
					t.Errorf("%s: %s stands twice", name, domain)
				}
				seen[domain] = true
			}
		}
		if !seen["*.bob.svc"] || !seen["*"] {
			t.Errorf("%s: the domain's own hosts are gone: %v", name, seen)
		}
	}
	if len(problems) == 0 {
		t.Error("nobody is told")
	}
}

func TestTablesSayWhatTheyAreMadeFrom(t *testing.T) {
	t.Parallel()
	found, _ := tables(t, newDraft("bob").
		service(mesh.Service{Name: "open"}).service(mesh.Service{Name: "some", Restricted: true}).
		called(mesh.Route{Source: "alice"}, 'A').
		calls(mesh.Route{Destination: "carol", Host: "h", Hops: []mesh.Hop{{Name: "http", Port: 80}}}, netip.AddrPort{}, 'C').done())
	some, carol := ref("Service", "some"), ref("DomainRoute", "bob-carol")
	for name, want := range map[string][]live.Ref{
		translate.RoutesExternal: {some}, translate.RoutesInternal: {carol, some}, translate.RoutesEgress: {carol, some},
	} {
		got := found[name].From
		if len(got) != len(want) || got[0] != want[0] || got[len(got)-1] != want[len(want)-1] {
			t.Errorf("%s is from %v, want %v", name, got, want)
		}
	}
}

// BFIA partners name no host, so the exact map of hosts does not keep them from a service. Envoy refuses the whole table for a rule that nobody meets.
func TestTheQueueThatNoPartnerMayCallHasNoRouteForPartners(t *testing.T) {
	t.Parallel()
	for _, callers := range [][]string{nil, {"alice"}} {
		found, problems := tables(t, newDraft("bob").service(mesh.Service{Name: "transport", Restricted: true, Callers: callers}).called(mesh.Route{Source: "alice"}, 'A').done())
		text, err := proto.Marshal(found[translate.RoutesExternal].Body)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(text), "/v1/interconn/chan/"); got != (len(callers) > 0) || len(problems) > 0 {
			t.Errorf("callers %v: a route for its paths: %t; problems %v", callers, got, problems)
		}
	}
}
