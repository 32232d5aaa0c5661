package gateway_test

import (
	"context"
	"crypto/rsa"
	"math/big"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/auth/keys"
	"github.com/entente-mesh/entente/controllers/gateway"
	"github.com/entente-mesh/entente/internal/lab/entente"
)

// The same cases run before a simulated API server and before a real one.
func TestTheObjectHoldsWhatTheGatewayReportsAndWhatOthersWrote(t *testing.T) {
	t.Parallel()
	t.Run("simulated", func(t *testing.T) {
		t.Parallel()
		objectCases(t, simulated(t))
	})
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		if os.Getenv("ENTENTE_BIN") == "" {
			t.Skip("ENTENTE_BIN is not set: run `make test`, or set it to a built entente")
		}
		c, err := client.New(entente.Start(t, entente.Config{}).REST(t), client.Options{Scheme: scheme(t)})
		if err != nil {
			t.Fatal(err)
		}
		// The node has made the namespace of its own domain, or will never do so.
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "alice"}}
		if err := client.IgnoreAlreadyExists(c.Create(t.Context(), ns)); err != nil {
			t.Fatal(err)
		}
		objectCases(t, c)
		for _, m := range object(t, c).ManagedFields {
			if m.Manager == "entente-gateway" && m.Subresource != "status" {
				t.Errorf("the reporter owns %s outside the status", m.FieldsV1)
			}
		}
	})
}

// objectCases are in an order: each begins with what the one before has left.
func objectCases(t *testing.T, c client.Client) {
	stats := &envoyStub{}
	cfg := config(c)
	cfg.Stats = stats
	public := keys.EncodePublic(cfg.PublicKey)

	stats.set(nil, status(v1alpha1.GatewayTargetDomainRoute, "alice-to-bob", 2, 1))
	reportOnce(t, cfg)
	want := v1alpha1.GatewayStatus{
		Address: "10.0.0.1", PublicKey: public, Version: "v1.2.3",
		NetworkStatus: []v1alpha1.GatewayEndpointStatus{status(v1alpha1.GatewayTargetDomainRoute, "alice-to-bob", 2, 1)},
	}
	checkStatus(t, "an object that was not there is made", want, object(t, c))

	theirs := object(t, c)
	patch := client.MergeFrom(theirs.DeepCopy())
	theirs.Labels, theirs.Annotations = map[string]string{"their": "label"}, map[string]string{"their": "annotation"}
	if err := c.Patch(t.Context(), theirs, patch); err != nil {
		t.Fatal(err)
	}
	patch = client.MergeFrom(theirs.DeepCopy())
	theirs.Status.Address, theirs.Status.Version = "10.9.9.9", "foreign"
	if err := c.Status().Patch(t.Context(), theirs, patch); err != nil {
		t.Fatal(err)
	}
	stats.set(nil)
	cfg.Version = "v1.2.4"
	reportOnce(t, cfg)
	want.Version, want.NetworkStatus = "v1.2.4", nil
	got := object(t, c)
	checkStatus(t, "a status that another wrote is taken over, and what ended is gone", want, got)
	if diff := cmp.Diff([]map[string]string{{"their": "label"}, {"their": "annotation"}}, []map[string]string{got.Labels, got.Annotations}); diff != "" {
		t.Errorf("labels and annotations of others (-want +got):\n%s", diff)
	}

	if err := c.Delete(t.Context(), object(t, c)); err != nil {
		t.Fatal(err)
	}
	reportOnce(t, cfg)
	checkStatus(t, "an object that somebody removed is made again", want, object(t, c))
}

// reportOnce runs a reporter until its first report, and stops it.
func reportOnce(t *testing.T, cfg gateway.Config) {
	t.Helper()
	task := reporter(t, cfg)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- task.Run(ctx) }()
	select {
	case <-task.Ready():
	case <-ctx.Done():
		t.Error("no report within a minute")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// checkStatus compares all but the times, which must be of just now.
func checkStatus(t *testing.T, what string, want v1alpha1.GatewayStatus, o *v1alpha1.Gateway) {
	t.Helper()
	got := o.Status
	for _, at := range []metav1.Time{got.UpTime, got.HeartbeatTime} {
		if age := time.Since(at.Time); age < 0 || age > time.Minute {
			t.Errorf("%s: a time is %v ago", what, age)
		}
	}
	got.UpTime, got.HeartbeatTime = metav1.Time{}, metav1.Time{}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func scheme(tb testing.TB) *runtime.Scheme {
	tb.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			tb.Fatal(err)
		}
	}
	return s
}

// config is a gateway of alice that is proven.
func config(c client.Client) gateway.Config {
	proven := make(chan struct{})
	close(proven)
	return gateway.Config{
		Client: c, Domain: "alice", Name: "gw-0", Address: netip.MustParseAddr("10.0.0.1"), Version: "v1.2.3",
		PublicKey: publicKey(), Stats: &envoyStub{}, Proven: proven,
	}
}

// publicKey is a key of the right size; nobody holds its private half.
func publicKey() *rsa.PublicKey {
	return &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 2047, 1), E: 65537}
}

func reporter(tb testing.TB, cfg gateway.Config) *gateway.Reporter {
	tb.Helper()
	r, err := gateway.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func get(t *testing.T, c client.Client) (*v1alpha1.Gateway, error) {
	t.Helper()
	o := &v1alpha1.Gateway{}
	return o, c.Get(t.Context(), client.ObjectKey{Namespace: "alice", Name: "gw-0"}, o)
}

func object(t *testing.T, c client.Client) *v1alpha1.Gateway {
	t.Helper()
	o, err := get(t, c)
	if err != nil {
		t.Fatal(err)
	}
	return o
}
