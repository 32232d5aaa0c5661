package fleet

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/auth/keys"
	"github.com/entente-mesh/entente/auth/seal"
	"github.com/entente-mesh/entente/internal/lab/envoy"
)

// A domain is one of the fleet's.
type domain struct {
	id       string
	fleet    *fleet
	key      *rsa.PrivateKey
	gateways []*gateway
}

// A gateway is one Envoy of a domain, or will be.
type gateway struct {
	domain             *domain
	name               string
	address            string // where its doors are looked at
	external, internal string
	envoy              *envoy.Envoy
}

// newDomain makes a domain with some gateways, without a folder: for what each story does with the folder, see found. Its id begins with the
// name.
func (f *fleet) newDomain(t *testing.T, name string, gateways int) *domain {
	t.Helper()
	d := f.lostDomain(t, name, gateways)
	d.settle(t)
	return d
}

// lostDomain is a domain without a namespace.
func (f *fleet) lostDomain(t *testing.T, name string, gateways int) *domain {
	t.Helper()
	key, err := keys.GeneratePrivate(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d := &domain{id: name + "-" + strings.ToLower(rand.Text()[:6]), fleet: f, key: key}
	for i := range gateways {
		d.gateways = append(d.gateways, &gateway{domain: d, name: fmt.Sprintf("gw-%d", i), address: "127.0.0.1", external: freePort(t), internal: freePort(t)})
	}
	return d
}

// settle makes the domain's namespace.
func (d *domain) settle(t *testing.T) {
	t.Helper()
	if err := api.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: d.id}}); err != nil {
		t.Fatal(err)
	}
}

// freePort is an address that nothing uses now.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func (d *domain) folder() string { return filepath.Join(d.fleet.domains(), d.id) }

// keyFile is a file with the domain's key outside the folder, for who has the key anyway.
func (d *domain) keyFile(t *testing.T) string {
	t.Helper()
	file := d.fleet.at(d.id + ".key")
	write(t, file, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(d.key)}))
	return file
}

// found makes the domain's folder, from one moment to the next.
func (d *domain) found(t *testing.T) {
	t.Helper()
	made := d.fleet.at("." + d.id)
	if err := os.Mkdir(made, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(d.keyFile(t), filepath.Join(made, "domain.key")); err != nil {
		t.Fatal(err)
	}
	d.describe(t, made)
	if err := os.Rename(made, d.folder()); err != nil {
		t.Fatal(err)
	}
}

// describe writes where the gateways are.
func (d *domain) describe(t *testing.T, folder string) {
	t.Helper()
	var text strings.Builder
	for _, g := range d.gateways {
		fmt.Fprintf(&text, "%s:\n  address: %s\n  external: %s\n  internal: [%q]\n", g.name, g.address, g.external, g.internal)
	}
	write(t, filepath.Join(folder, "gateways.yaml"), []byte(text.String()))
}

// start starts the Envoys, by the folders that `entente gateway bootstrap` makes.
func (d *domain) start(t *testing.T) {
	t.Helper()
	for _, g := range d.gateways {
		g.start(t)
	}
}

func (g *gateway) start(t *testing.T) {
	t.Helper()
	dir := envoy.Dir(t)
	f := g.domain.fleet
	out, complaint, code := f.run(t, "gateway", "bootstrap", "--domain", g.domain.id, "--name", g.name, "--server", f.address, "--server-name", serverName,
		"--domain-key", g.domain.keyFile(t), "--server-ca", f.at("ca.crt"), "-o", dir)
	if code != 0 || !strings.Contains(out, "envoy -c "+dir+"/bootstrap.json") {
		t.Fatalf("bootstrap ended with %d and said %s%s", code, out, complaint)
	}
	text, err := os.ReadFile(filepath.Join(dir, "bootstrap.json"))
	if err != nil {
		t.Fatal(err)
	}
	g.envoy = envoy.Start(t, envoy.Options{Dir: dir, Bootstrap: text})
}

// join makes the route by which source calls destination at one of its gateways.
func join(t *testing.T, source, destination *domain, at *gateway) {
	t.Helper()
	token, err := seal.NewToken(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []*domain{source, destination} {
		route := &v1alpha1.DomainRoute{
			ObjectMeta: metav1.ObjectMeta{Namespace: d.id, Name: names.DomainRoute(source.id, destination.id)},
			Spec: v1alpha1.RouteSpec{
				Source: source.id, Destination: destination.id, AuthenticationType: v1alpha1.AuthToken,
				Endpoint: endpoint(t, at), TokenConfig: &v1alpha1.TokenConfig{TokenGenMethod: v1alpha1.TokenGenRSA},
			},
		}
		if err := api.Create(t.Context(), route); err != nil {
			t.Fatal(err)
		}
		sealed, err := token.Seal(&d.key.PublicKey, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		base := route.DeepCopy()
		route.Status.TokenStatus.Tokens = []v1alpha1.RouteToken{{Token: sealed, Revision: 1, IsReady: true}}
		if err := api.Status().Patch(t.Context(), route, client.MergeFrom(base)); err != nil {
			t.Fatal(err)
		}
	}
}

// endpoint is where a gateway lets partners in.
func endpoint(t *testing.T, g *gateway) v1alpha1.RouteEndpoint {
	t.Helper()
	host, port, err := net.SplitHostPort(g.external)
	if err != nil {
		t.Fatal(err)
	}
	var number int
	if _, err := fmt.Sscan(port, &number); err != nil {
		t.Fatal(err)
	}
	return v1alpha1.RouteEndpoint{Host: host, Ports: []v1alpha1.RoutePort{{Name: "http", Port: number, Protocol: v1alpha1.PortHTTP}}}
}

// serve makes a service of the domain whose answers name who called.
func (d *domain) serve(t *testing.T, service string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s called by %s", service, r.Header.Get(names.HeaderSource))
	}))
	t.Cleanup(server.Close)
	address := server.Listener.Addr().(*net.TCPAddr) //nolint:forcetypeassert // it listens on TCP
	// Kubernetes takes no loopback address for the endpoint of a service, but for a host outside.
	err := api.Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: d.id, Name: service},
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeExternalName, ExternalName: address.IP.String(), Ports: []corev1.ServicePort{{Name: "http", Port: int32(address.Port)}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// awaitCall calls a service as a pod beside the gateway does, until it answers that it was called by the gateway's domain. In their own
// domain, services are not told who calls.
func (g *gateway) awaitCall(t *testing.T, service string, of *domain) {
	t.Helper()
	await(t, func(ctx context.Context) error { return g.call(ctx, service, of) })
}

func (g *gateway) call(ctx context.Context, service string, of *domain) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.internal+"/", nil)
	if err != nil {
		return err
	}
	request.Host = service + "." + of.id + ".svc"
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body := make([]byte, 200)
	n, _ := answer.Body.Read(body) // what came is compared
	source := g.domain.id
	if of == g.domain {
		source = ""
	}
	if want := service + " called by " + source; answer.StatusCode != http.StatusOK || string(body[:n]) != want {
		return fmt.Errorf("%s was answered %s %q %s, want %q", request.Host, answer.Status, body[:n], answer.Header.Get(names.HeaderErrorMessage), want)
	}
	return nil
}
