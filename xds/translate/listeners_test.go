package translate_test

import (
	"net/netip"
	"slices"
	"testing"

	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	hcmv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/cache"
	"github.com/entente-mesh/entente/xds/translate"
)

func TestWhichListenersThereAre(t *testing.T) {
	t.Parallel()
	one := netip.MustParseAddrPort("10.0.0.1:80")
	all := translate.Gateway{
		Name: "gw", External: netip.MustParseAddrPort("0.0.0.0:1080"), Internal: []netip.AddrPort{one}, Control: "/run/control.sock", Proof: "/run/proof.sock",
	}
	change := func(f func(*translate.Gateway)) translate.Gateway { g := all; f(&g); return g }
	for _, c := range []struct {
		name    string
		gateway translate.Gateway
		want    []string
	}{
		{"of a gateway that is proved", all, []string{"control", "external", "internal", "proof", "transit", "tunnel"}},
		{"of a gateway that is not", change(func(g *translate.Gateway) { g.Closed = true }), []string{"proof", "transit", "tunnel"}},
		{
			"of a gateway with two addresses", change(func(g *translate.Gateway) {
				g.Internal = []netip.AddrPort{one, netip.MustParseAddrPort("[fd00::1]:80")}
			}),
			[]string{"control", "external", "internal/1", "internal/2", "proof", "transit", "tunnel"},
		},
		{"of a gateway without control", change(func(g *translate.Gateway) { g.Control, g.Proof = "", "" }), []string{"external", "internal", "transit", "tunnel"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, r := range translate.Listeners(&mesh.Settings{Domain: "alice"}, c.gateway) {
				if r.Type != cache.Listener {
					t.Errorf("%s is of type %v", r.Name, r.Type)
				}
				got = append(got, r.Name)
			}
			slices.Sort(got)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("listeners (-want +got):\n%s", diff)
			}
		})
	}
}

// The proof would prove nothing if it went through other filters, routes or replies than partners do.
func TestProofIsExternalBehindAnotherAddress(t *testing.T) {
	t.Parallel()
	g := translate.Gateway{Name: "gw", External: netip.MustParseAddrPort("0.0.0.0:1080"), Proof: "/run/proof.sock", Logs: "/var/log"}
	found := map[string]*listenerv3.Listener{}
	for _, r := range translate.Listeners(&mesh.Settings{Domain: "alice"}, g) {
		found[r.Name] = r.Body.(*listenerv3.Listener)
	}
	external, proof := connectionManager(t, found["external"]), connectionManager(t, found["proof"])
	external.StatPrefix, proof.StatPrefix = "", ""
	if !proto.Equal(external, proof) {
		t.Error("the connection managers of external and proof differ in more than the name of their statistics")
	}
}

// Settings and Gateway alone decide: a listener that followed objects would cut streams.
func TestListenersAreTheSameEachTime(t *testing.T) {
	t.Parallel()
	g := translate.Gateway{Name: "gw", External: netip.MustParseAddrPort("0.0.0.0:1080"), Internal: []netip.AddrPort{netip.MustParseAddrPort("10.0.0.1:80")}, Logs: "/var/log"}
	settings := &mesh.Settings{Domain: "alice"}
	first := translate.Listeners(settings, g)
	for i, r := range translate.Listeners(settings, g) {
		want, err := proto.MarshalOptions{Deterministic: true}.Marshal(first[i].Body)
		if err != nil {
			t.Fatal(err)
		}
		got, err := proto.MarshalOptions{Deterministic: true}.Marshal(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s: other bytes the second time", r.Name)
		}
	}
}

func connectionManager(t *testing.T, l *listenerv3.Listener) *hcmv3.HttpConnectionManager {
	t.Helper()
	filters := l.GetFilterChains()[0].GetFilters()
	h := new(hcmv3.HttpConnectionManager)
	if err := filters[len(filters)-1].GetTypedConfig().UnmarshalTo(h); err != nil {
		t.Fatal(err)
	}
	return h
}
