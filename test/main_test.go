package test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/internal/kubelog"
	"github.com/entente-mesh/entente/internal/lab/entente"
)

// node serves all tests that only need an API server; each has namespaces of its own.
var node *entente.Process

func TestMain(m *testing.M) {
	// Nodes are killed under the clients' hands here; what the clients' libraries say to that is no news.
	ctrllog.SetLogger(logr.Discard())
	kubelog.Redirect(slog.New(slog.DiscardHandler))
	os.Exit(withNode(m))
}

// withNode runs the tests beside one node.
func withNode(m *testing.M) int {
	dir, err := os.MkdirTemp("", "entente-stories-")
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
	if err := node.WaitReady(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// typedClient returns controller-runtime's client for our kinds and Kubernetes' own.
func typedClient(t *testing.T, cfg *rest.Config) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	utilruntime.Must(corev1.AddToScheme(scheme))
	utilruntime.Must(v1alpha1.AddToScheme(scheme))
	c, err := client.New(cfg, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
