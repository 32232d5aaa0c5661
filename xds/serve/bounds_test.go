package serve_test

import (
	"strings"
	"testing"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc/codes"

	"github.com/entente-mesh/entente/xds/serve"
)

func TestARequestThatBreaksABoundEndsItsStream(t *testing.T) {
	t.Parallel()
	s := start(t, newDomains("alice"), func(c *serve.Config) { c.Bounds = serve.Bounds{Message: 1000, Names: 5, Text: 100} })
	cases := []struct {
		name    string
		request *discoveryv3.DeltaDiscoveryRequest
		code    codes.Code
		text    string
	}{
		{"too many names", &discoveryv3.DeltaDiscoveryRequest{Node: envoy, TypeUrl: clusters, ResourceNamesSubscribe: []string{"1", "2", "3", "4", "5", "6"}}, codes.ResourceExhausted, "more than 5 resource names"},
		{"a long name", &discoveryv3.DeltaDiscoveryRequest{Node: envoy, TypeUrl: clusters, ResourceNamesSubscribe: []string{strings.Repeat("x", 101)}}, codes.ResourceExhausted, "more than 100 bytes in a resource name"},
		{"a long message", &discoveryv3.DeltaDiscoveryRequest{Node: envoy, TypeUrl: strings.Repeat("x", 1001)}, codes.ResourceExhausted, "larger than max"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client := s.connect(t)
			client.send(c.request)
			if got := client.end(); got.Code() != c.code || !strings.Contains(got.Message(), c.text) {
				t.Errorf("the stream ended with %v, want %v with %q", got, c.code, c.text)
			}
		})
	}
}
