package serve_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/entente-mesh/entente/xds/serve"
)

// A fleet is a server for alice and bob over mutual TLS, with an authority for each of them.
type fleet struct {
	*server
	domains    *domains
	own        authority
	alice, bob authority
}

func newFleet(t testing.TB) *fleet {
	t.Helper()
	f := newAuthorities(t)
	f.domains.set(t, "alice", time.Second, "of-alice")
	f.domains.set(t, "bob", time.Second, "of-bob")
	f.server = start(t, f.domains, func(c *serve.Config) { c.Authenticator = f.authenticator() })
	return f
}

// newAuthorities is a fleet without a server.
func newAuthorities(t testing.TB) *fleet {
	t.Helper()
	return &fleet{domains: newDomains("alice", "bob"), own: newAuthority(t, "fleet"), alice: newAuthority(t, "alice"), bob: newAuthority(t, "bob")}
}

func (f *fleet) authenticator() serve.Authenticator {
	certificate := f.own.issue(nil)
	return serve.NewFleet(
		func() (*tls.Certificate, error) { return certificate, nil },
		func(domain string) *x509.CertPool {
			switch domain {
			case "alice":
				return f.alice.pool()
			case "bob":
				return f.bob.pool()
			}
			return nil
		})
}

// as is how a client shows a certificate; nil shows none.
func (f *fleet) as(certificate *tls.Certificate) grpc.DialOption {
	config := &tls.Config{RootCAs: f.own.pool(), ServerName: "xds"}
	if certificate != nil {
		config.Certificates = []tls.Certificate{*certificate}
	}
	return grpc.WithTransportCredentials(credentials.NewTLS(config))
}

const (
	aliceGateway = "spiffe://alice/gateway/gw0"
	bobGateway   = "spiffe://bob/gateway/gw0"
)

func TestAGatewaySeesItsOwnDomain(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	for domain, certificate := range map[string]*tls.Certificate{"alice": f.alice.issue(nil, aliceGateway), "bob": f.bob.issue(nil, bobGateway)} {
		c := f.connect(t, f.as(certificate))
		c.send(&discoveryv3.DeltaDiscoveryRequest{Node: node(domain, "gw0"), TypeUrl: clusters})
		if diff := cmp.Diff([]string{"of-" + domain}, names(c.receive())); diff != "" {
			t.Errorf("what %s sees (-want +got):\n%s", domain, diff)
		}
	}
}

// Each case tries to see bob's resources, or anybody's, without bob's certificate.
func TestNobodySeesAnotherDomain(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	valid := func(not time.Duration) func(*x509.Certificate) {
		return func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().Add(not-time.Minute), time.Now().Add(not)
		}
	}
	subscribe := func(n *corev3.Node) *discoveryv3.DeltaDiscoveryRequest {
		return &discoveryv3.DeltaDiscoveryRequest{Node: n, TypeUrl: clusters}
	}
	mixed := node("alice", "gw0")
	mixed.Cluster = "kuscia-gateway-bob"
	old := node("alice", "gw0")
	old.GetUserAgentBuildVersion().GetVersion().MinorNumber = 36
	old.GetUserAgentBuildVersion().GetVersion().Patch = 3
	silent := node("alice", "gw0")
	silent.UserAgentVersionType = nil
	alice := f.alice.issue(nil, aliceGateway)
	cases := []struct {
		name        string
		certificate *tls.Certificate
		request     *discoveryv3.DeltaDiscoveryRequest
		code        codes.Code
		text        string
	}{
		{"the node id and cluster of the other domain", alice, subscribe(node("bob", "gw0")), codes.PermissionDenied, `cluster is "kuscia-gateway-bob"`},
		{"the cluster of the other domain", alice, subscribe(mixed), codes.PermissionDenied, `cluster is "kuscia-gateway-bob"`},
		{"another gateway than the certificate's", alice, subscribe(node("alice", "gw1")), codes.PermissionDenied, "belongs to gateway gw0"},
		{"a node id without a gateway", alice, subscribe(&corev3.Node{Id: "kuscia-gateway-alice", Cluster: "kuscia-gateway-alice"}), codes.PermissionDenied, "which is not"},
		{"a node id whose gateway is a path", alice, subscribe(&corev3.Node{Id: "kuscia-gateway-alice-../bob", Cluster: "kuscia-gateway-alice"}), codes.PermissionDenied, "which is not"},
		{"no node", alice, subscribe(nil), codes.InvalidArgument, "has no node"},
		{"an Envoy that is too old", alice, subscribe(old), codes.FailedPrecondition, "Envoy 1.36.3"},
		{"an Envoy that hides its version", alice, subscribe(silent), codes.FailedPrecondition, "too old"},
		{"no certificate", nil, subscribe(node("bob", "gw0")), codes.Unauthenticated, "no client certificate"},
		{"a certificate for bob signed by alice's authority", f.alice.issue(nil, bobGateway), subscribe(node("bob", "gw0")), codes.Unauthenticated, "not signed by an authority of that domain"},
		{"a certificate for bob signed by the fleet's authority", f.own.issue(nil, bobGateway), subscribe(node("bob", "gw0")), codes.Unauthenticated, "not signed by an authority of that domain"},
		{"a certificate for bob signed by nobody we know", newAuthority(t, "bob").issue(nil, bobGateway), subscribe(node("bob", "gw0")), codes.Unauthenticated, "not signed by an authority of that domain"},
		{"a certificate that has expired", f.bob.issue(valid(-time.Second), bobGateway), subscribe(node("bob", "gw0")), codes.Unauthenticated, "it expired at"},
		{"a certificate of the future", f.bob.issue(valid(time.Hour), bobGateway), subscribe(node("bob", "gw0")), codes.Unauthenticated, "it is valid only from"},
		{"a certificate for servers only", f.bob.issue(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, bobGateway), subscribe(node("bob", "gw0")), codes.Unauthenticated, "incompatible key usage"},
		{"a certificate for two domains", f.alice.issue(nil, aliceGateway, bobGateway), subscribe(node("bob", "gw0")), codes.Unauthenticated, "2 URIs"},
		{"a certificate without a URI", f.bob.issue(nil), subscribe(node("bob", "gw0")), codes.Unauthenticated, "0 URIs"},
		{"a task's certificate", f.bob.issue(nil, "spiffe://bob/task/t1"), subscribe(node("bob", "gw0")), codes.Unauthenticated, "its URI is"},
		{"a URI with a port", f.bob.issue(nil, "spiffe://bob:1/gateway/gw0"), subscribe(node("bob", "gw0")), codes.Unauthenticated, "its URI is"},
		{"a URI of another scheme", f.bob.issue(nil, "https://bob/gateway/gw0"), subscribe(node("bob", "gw0")), codes.Unauthenticated, "its URI is"},
		{"a domain that is not served", newAuthority(t, "carol").issue(nil, "spiffe://carol/gateway/gw0"), subscribe(node("carol", "gw0")), codes.PermissionDenied, "domain carol is not served here"},
		{"a gateway that is not known", f.alice.issue(nil, "spiffe://alice/gateway/gw9"), subscribe(node("alice", "gw9")), codes.NotFound, "create the Gateway"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			client := f.connect(t, f.as(c.certificate))
			// A stream may be refused before it has sent anything.
			_ = client.stream.Send(c.request)
			r, err := client.stream.Recv()
			if err == nil {
				t.Fatalf("the server answered %v", r)
			}
			got := client.end()
			if got.Code() != c.code || !strings.Contains(got.Message(), c.text) {
				t.Errorf("the stream ended with %v, want %v with %q", got, c.code, c.text)
			}
			if strings.Contains(got.Message(), "of-bob") {
				t.Errorf("the status names a resource of bob: %v", got)
			}
		})
	}
}

