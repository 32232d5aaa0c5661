package serve_test

import (
	"slices"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"

	"github.com/entente-mesh/entente/internal/live"
)

func TestAStreamForTheStateOfTheWorldGetsAllOfItEachTime(t *testing.T) {
	t.Parallel()
	d := newDomains("alice")
	d.set(t, "alice", time.Second, "a", "b")
	s := start(t, d, nil)
	stream, err := discoveryv3.NewAggregatedDiscoveryServiceClient(s.connect(t).conn).StreamAggregatedResources(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ask := &discoveryv3.DiscoveryRequest{Node: envoy, TypeUrl: clusters}
	for _, want := range [][]string{{"a", "b"}, {"a", "b", "c"}} {
		if err := stream.Send(ask); err != nil {
			t.Fatal(err)
		}
		r, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, one := range r.GetResources() {
			var c clusterv3.Cluster
			if err := one.UnmarshalTo(&c); err != nil {
				t.Fatal(err)
			}
			got = append(got, c.GetName())
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("response (-want +got):\n%s", diff)
		}
		ask = &discoveryv3.DiscoveryRequest{TypeUrl: clusters, VersionInfo: r.GetVersionInfo(), ResponseNonce: r.GetNonce()}
		d.set(t, "alice", time.Second, "c")
	}
	if err := stream.Send(ask); err != nil {
		t.Fatal(err)
	}
	d.until(t, "alice", service("c", time.Second), live.Confirmed)
}
