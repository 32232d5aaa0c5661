package mesh

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/auth/keys"
	"github.com/entente-mesh/entente/auth/seal"
	"github.com/entente-mesh/entente/internal/lab"
	"github.com/entente-mesh/entente/internal/lab/entente"
)

// patience bounds every wait, so that a hanging product fails its test. It is no measure of speed.
const patience = time.Minute

// A domain is one party on one machine: its control plane, its gateway and its key.
type domain struct {
	id     string
	node   *lab.Node
	key    *rsa.PrivateKey
	home   string
	yaml   string
	binary string
	client client.WithWatch

	mu      sync.Mutex
	process *lab.Cmd // guarded by mu
	said    bytes.Buffer
}

// newDomain starts a domain on a node and waits until it is ready.
func newDomain(dir string, node *lab.Node) (*domain, error) {
	binary, err := entente.Binary()
	if err != nil {
		return nil, err
	}
	key, err := keys.GeneratePrivate(rand.Reader)
	if err != nil {
		return nil, err
	}
	d := &domain{id: node.Name(), node: node, key: key, binary: binary, home: filepath.Join(dir, node.Name())}
	d.yaml = d.home + ".yaml"
	text := fmt.Sprintf("mode: autonomy\ndomainID: %s\ndomainKeyData: %s\nentente:\n  gateway: {name: %s-0, workers: 1}\n  dns: {upstream: [192.0.2.53]}\n",
		d.id, keys.EncodePrivate(key), d.id)
	if d.ownCertificate() {
		if _, err := d.writeCertificate(); err != nil {
			return nil, err
		}
		text += fmt.Sprintf("domainRoute: {externalTLS: {certFile: %s.crt, keyFile: %s.key}}\n", d.home, d.home)
	}
	if err := os.WriteFile(d.yaml, []byte(text), 0o600); err != nil {
		return nil, err
	}
	if err := d.start(); err != nil {
		return nil, err
	}
	return d, d.connect()
}

// start starts the process and waits until it is ready.
func (d *domain) start() error {
	d.mu.Lock()
	d.process = d.node.Command(context.Background(), d.binary, "start", "-c", d.yaml, "--home", d.home)
	d.process.Env = []string{"PATH=" + os.Getenv("PATH"), "ENVOY=" + os.Getenv("ENVOY")}
	d.process.Stderr = &d.said
	err := d.process.Start()
	d.mu.Unlock()
	if err != nil {
		return err
	}
	out, err := exec.Command(d.binary, "status", "--home", d.home, "--wait", "--timeout", patience.String()).CombinedOutput()
	if err != nil {
		return fmt.Errorf("domain %s did not become ready: %w\n%s\nits own words:\n%s", d.id, err, out, d.said.String())
	}
	return nil
}

// kill ends the control plane as a power cut would; its Envoy stays.
func (d *domain) kill() error {
	if err := d.process.Kill(); err != nil {
		return err
	}
	_ = d.process.Wait() // it was killed, and says so
	return nil
}

// connect makes the administrator's client.
func (d *domain) connect() error {
	cfg, err := clientcmd.BuildConfigFromFlags("", filepath.Join(d.home, "etc", "kubeconfig"))
	if err != nil {
		return err
	}
	cfg.Dial = d.node.Dial
	cfg.QPS, cfg.Burst = 1000, 2000
	cfg.WarningHandler = rest.NoWarnings{}
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	utilruntime.Must(discoveryv1.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	d.client, err = client.NewWithWatch(cfg, client.Options{Scheme: scheme})
	return err
}

// found starts alice and bob and joins them by a route in each direction, under tokens that both know.
func found(dir string, l *lab.Lab) error {
	var wait sync.WaitGroup
	made := make([]*domain, 2)
	failed := make([]error, 2)
	for i := range made {
		wait.Go(func() { made[i], failed[i] = newDomain(dir, l.Node([]string{"alice", "bob"}[i])) })
	}
	wait.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	alice, bob = made[0], made[1]
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, d := range made {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: d.id}}
		if err := client.IgnoreAlreadyExists(d.client.Create(ctx, namespace)); err != nil {
			return err
		}
	}
	return errors.Join(join(ctx, alice, bob), join(ctx, bob, alice))
}

// join makes the route by which source calls destination, over TLS and with a first token. Each has handed its certificate to the other.
func join(ctx context.Context, source, destination *domain) error {
	token, err := seal.NewToken(rand.Reader)
	if err != nil {
		return err
	}
	authority, err := os.ReadFile(filepath.Join(destination.home, "etc", "domain.crt"))
	if err != nil {
		return err
	}
	for _, d := range []*domain{source, destination} {
		route := &v1alpha1.DomainRoute{
			ObjectMeta: metav1.ObjectMeta{Namespace: d.id, Name: names.DomainRoute(source.id, destination.id)},
			Spec: v1alpha1.RouteSpec{
				Source: source.id, Destination: destination.id, AuthenticationType: v1alpha1.AuthToken,
				Endpoint: v1alpha1.RouteEndpoint{
					Host:  destination.node.IP().String(),
					Ports: []v1alpha1.RoutePort{{Name: "http", Port: names.PortExternal, Protocol: v1alpha1.PortHTTP, IsTLS: true}},
				},
				MTLSConfig:  &v1alpha1.MTLSConfig{TLSCA: base64.StdEncoding.EncodeToString(authority)},
				TokenConfig: &v1alpha1.TokenConfig{TokenGenMethod: v1alpha1.TokenGenRSA},
			},
		}
		if err := d.client.Create(ctx, route); err != nil {
			return err
		}
		if err := d.giveTokens(ctx, route, token); err != nil {
			return err
		}
	}
	return nil
}

// giveTokens writes tokens into a route's status as the handshake will, oldest first.
func (d *domain) giveTokens(ctx context.Context, route *v1alpha1.DomainRoute, tokens ...seal.Token) error {
	if err := d.client.Get(ctx, client.ObjectKeyFromObject(route), route); err != nil {
		return err
	}
	base := route.DeepCopy()
	route.Status.TokenStatus.Tokens = nil
	for i, token := range tokens {
		sealed, err := token.Seal(&d.key.PublicKey, rand.Reader)
		if err != nil {
			return err
		}
		route.Status.TokenStatus.Tokens = append(route.Status.TokenStatus.Tokens, v1alpha1.RouteToken{Token: sealed, Revision: int64(i + 1), IsReady: true})
	}
	return d.client.Status().Patch(ctx, route, client.MergeFrom(base))
}

// serve makes a service of the domain with one endpoint at its own machine.
func (d *domain) serve(ctx context.Context, service string, port int, change ...func(*corev1.Service)) error {
	svc := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: d.id, Name: service},
		Spec:       corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Ports: []corev1.ServicePort{{Name: "http", Port: int32(port)}}},
	}
	for _, c := range change {
		c(svc)
	}
	if err := d.client.Create(ctx, svc); err != nil {
		return err
	}
	number, name, ready := int32(port), "http", true
	return d.client.Create(ctx, &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: d.id, Name: service, Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &number}},
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{d.node.IP().String()}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
	})
}

// asRefused tells whether this machine refuses labs.
func asRefused(err error, refused **lab.RefusedError) bool { return errors.As(err, refused) }

// gatewayDialer connects to the domain's internal listener, whatever the address says, as its pods do.
func (d *domain) gatewayDialer(ctx context.Context, _, _ string) (net.Conn, error) {
	return d.node.Dial(ctx, "tcp", net.JoinHostPort(d.node.IP().String(), "80"))
}