func TestNamesOfAnotherDomainAreUnknown(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	c := f.connect(t, f.as(f.alice.issue(nil, aliceGateway)))
	c.send(&discoveryv3.DeltaDiscoveryRequest{Node: node("alice", "gw0"), TypeUrl: clusters, ResourceNamesSubscribe: []string{"of-bob"}})
	r := c.receive()
	if diff := cmp.Diff([]string{"of-bob"}, r.GetRemovedResources()); diff != "" || len(r.GetResources()) != 0 {
		t.Errorf("response %v, want that of-bob does not exist", r)
	}
}

func TestAStreamCannotBecomeAnotherNode(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	c := f.connect(t, f.as(f.alice.issue(nil, aliceGateway)))
	c.subscribe(nil)
	c.ack(c.receive())
	c.send(&discoveryv3.DeltaDiscoveryRequest{Node: node("bob", "gw0"), TypeUrl: clusters})
	if got := c.end(); got.Code() != codes.PermissionDenied || !strings.Contains(got.Message(), "goes on as") {
		t.Errorf("the stream ended with %v, want %v", got, codes.PermissionDenied)
	}
}

func TestAPlaintextClientIsNotServed(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	c := f.connect(t, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if got := c.end(); got.Code() != codes.Unavailable {
		t.Errorf("the stream ended with %v, want %v", got, codes.Unavailable)
	}
}

func TestAStreamEndsWithItsCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		began := time.Now()
		c := f.connect(t, f.as(f.alice.issue(nil, aliceGateway)))
		c.subscribe(nil)
		c.ack(c.receive())
		got := c.end()
		if got.Code() != codes.Unauthenticated || !strings.Contains(got.Message(), "expired at") {
			t.Errorf("the stream ended with %v, want %v", got, codes.Unauthenticated)
		}
		if took := time.Since(began); took < 59*time.Minute || took > 61*time.Minute {
			t.Errorf("it ended after %v, want the certificate's hour", took)
		}
	})
}

// TLS 1.2 is refused: with it, a client certificate would be seen by whoever listens on the wire.
func TestAnOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	raw, err := f.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func(c net.Conn) { _ = c.Close() }(raw) // the handshake may have closed it
	conn := tls.Client(raw, &tls.Config{RootCAs: f.own.pool(), ServerName: "xds", MaxVersion: tls.VersionTLS12})
	if err := conn.HandshakeContext(t.Context()); err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("the handshake returned %v, want a refusal of the version", err)
	}
}
