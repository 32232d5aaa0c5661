package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/entente-mesh/entente/benchmarks/proc"
)

// Who calls whom. The words of the wire are the original's.
const (
	domain      = "bob"
	partner     = "alice"
	service     = "echo"
	serviceHost = service + "." + domain + ".svc"
	routeName   = partner + "-" + domain

	headerHost   = "kuscia-host"
	headerSource = "kuscia-source"
	headerOrigin = "kuscia-origin-source"
	headerToken  = "kuscia-token"
	sealPrefix   = "kuscia"
)

// A node is a running Entente with one partner that may call its one service.
type node struct {
	process *proc.Process
	key     *rsa.PrivateKey
	token   string // of the partner, as requests carry it
	home    string
	config  string // a file
	address string // of the listener for partners
}

// newNode makes a node that start will start.
func newNode(dir string) (*node, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	n := &node{key: key, home: filepath.Join(dir, "home"), config: filepath.Join(dir, "kuscia.yaml"), address: fmt.Sprintf("127.0.0.1:%d", ports[0])}
	text := fmt.Sprintf("mode: autonomy\ndomainID: %s\ndomainKeyData: %s\nprotocol: NOTLS\nentente:\n  cluster: {listen: \"127.0.0.1:0\"}\n"+
		"  gateway: {name: %s-0, workers: 1, address: 127.0.0.1, external: \"%s\", internal: \"127.0.0.1:%d\"}\n  dns: {enabled: false, listen: \"127.0.0.1:%d\"}\n",
		domain, encodeKey(key), domain, n.address, ports[1], ports[2])
	if err := os.WriteFile(n.config, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return n, nil
}

// start starts the node and returns when it says that it is ready.
func (n *node) start(ctx context.Context) error {
	binary := os.Getenv("ENTENTE_BIN")
	if binary == "" {
		return errors.New("ENTENTE_BIN is not set: `make bench` builds the program and sets it")
	}
	binary, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	n.process, err = proc.Start(ctx, proc.Command{
		Name: "entente", Path: binary, Args: []string{"start", "-c", n.config, "--home", n.home}, Ready: "ready after ",
	})
	if err != nil {
		return err
	}
	_, err = n.process.AwaitReady(ctx)
	return err
}

// end stops the node, and its Envoy, which would outlive a node that was killed.
func (n *node) end() error {
	if n.process == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, err := n.process.Stop(ctx); err == nil {
		return nil // in order
	}
	n.process.Kill()
	if pid, err := envoyOf(n.home); err == nil {
		return syscall.Kill(pid, syscall.SIGKILL)
	}
	return nil
}

// encodeKey is the key as the configuration wants it.
func encodeKey(key *rsa.PrivateKey) string {
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(block))
}

// freePorts finds ports of loopback. Somebody else may take one before it is used, hardly ever.
func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		ports[i] = listener.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}

// seal is a fresh token as requests carry it, and as the route's status does.
func (n *node) seal() (header, sealed string, err error) {
	secret := make([]byte, 32)
	if _, err := rand.Read(secret); err != nil {
		return "", "", err
	}
	//lint:ignore SA1019 the format of the wire
	raw, err := rsa.EncryptPKCS1v15(rand.Reader, &n.key.PublicKey, append([]byte(sealPrefix), secret...))
	return base64.StdEncoding.EncodeToString(secret), base64.StdEncoding.EncodeToString(raw), err
}

// furnish makes the partner's route, with a token, and the service.
func (n *node) furnish(ctx context.Context, at *net.TCPAddr) error {
	header, sealed, err := n.seal()
	if err != nil {
		return err
	}
	n.token = header
	client, err := n.administrator()
	if err != nil {
		return err
	}
	objects := []struct {
		resource schema.GroupVersionResource
		object   map[string]any
	}{
		{schema.GroupVersionResource{Version: "v1", Resource: "services"}, map[string]any{
			"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": service},
			"spec": map[string]any{"clusterIP": "None", "ports": []any{map[string]any{"name": "http", "port": int64(at.Port)}}},
		}},
		{schema.GroupVersionResource{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"}, map[string]any{
			"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
			"metadata":  map[string]any{"name": service, "labels": map[string]any{"kubernetes.io/service-name": service}},
			"ports":     []any{map[string]any{"name": "http", "port": int64(at.Port)}},
			"endpoints": []any{map[string]any{"addresses": []any{at.IP.String()}, "conditions": map[string]any{"ready": true}}},
		}},
		{routes(), map[string]any{
			"apiVersion": "kuscia.secretflow/v1alpha1", "kind": "DomainRoute", "metadata": map[string]any{"name": routeName},
			"spec": map[string]any{
				"source": partner, "destination": domain, "authenticationType": "Token", "tokenConfig": map[string]any{"tokenGenMethod": "RSA-GEN"},
				"endpoint": map[string]any{"host": "192.0.2.1", "ports": []any{map[string]any{"name": "http", "port": int64(1080), "protocol": "HTTP"}}},
			},
		}},
	}
	for _, o := range objects {
		_, err := client.Resource(o.resource).Namespace(domain).Create(ctx, &unstructured.Unstructured{Object: o.object}, metav1.CreateOptions{})
		if err != nil {
			return fmt.Errorf("create a %s: %w", o.object["kind"], err)
		}
	}
	patch := fmt.Sprintf(`{"status":{"isDestinationAuthorized":true,"isDestinationUnreachable":false,"tokenStatus":{"tokens":[{"token":%q,"revision":1,"isReady":true}]}}}`, sealed)
	_, err = client.Resource(routes()).Namespace(domain).Patch(ctx, routeName, types.MergePatchType, []byte(patch), metav1.PatchOptions{}, "status")
	if err != nil {
		return fmt.Errorf("give the route its token: %w", err)
	}
	return nil
}

func routes() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "kuscia.secretflow", Version: "v1alpha1", Resource: "domainroutes"}
}

func (n *node) administrator() (dynamic.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(n.home, "etc", "kubeconfig"))
	if err != nil {
		return nil, err
	}
	config.WarningHandler = rest.NoWarnings{}
	return dynamic.NewForConfig(config)
}

// headers are those of the partner's requests.
func (n *node) headers() []field {
	return []field{
		{headerHost, serviceHost},
		{headerSource, partner},
		{headerOrigin, partner},
		{headerToken, n.token},
		{"user-agent", "benchmark"},
		{"accept", "*/*"},
		{"x-b3-traceid", strings.Repeat("0af7651916cd43dd", 2)},
	}
}

// admin is the socket of the admin interface of the node's Envoy.
func (n *node) admin() string { return filepath.Join(n.home, "var", "run", "envoy", "admin.sock") }
