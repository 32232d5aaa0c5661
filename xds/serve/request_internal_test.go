package serve

import (
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/entente-mesh/entente/xds/cache"
)

func TestARequestIsReadAsItWasMeant(t *testing.T) {
	t.Parallel()
	envoy := &corev3.Node{
		Id: "kuscia-gateway-alice-gw0", Cluster: "kuscia-gateway-alice", UserAgentName: "envoy",
		Metadata:             &structpb.Struct{Fields: map[string]*structpb.Value{"a": structpb.NewStringValue("b")}},
		UserAgentVersionType: &corev3.Node_UserAgentBuildVersion{UserAgentBuildVersion: &corev3.BuildVersion{Version: &typev3.SemanticVersion{MajorNumber: 1, MinorNumber: 40}}},
		Extensions:           []*corev3.Extension{{Name: "envoy.filters.http.router", Category: "envoy.filters.http"}},
	}
	alice := &node{id: "kuscia-gateway-alice-gw0", cluster: "kuscia-gateway-alice", version: Version{1, 40, 0}}
	cases := []struct {
		name    string
		dialect dialect
		message proto.Message
		want    request
	}{
		{"an empty request", delta, &discoveryv3.DeltaDiscoveryRequest{}, request{kind: cache.Types}},
		{
			"a first delta request with its node",
			delta,
			&discoveryv3.DeltaDiscoveryRequest{Node: envoy, TypeUrl: cache.Cluster.URL(), ResourceNamesSubscribe: []string{"x", "y"}, ResourceNamesUnsubscribe: []string{"z"}, InitialResourceVersions: map[string]string{"x": "1", "": ""}},
			request{node: alice, kind: cache.Cluster, names: []string{"x", "y"}, unsubscribe: []string{"z"}, initial: map[string]string{"x": "1", "": ""}},
		},
		{
			"a rejection keeps its code and its reason",
			delta,
			&discoveryv3.DeltaDiscoveryRequest{TypeUrl: "type/a", ResponseNonce: "7", ErrorDetail: &statuspb.Status{Code: int32(codes.InvalidArgument), Message: "bad"}},
			request{kind: cache.Types, typeURL: "type/a", nonce: "7", rejected: true, code: 3, reason: "bad"},
		},
		{
			"an empty error_detail is a rejection too",
			delta,
			&discoveryv3.DeltaDiscoveryRequest{ErrorDetail: &statuspb.Status{}},
			request{kind: cache.Types, rejected: true},
		},
		{
			"a very long reason is cut",
			sotw,
			&discoveryv3.DiscoveryRequest{ErrorDetail: &statuspb.Status{Message: strings.Repeat("x", 2*maxReason)}},
			request{kind: cache.Types, rejected: true, reason: strings.Repeat("x", maxReason)},
		},
		{
			"a request for the state of the world",
			sotw,
			&discoveryv3.DiscoveryRequest{Node: envoy, VersionInfo: "5", ResourceNames: []string{"x", "*"}, TypeUrl: "type/b", ResponseNonce: "6", ErrorDetail: &statuspb.Status{Code: 13}},
			request{node: alice, version: "5", names: []string{"x", "*"}, kind: cache.Types, typeURL: "type/b", nonce: "6", rejected: true, code: 13},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wire, err := proto.Marshal(c.message)
			if err != nil {
				t.Fatal(err)
			}
			bounds := Bounds{}.orDefault()
			got := request{dialect: c.dialect, bounds: &bounds}
			if err := got.decode(wire); err != nil {
				t.Fatal(err)
			}
			c.want.dialect = c.dialect
			if diff := cmp.Diff(c.want, got, compareRequests()); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestARequestOutOfBoundsIsRefused(t *testing.T) {
	t.Parallel()
	bounds := Bounds{Names: 3, Text: 8}.orDefault()
	long := strings.Repeat("n", 9)
	cases := []struct {
		name    string
		message *discoveryv3.DeltaDiscoveryRequest
		code    codes.Code
		text    string
	}{
		{"as many names as are allowed", &discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{"12345678", "b"}, ResourceNamesUnsubscribe: []string{"c"}}, codes.OK, ""},
		{"too many names over all lists", &discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{"a", "b"}, ResourceNamesUnsubscribe: []string{"c"}, InitialResourceVersions: map[string]string{"d": "1"}}, codes.ResourceExhausted, "more than 3 resource names"},
		{"a long name", &discoveryv3.DeltaDiscoveryRequest{ResourceNamesSubscribe: []string{long}}, codes.ResourceExhausted, "more than 8 bytes in a resource name"},
		{"a long name to unsubscribe", &discoveryv3.DeltaDiscoveryRequest{ResourceNamesUnsubscribe: []string{long}}, codes.ResourceExhausted, "more than 8 bytes in a resource name"},
		{"a long version", &discoveryv3.DeltaDiscoveryRequest{InitialResourceVersions: map[string]string{"a": long}}, codes.ResourceExhausted, "more than 8 bytes in a resource's name or version"},
		{"a long nonce", &discoveryv3.DeltaDiscoveryRequest{ResponseNonce: long}, codes.ResourceExhausted, "more than 8 bytes in a nonce"},
		{"a long type", &discoveryv3.DeltaDiscoveryRequest{TypeUrl: long}, codes.ResourceExhausted, "more than 8 bytes in a type"},
		{"a long node id", &discoveryv3.DeltaDiscoveryRequest{Node: &corev3.Node{Id: long}}, codes.ResourceExhausted, "more than 8 bytes in the node's id"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wire, err := proto.Marshal(c.message)
			if err != nil {
				t.Fatal(err)
			}
			got := request{bounds: &bounds}
			err = got.decode(wire)
			if status.Code(err) != c.code || !strings.Contains(status.Convert(err).Message(), c.text) {
				t.Errorf("decode returned %v, want %v with %q", err, c.code, c.text)
			}
		})
	}
}

