package cache_test

import (
	"testing"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/xds/cache"
)

// decode is the message of an entry, read back from what goes over the wire.
func decode(e *cache.Entry) proto.Message {
	var response discoveryv3.DeltaDiscoveryResponse
	if err := proto.Unmarshal(e.Delta(), &response); err != nil {
		panic(err)
	}
	m, err := response.GetResources()[0].GetResource().UnmarshalNew()
	if err != nil {
		panic(err)
	}
	return m
}

func TestAnEntryIsTheResourceFieldOfBothKindsOfResponse(t *testing.T) {
	t.Parallel()
	for typ := range cache.Types {
		t.Run(typ.String(), func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.set(typ, "name=content")
			e := s.cache.Get(cache.Key{Type: typ, Name: "name"})
			wrapped, err := anypb.New(body(typ, "name", "content"))
			if err != nil {
				t.Fatal(err)
			}
			if wrapped.GetTypeUrl() != typ.URL() {
				t.Errorf("URL() = %q, want %q", typ.URL(), wrapped.GetTypeUrl())
			}
			var delta discoveryv3.DeltaDiscoveryResponse
			if err := proto.Unmarshal(append(append([]byte(nil), e.Delta()...), e.Delta()...), &delta); err != nil {
				t.Fatal(err)
			}
			one := &discoveryv3.Resource{Name: "name", Version: e.Version, Resource: wrapped}
			want := &discoveryv3.DeltaDiscoveryResponse{Resources: []*discoveryv3.Resource{one, one}}
			if diff := cmp.Diff(want, &delta, protocmp.Transform()); diff != "" {
				t.Errorf("two entries make the delta response (-want +got):\n%s", diff)
			}
			var state discoveryv3.DiscoveryResponse
			if err := proto.Unmarshal(e.State(), &state); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&discoveryv3.DiscoveryResponse{Resources: []*anypb.Any{wrapped}}, &state, protocmp.Transform()); diff != "" {
				t.Errorf("an entry makes the state-of-the-world response (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTypesAreKnownByTheirURLs(t *testing.T) {
	t.Parallel()
	for typ := range cache.Types {
		if got, ok := cache.TypeOf(typ.URL()); !ok || got != typ {
			t.Errorf("TypeOf(%q) = %v, %v", typ.URL(), got, ok)
		}
	}
	for _, url := range []string{"", "type.googleapis.com/", "type.googleapis.com/envoy.config.cluster.v3.Clusters", "envoy.config.cluster.v3.Cluster"} {
		if got, ok := cache.TypeOf(url); ok {
			t.Errorf("TypeOf(%q) = %v, want none", url, got)
		}
	}
}

// The board counts by lanes, which it cannot import from here.
func TestTheBoardHasALaneForEachType(t *testing.T) {
	t.Parallel()
	if live.Lanes != int(cache.Types) {
		t.Errorf("live.Lanes = %d, cache.Types = %d", live.Lanes, cache.Types)
	}
}
