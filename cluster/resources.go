package cluster

import (
	"context"
	"log/slog"

	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"

	"github.com/entente-mesh/entente/cluster/crds"
	"github.com/entente-mesh/entente/cluster/rbac"
)

// resources is the part that puts Entente's definitions, roles and namespaces on a ready API server, and writes nothing when
// they are there.
type resources struct {
	rest  func() *rest.Config
	log   *slog.Logger
	ready chan struct{}
}

func newResources(rest func() *rest.Config, log *slog.Logger) *resources {
	return &resources{rest: rest, log: log, ready: make(chan struct{})}
}

// String names the part.
func (r *resources) String() string { return "resources" }

// Ready is closed when the API serves all of Entente's kinds.
func (r *resources) Ready() <-chan struct{} { return r.ready }

// Run applies once and then has nothing to do.
func (r *resources) Run(ctx context.Context) error {
	client := r.rest()
	both, applying := errgroup.WithContext(ctx)
	both.Go(func() error {
		result, err := crds.Apply(applying, client, r.log)
		if err != nil {
			return err
		}
		r.log.Info("resource definitions applied", "created", result.Created, "updated", result.Updated, "unchanged", result.Unchanged)
		return nil
	})
	both.Go(func() error {
		changed, err := rbac.Apply(applying, client, r.log)
		if err != nil {
			return err
		}
		r.log.Info("roles and namespaces applied", "changed", changed)
		return nil
	})
	if err := both.Wait(); err != nil {
		return err
	}
	close(r.ready)
	<-ctx.Done()
	return nil
}
