package fleet

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/entente-mesh/entente/auth/issue"
	"github.com/entente-mesh/entente/xds/bootstrap"
)

// Types of resources, as requests name them.
const (
	clusterType = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
	secretType  = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
)

// certificate issues the certificate of a gateway, signed with the domain's key; change may spoil what it says.
func (d *domain) certificate(t *testing.T, name string, terms issue.Terms, change ...func(*issue.Profile)) *tls.Certificate {
	t.Helper()
	authority, err := issue.NewAuthority(d.key, d.id, issue.Terms{Now: time.Now().Add(-24 * time.Hour), Lifetime: 48 * time.Hour, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	profile, err := issue.Gateway(d.id, name)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range change {
		c(&profile)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	terms.Rand = rand.Reader
	certificate, err := authority.Issue(&key.PublicKey, profile, terms)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{certificate.Raw}, PrivateKey: key}
}

// forged makes a certificate say that it is of this domain.
func (d *domain) forged(p *issue.Profile) {
	p.CommonName = d.id
	p.URI.Host = d.id
}

func forAnHour() issue.Terms { return issue.Terms{Now: time.Now(), Lifetime: time.Hour} }

// envoyNode is what an Envoy says of itself.
func envoyNode(domain, gateway string) *corev3.Node {
	return &corev3.Node{
		Id: bootstrap.NodeID(domain, gateway), Cluster: bootstrap.NodeCluster(domain), UserAgentName: "envoy",
		UserAgentVersionType: &corev3.Node_UserAgentBuildVersion{UserAgentBuildVersion: &corev3.BuildVersion{Version: &typev3.SemanticVersion{MajorNumber: 1, MinorNumber: 40}}},
	}
}

// A stream is one delta stream.
type stream = discoveryv3.AggregatedDiscoveryService_DeltaAggregatedResourcesClient

// connect opens a stream with a certificate; nil shows none.
func (f *fleet) connect(t *testing.T, certificate *tls.Certificate) stream {
	t.Helper()
	ca, err := os.ReadFile(f.at("ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	config := &tls.Config{RootCAs: roots, ServerName: serverName}
	if certificate != nil {
		config.Certificates = []tls.Certificate{*certificate}
	}
	return f.dial(t, credentials.NewTLS(config))
}

func (f *fleet) dial(t *testing.T, by credentials.TransportCredentials) stream {
	t.Helper()
	conn, err := grpc.NewClient(f.address, grpc.WithTransportCredentials(by))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(func() { cancel(); _ = conn.Close() }) // nothing is lost with it
	s, err := discoveryv3.NewAggregatedDiscoveryServiceClient(conn).DeltaAggregatedResources(ctx)
	if err != nil {
		return refusedStream{err: err}
	}
	return s
}

// refusedStream is what is left of a stream that did not come to be.
type refusedStream struct {
	stream
	err error
}

func (refusedStream) Send(*discoveryv3.DeltaDiscoveryRequest) error { return nil }

func (s refusedStream) Recv() (*discoveryv3.DeltaDiscoveryResponse, error) { return nil, s.err }

// Each case tries to see what belongs to bob, or to anybody, without being one of bob's gateways.
func TestNobodySeesAnotherDomain(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	alice, bob, gone := f.newDomain(t, "alice-apart", 0), f.newDomain(t, "bob-apart", 0), f.newDomain(t, "gone-apart", 0)
	alice.found(t)
	bob.found(t)
	f.start(t)
	own := alice.certificate(t, "gw-0", forAnHour())
	mixed := envoyNode(alice.id, "gw-0")
	mixed.Cluster = bootstrap.NodeCluster(bob.id)
	old := envoyNode(alice.id, "gw-0")
	old.GetUserAgentBuildVersion().Version = &typev3.SemanticVersion{MajorNumber: 1, MinorNumber: 36, Patch: 3}
	cases := []struct {
		name        string
		certificate *tls.Certificate
		node        *corev3.Node
		code        codes.Code
		words       string
	}{
		{"with the node of bob's gateway", own, envoyNode(bob.id, "gw-0"), codes.PermissionDenied, "belongs to domain " + alice.id},
		{"with the cluster of bob's gateways", own, mixed, codes.PermissionDenied, "belongs to domain " + alice.id},
		{"with the node of another gateway of alice", own, envoyNode(alice.id, "gw-1"), codes.PermissionDenied, "belongs to gateway gw-0"},
		{"with a certificate of bob's name from alice's authority", alice.certificate(t, "gw-0", forAnHour(), bob.forged), envoyNode(bob.id, "gw-0"), codes.Unauthenticated, "not signed by an authority of that domain"},
		{"with a certificate of alice's name from bob's authority", bob.certificate(t, "gw-0", forAnHour(), alice.forged), envoyNode(alice.id, "gw-0"), codes.Unauthenticated, "not signed by an authority of that domain"},
		{"with a certificate that has expired", bob.certificate(t, "gw-0", issue.Terms{Now: time.Now().Add(-time.Hour), Lifetime: time.Minute}), envoyNode(bob.id, "gw-0"), codes.Unauthenticated, "expired"},
		{"with a certificate of bob's that is no gateway's", bob.certificate(t, "gw-0", forAnHour(), func(p *issue.Profile) { p.URI = nil }), envoyNode(bob.id, "gw-0"), codes.Unauthenticated, "no gateway's"},
		{"with a certificate of bob's for servers alone", bob.certificate(t, "gw-0", forAnHour(), func(p *issue.Profile) { p.Client = false }), envoyNode(bob.id, "gw-0"), codes.Unauthenticated, "refused"},
		{"without a certificate", nil, envoyNode(bob.id, "gw-0"), codes.Unauthenticated, "no client certificate"},
		{"as a domain that has no folder", gone.certificate(t, "gw-0", forAnHour()), envoyNode(gone.id, "gw-0"), codes.PermissionDenied, "is not served here"},
		{"with an Envoy that is too old", own, old, codes.FailedPrecondition, "1.36.3"},
		{"without a node", own, nil, codes.InvalidArgument, "no node"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := f.connect(t, c.certificate)
			_ = s.Send(&discoveryv3.DeltaDiscoveryRequest{Node: c.node, TypeUrl: clusterType}) // Recv says what was wrong
			answer, err := s.Recv()
			if got := status.Convert(err); got.Code() != c.code || !strings.Contains(got.Message(), c.words) {
				t.Errorf("got %v and %d resources, want %v with %q", err, len(answer.GetResources()), c.code, c.words)
			}
		})
	}
	t.Run("without TLS", func(t *testing.T) {
		t.Parallel()
		s := f.dial(t, insecure.NewCredentials())
		_ = s.Send(&discoveryv3.DeltaDiscoveryRequest{Node: envoyNode(bob.id, "gw-0"), TypeUrl: clusterType}) // as above
		if answer, err := s.Recv(); status.Code(err) != codes.Unavailable {
			t.Errorf("got %v and %d resources, want Unavailable", err, len(answer.GetResources()))
		}
	})
	t.Run("by the names of bob's resources", func(t *testing.T) {
		t.Parallel()
		checkNames(t, f, alice, bob, own)
	})
}

// checkNames asks, as alice, for the secret and the clusters that bob has: what bob gets, alice is told does not exist.
func checkNames(t *testing.T, f *fleet, alice, bob *domain, own *tls.Certificate) {
	t.Helper()
	partner := &gateway{domain: alice, external: "127.0.0.1:1080"}
	join(t, bob, alice, partner)
	for kind, name := range map[string]string{
		secretType:  "egress-token/" + alice.id,
		clusterType: fmt.Sprintf("%s-to-%s-http", bob.id, alice.id),
	} {
		bobs := f.subscribe(t, bob, bob.certificate(t, "gw-0", forAnHour()), kind, name)
		for found := false; !found; { // it comes as soon as bob's mesh has the route
			answer, err := bobs.Recv()
			if err != nil {
				t.Fatalf("bob asked for his own %s: %v", name, err)
			}
			found = len(answer.GetResources()) == 1 && answer.GetResources()[0].GetName() == name
		}
		answer, err := f.subscribe(t, alice, own, kind, name).Recv()
		if err != nil || len(answer.GetResources()) != 0 || !slices.Equal(answer.GetRemovedResources(), []string{name}) {
			t.Errorf("alice asked for %s of bob's: %v, got %d resources, removed %v", name, err, len(answer.GetResources()), answer.GetRemovedResources())
		}
	}
}

// subscribe asks for one resource by its name.
func (f *fleet) subscribe(t *testing.T, as *domain, certificate *tls.Certificate, kind, name string) stream {
	t.Helper()
	s := f.connect(t, certificate)
	if err := s.Send(&discoveryv3.DeltaDiscoveryRequest{Node: envoyNode(as.id, "gw-0"), TypeUrl: kind, ResourceNamesSubscribe: []string{name}}); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestWhatIsWrongIsSaidBeforeAnythingStarts: each mistake is one line that names the thing.
func TestWhatIsWrongIsSaidBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	write(t, f.at("empty"), nil)
	right := map[string]string{
		"--listen": "127.0.0.1:0", "--kubeconfig": node.Kubeconfig(), "--domains": f.domains(), "--certificate": f.at("tls.crt"), "--key": f.at("tls.key"), "--home": f.home(),
	}
	cases := []struct {
		name, flag, value string
		code              int
		words             string
	}{
		{"no address", "--listen", "", 2, "--listen is missing"},
		{"an address of another machine", "--listen", "192.0.2.77:18000", 1, "--listen 192.0.2.77:18000 cannot be opened"},
		{"a kubeconfig that is not there", "--kubeconfig", f.at("none"), 1, "--kubeconfig"},
		{"a context that is not there", "--context", "none", 1, `context "none" does not exist`},
		{"domains that are not there", "--domains", f.at("none"), 1, "no folder that can be read"},
		{"a certificate that is none", "--certificate", f.at("empty"), 1, "--certificate"},
		{"a key that is none", "--key", f.at("empty"), 1, "--key"},
		{"a listener without a port", "--external", "0.0.0.0:0", 2, "has no port"},
		{"a listener that is none", "--internal", "pods", 2, "--internal"},
		{"figures where nothing can listen", "--metrics", "192.0.2.77:9100", 1, "--metrics 192.0.2.77:9100 cannot be opened"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			args := []string{"gateway"}
			for flag, value := range right {
				if flag != c.flag {
					args = append(args, flag, value)
				}
			}
			if c.flag == "--metrics" {
				args = append(args, "--home", f.at("home-of-metrics")) // one process uses a folder
			}
			if c.value != "" {
				args = append(args, c.flag, c.value)
			}
			out, complaint, code := f.run(t, args...)
			last := complaint[strings.LastIndex(strings.TrimSpace(complaint), "\n")+1:]
			if code != c.code || out != "" || !strings.HasPrefix(last, "entente: ") || !strings.Contains(last, c.words) {
				t.Errorf("it ended with %d and said %q, want %d with %q", code, complaint, c.code, c.words)
			}
		})
	}
}

// TestTheServerTakesUpANewCertificate: one that is half written leaves the server what it has.
func TestTheServerTakesUpANewCertificate(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	f.start(t)
	shown := func(ctx context.Context) (*x509.Certificate, error) {
		dialer := &tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}} // it is looked at below
		conn, err := dialer.DialContext(ctx, "tcp", f.address)
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		return conn.(*tls.Conn).ConnectionState().PeerCertificates[0], nil //nolint:forcetypeassert // the dialer says so
	}
	before, err := shown(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	write(t, f.at("tls.crt"), []byte("half"))
	await(t, func(context.Context) error {
		if !strings.Contains(f.said.String(), "the server keeps its certificate") {
			return errors.New("nobody was told of the bad certificate")
		}
		return nil
	})
	if still, err := shown(t.Context()); err != nil || !still.Equal(before) {
		t.Errorf("the server shows another certificate, %v", err)
	}
	want := f.certify(t)
	await(t, func(ctx context.Context) error {
		if got, err := shown(ctx); err != nil || !got.Equal(want) {
			return errors.Join(err, errors.New("the server does not show the new certificate"))
		}
		return nil
	})
}
