package serve

import (
	"fmt"
	"strings"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/entente-mesh/entente/xds/cache"
)

// entries are clusters of about the given sizes.
func entries(t testing.TB, sizes ...int) []*cache.Entry {
	t.Helper()
	c := cache.New(nil)
	var all []*cache.Entry
	for i, size := range sizes {
		key := cache.Key{Type: cache.Cluster, Name: fmt.Sprintf("cluster-%d", i)}
		body := &clusterv3.Cluster{Name: key.Name, AltStatName: strings.Repeat("x", size)}
		if _, err := c.Commit(cache.Delta{Set: []cache.Resource{{Key: key, Body: body}}}, time.Unix(0, 0)); err != nil {
			t.Fatal(err)
		}
		all = append(all, c.Get(key))
	}
	return all
}

func TestAResponseIsWhatProtobufWouldMakeOfIt(t *testing.T) {
	t.Parallel()
	many := make([]int, 2000)
	for i := range many {
		many[i] = 50 + i%97
	}
	cases := []struct {
		name     string
		response response
	}{
		{"nothing at all", response{}},
		{"names that do not exist", response{typeURL: "type/a", nonce: "5", version: "7", removed: []string{"a", "", "b"}}},
		{"a small resource", response{typeURL: "type/a", nonce: "5", version: "7", set: entries(t, 10)}},
		{"a resource that is handed on uncopied", response{typeURL: "type/a", nonce: "5", set: entries(t, 100_000)}},
		{"small and large ones by turns", response{typeURL: "type/a", nonce: "5", set: entries(t, 10, 5000, 10, 10, 5000, 5000, 10), removed: []string{"c"}}},
		{"more small ones than fit into a buffer", response{typeURL: "type/a", nonce: "5", set: entries(t, many...)}},
		{"more names than fit into a buffer", response{removed: []string{strings.Repeat("a", 20_000), strings.Repeat("b", 20_000)}, set: entries(t, 10)}},
		{"the state of the world", response{dialect: sotw, typeURL: "type/a", nonce: "5", version: "7", set: entries(t, 10, 5000, 10)}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wire, err := codec{}.Marshal(&c.response)
			if err != nil {
				t.Fatal(err)
			}
			defer wire.Free()
			if got := wire.Len(); got != c.response.size {
				t.Errorf("%d bytes on the wire, but the response says %d", got, c.response.size)
			}
			want, got := parsed(t, &c.response, wire.Materialize())
			if !proto.Equal(want, got) {
				t.Errorf("response %v, want %v", got, want)
			}
		})
	}
}

// parsed is the message that a response means, and the one that protobuf reads from the wire.
func parsed(t *testing.T, r *response, wire []byte) (want, got proto.Message) {
	t.Helper()
	if r.dialect == sotw {
		m := &discoveryv3.DiscoveryResponse{TypeUrl: r.typeURL, Nonce: r.nonce, VersionInfo: r.version}
		for _, e := range r.set {
			m.Resources = append(m.Resources, body(t, e))
		}
		want, got = m, &discoveryv3.DiscoveryResponse{}
	} else {
		m := &discoveryv3.DeltaDiscoveryResponse{TypeUrl: r.typeURL, Nonce: r.nonce, SystemVersionInfo: r.version, RemovedResources: r.removed}
		for _, e := range r.set {
			m.Resources = append(m.Resources, &discoveryv3.Resource{Name: e.Name, Version: e.Version, Resource: body(t, e)})
		}
		want, got = m, &discoveryv3.DeltaDiscoveryResponse{}
	}
	if err := proto.Unmarshal(wire, got); err != nil {
		t.Fatal(err)
	}
	return want, got
}

func body(t *testing.T, e *cache.Entry) *anypb.Any {
	t.Helper()
	var m discoveryv3.DiscoveryResponse
	if err := proto.Unmarshal(e.State(), &m); err != nil {
		t.Fatal(err)
	}
	return m.GetResources()[0]
}

func TestALargeResourceIsNotCopied(t *testing.T) {
	t.Parallel()
	set := entries(t, 10, 100_000)
	wire, err := codec{}.Marshal(&response{set: set})
	if err != nil {
		t.Fatal(err)
	}
	defer wire.Free()
	last := wire[len(wire)-1].ReadOnlyData()
	if &last[0] != &set[1].Delta()[0] {
		t.Error("the bytes of the large resource were copied")
	}
}

func TestTheCodecRefusesForeignMessages(t *testing.T) {
	t.Parallel()
	if _, err := (codec{}).Marshal("text"); err == nil {
		t.Error("a string was encoded")
	}
	if err := (codec{}).Unmarshal(mem.BufferSlice{}, new(string)); err == nil {
		t.Error("a request was decoded into a string")
	}
}
