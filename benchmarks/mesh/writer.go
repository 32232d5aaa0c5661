package main

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/auth/keys"
)

// writerArgument makes this program the writer: a process of its own, so that what it costs to write objects is not counted as the mesh's.
const writerArgument = "writer"

// writerReady begins the line with which the writer says that it takes orders.
const writerReady = "writer takes orders"

// An order asks the writer for one thing, a line of JSON on its socket; an answer follows, a line too.
type order struct {
	Op       string
	From, To int // of a fill
	Number   int // of a change
	Workers  int
}

// What the writer can be asked for.
const (
	makeNamespace = "make the namespace"
	fillServices  = "fill services"
	fillPartners  = "fill partners"
	fillCallers   = "fill callers"
	addEndpoints  = "add endpoints"
	addService    = "add service"
	moveEndpoint  = "move endpoint"
	rotateToken   = "rotate token"
)

// An answer tells when an order's last write was sent, in monotonic time, or what went wrong.
type answer struct {
	Sent time.Duration
	Err  string
}

// A writer writes objects, and answers health checks for all partners' gateways.
type writer struct {
	api  client.Client
	key  *rsa.PublicKey
	port int // of the partners' gateways
}

// serveWriter takes orders from one connection to the socket until it ends. The arguments are the kubeconfig, the domain's public key and the
// socket.
func serveWriter(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != 3 {
		return fmt.Errorf("writer: got %d arguments, want kubeconfig, public key and socket", len(args))
	}
	w := &writer{}
	var err error
	if w.api, err = apiClient(args[0]); err != nil {
		return err
	}
	if w.key, err = keys.ParsePublic(args[1]); err != nil {
		return err
	}
	partners, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for health checks: %w", err)
	}
	w.port = partners.Addr().(*net.TCPAddr).Port
	well := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), ReadHeaderTimeout: patience}
	go func() { _ = well.Serve(partners) }() // until Close
	defer well.Close()

	listener, err := net.Listen("unix", args[2])
	if err != nil {
		return fmt.Errorf("listen for orders: %w", err)
	}
	fmt.Fprintln(out, writerReady)
	conn, err := listener.Accept()
	if err != nil {
		return fmt.Errorf("wait for orders: %w", err)
	}
	defer conn.Close()
	return w.serve(ctx, conn)
}

func (w *writer) serve(ctx context.Context, conn io.ReadWriter) error {
	in, out := json.NewDecoder(conn), json.NewEncoder(conn)
	for {
		var o order
		if err := in.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read an order: %w", err)
		}
		sent, err := w.obey(ctx, o)
		a := answer{Sent: sent}
		if err != nil {
			a.Err = fmt.Sprintf("%s: %v", o.Op, err)
		}
		if err := out.Encode(a); err != nil {
			return fmt.Errorf("answer an order: %w", err)
		}
	}
}

func (w *writer) obey(ctx context.Context, o order) (time.Duration, error) {
	switch o.Op {
	case makeNamespace:
		namespace := &corev1.Namespace{}
		namespace.Name = domain
		return 0, client.IgnoreAlreadyExists(w.api.Create(ctx, namespace))
	case fillServices:
		return 0, w.many(ctx, o, func(ctx context.Context, i int) error {
			return errors.Join(w.api.Create(ctx, service(serviceName(i))), w.api.Create(ctx, slice(serviceName(i), address(i))))
		})
	case fillPartners:
		return 0, w.many(ctx, o, func(ctx context.Context, i int) error {
			return errors.Join(w.route(ctx, domain, partnerName(i)), w.route(ctx, partnerName(i), domain))
		})
	case fillCallers:
		return 0, w.many(ctx, o, func(ctx context.Context, i int) error { return w.route(ctx, callerName(i), domain) })
	case addEndpoints:
		return 0, w.many(ctx, o, func(ctx context.Context, i int) error { return w.api.Create(ctx, slice(addedName(i), address(i))) })
	case addService:
		return w.send(func() error { return w.api.Create(ctx, service(addedName(o.Number))) })
	case moveEndpoint:
		return w.moveEndpoint(ctx, o.Number)
	case rotateToken:
		return w.rotateToken(ctx, o.Number)
	}
	return 0, errors.New("nobody knows how")
}

// many does something for each number of an order, some at the same time.
func (w *writer) many(ctx context.Context, o order, create func(context.Context, int) error) error {
	failed := make([]error, o.Workers)
	var next atomic.Int64
	var all sync.WaitGroup
	for worker := range failed {
		all.Go(func() {
			for failed[worker] == nil {
				i := o.From + int(next.Add(1)) - 1
				if i >= o.To {
					return
				}
				failed[worker] = create(ctx, i)
			}
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

// send does the write that is waited for, and says when it began.
func (w *writer) send(write func() error) (time.Duration, error) {
	at, err := monotonic()
	if err != nil {
		return 0, err
	}
	return at, write()
}

func (w *writer) route(ctx context.Context, source, destination string) error {
	r := route(source, destination, w.port)
	tokens, err := newTokens(w.key, 1)
	if err != nil {
		return err
	}
	if err := w.api.Create(ctx, r); err != nil {
		return err
	}
	r.Status.TokenStatus.Tokens = tokens
	return w.api.Status().Update(ctx, r)
}

// moveEndpoint gives a service's endpoint another address.
func (w *writer) moveEndpoint(ctx context.Context, number int) (time.Duration, error) {
	s := slice(serviceName(number), address(1<<16+number))
	patch, err := json.Marshal(map[string]any{"endpoints": s.Endpoints})
	if err != nil {
		return 0, err
	}
	named := &discoveryv1.EndpointSlice{ObjectMeta: meta(s.Name)}
	return w.send(func() error { return w.api.Patch(ctx, named, client.RawPatch(types.MergePatchType, patch)) })
}

// rotateToken gives a caller a second token, beside the one that it has: what a rotation writes first.
func (w *writer) rotateToken(ctx context.Context, number int) (time.Duration, error) {
	r := &v1alpha1.DomainRoute{}
	if err := w.api.Get(ctx, types.NamespacedName{Namespace: domain, Name: routeName(callerName(number), domain)}, r); err != nil {
		return 0, err
	}
	tokens, err := newTokens(w.key, 2)
	if err != nil {
		return 0, err
	}
	r.Status.TokenStatus.Tokens = append(r.Status.TokenStatus.Tokens, tokens...)
	return w.send(func() error { return w.api.Status().Update(ctx, r) })
}

// apiClient is a client without any cache or limit.
func apiClient(kubeconfig string) (client.Client, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", kubeconfig, err)
	}
	cfg.QPS = -1
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), discoveryv1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	return client.New(cfg, client.Options{Scheme: scheme})
}