func TestBytesThatAreNoRequestAreRefused(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		wire string
	}{
		{"a tag that does not end", "\xff"},
		{"a length beyond the end", "\x12\x05abc"},
		{"a field number of zero", "\x02\x00"},
		{"a type that is not UTF-8", "\x12\x01\xff"},
		{"a node that is cut off", "\x0a\x02\x0a\x05"},
		{"an error that is cut off", "\x3a\x02\x12\x05"},
		{"a map entry that is cut off", "\x2a\x02\x0a\x05"},
		{"a group that does not end", "\x53"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			bounds := Bounds{}.orDefault()
			got := request{bounds: &bounds}
			if err := got.decode([]byte(c.wire)); status.Code(err) != codes.InvalidArgument {
				t.Errorf("decode returned %v, want InvalidArgument", err)
			}
		})
	}
}

// What protobuf itself accepts, within bounds, must mean the same to us.
func FuzzRequest(f *testing.F) {
	for _, m := range []proto.Message{
		&discoveryv3.DeltaDiscoveryRequest{TypeUrl: "t", ResourceNamesSubscribe: []string{"a"}, ResourceNamesUnsubscribe: []string{"b"}, InitialResourceVersions: map[string]string{"c": "d"}, ResponseNonce: "n", ErrorDetail: &statuspb.Status{Code: 3, Message: "m"}},
		&discoveryv3.DiscoveryRequest{TypeUrl: "t", VersionInfo: "v", ResourceNames: []string{"a"}, ResponseNonce: "n", ErrorDetail: &statuspb.Status{Code: 3, Message: "m"}},
		&discoveryv3.DeltaDiscoveryRequest{Node: &corev3.Node{Id: "i", Cluster: "c", UserAgentVersionType: &corev3.Node_UserAgentBuildVersion{UserAgentBuildVersion: &corev3.BuildVersion{Version: &typev3.SemanticVersion{MajorNumber: 1, MinorNumber: 36, Patch: 4}}}}},
	} {
		wire, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append([]byte("\x12\x01x"), wire...), false)
		f.Add(wire, false)
		f.Add(wire, true)
	}
	f.Fuzz(func(t *testing.T, wire []byte, world bool) {
		bounds := Bounds{Names: 100, Text: 100}.orDefault()
		got := request{bounds: &bounds}
		if world {
			got.dialect = sotw
		}
		err := got.decode(wire)
		if n := len(got.names) + len(got.unsubscribe) + len(got.initial); n > 100 {
			t.Errorf("%d names were kept, the bound is 100", n)
		}
		want, ok := reference(got.dialect, wire)
		if !ok || status.Code(err) == codes.ResourceExhausted {
			return
		}
		if err != nil {
			t.Fatalf("decode returned %v for what protobuf accepts", err)
		}
		if diff := cmp.Diff(want, got, compareRequests()); diff != "" {
			t.Errorf("request (-want +got):\n%s", diff)
		}
	})
}

// reference is how protobuf reads a request.
func reference(d dialect, wire []byte) (request, bool) {
	var node *corev3.Node
	var failed *statuspb.Status
	r := request{dialect: d}
	if d == sotw {
		var m discoveryv3.DiscoveryRequest
		if proto.Unmarshal(wire, &m) != nil {
			return r, false
		}
		node, failed = m.GetNode(), m.GetErrorDetail()
		r.typeURL, r.nonce, r.version, r.names = m.GetTypeUrl(), m.GetResponseNonce(), m.GetVersionInfo(), m.GetResourceNames()
	} else {
		var m discoveryv3.DeltaDiscoveryRequest
		if proto.Unmarshal(wire, &m) != nil {
			return r, false
		}
		node, failed = m.GetNode(), m.GetErrorDetail()
		r.typeURL, r.nonce, r.names, r.unsubscribe, r.initial = m.GetTypeUrl(), m.GetResponseNonce(), m.GetResourceNamesSubscribe(), m.GetResourceNamesUnsubscribe(), m.GetInitialResourceVersions()
	}
	r.kind, _ = cache.TypeOf(r.typeURL)
	if r.kind != cache.Types {
		r.typeURL = ""
	}
	if node != nil {
		r.node = nodeOf(node)
	}
	if failed != nil {
		r.rejected, r.code, r.reason = true, failed.GetCode(), failed.GetMessage()[:min(len(failed.GetMessage()), maxReason)]
	}
	return r, true
}

func nodeOf(n *corev3.Node) *node {
	v := n.GetUserAgentBuildVersion().GetVersion()
	return &node{id: n.GetId(), cluster: n.GetCluster(), version: Version{v.GetMajorNumber(), v.GetMinorNumber(), v.GetPatch()}}
}

func compareRequests() cmp.Options {
	return cmp.Options{cmp.AllowUnexported(request{}, node{}), cmpopts.IgnoreFields(request{}, "bounds"), cmpopts.EquateEmpty()}
}
