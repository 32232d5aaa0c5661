package mesh

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/entente-mesh/entente/internal/kubelog"
	"github.com/entente-mesh/entente/internal/lab"
)

// alice and bob serve all stories, which therefore run one after the other; each has services of its own. They are nil where this machine
// cannot run them, and noWorld says why.
var (
	alice, bob *domain
	noWorld    string
)

func TestMain(m *testing.M) {
	lab.Init()
	ctrllog.SetLogger(logr.Discard())
	kubelog.Redirect(slog.New(slog.DiscardHandler))
	os.Exit(withWorld(m))
}

// withWorld runs the stories between two domains that are joined by a route.
func withWorld(m *testing.M) int {
	if os.Getenv("ENVOY") == "" {
		noWorld = "ENVOY is not set: run `make test`, or set it to what `deploy/envoy/find` prints"
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "entente-mesh-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	l, err := lab.Start(context.Background(), lab.Config{Nodes: []string{"alice", "bob"}})
	if refused := new(lab.RefusedError); asRefused(err, &refused) {
		noWorld = refused.Error()
		return m.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() {
		if err := l.Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	if err := found(dir, l); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// world skips a story that this machine cannot show, and says why.
func world(t *testing.T) {
	t.Helper()
	if noWorld != "" {
		t.Skip(noWorld)
	}
}
