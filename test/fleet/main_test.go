package fleet

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/internal/kubelog"
	"github.com/entente-mesh/entente/internal/lab/entente"
)

// patience bounds every wait, so that a hanging product fails its test. It is no measure of speed.
const patience = 30 * time.Second

// node is the API server of all stories; each has domains, and so namespaces, of its own. api is its client.
var (
	node *entente.Process
	api  client.Client
)

func TestMain(m *testing.M) {
	ctrllog.SetLogger(logr.Discard())
	kubelog.Redirect(slog.New(slog.DiscardHandler))
	os.Exit(withNode(m))
}

// withNode runs the stories beside one API server.
func withNode(m *testing.M) int {
	dir, err := os.MkdirTemp("", "entente-fleet-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if node, err = entente.Exec(entente.Config{Home: filepath.Join(dir, "home")}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer node.Kill()
	if err = node.WaitReady(context.Background()); err == nil {
		err = connect()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// connect makes the administrator's client.
func connect() error {
	cfg, err := clientcmd.BuildConfigFromFlags("", node.Kubeconfig())
	if err != nil {
		return err
	}
	cfg.QPS, cfg.Burst = 1000, 2000
	cfg.WarningHandler = rest.NoWarnings{}
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	api, err = client.New(cfg, client.Options{Scheme: scheme})
	return err
}

// await asks until ok says that it is so; what is missing goes into the failure.
func await(t *testing.T, ok func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for last := error(nil); ; {
		err := ok(ctx)
		if err == nil {
			return
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("after %v: %v", patience, last)
		}
	}
}
