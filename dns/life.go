package dns

import (
	"context"
	"fmt"
	"sync"
	"time"

	clog "github.com/coredns/coredns/plugin/pkg/log"

	"github.com/entente-mesh/entente/mesh"
)

// patience is how long a start waits for the first mesh, as the plugin kubernetes does.
const patience = 5 * time.Second

// An origin is where meshes come from.
type origin interface {
	// Run keeps the newest mesh until ctx ends.
	Run(ctx context.Context) error
	// Mesh is as in Config.
	Mesh() (newest *mesh.Mesh, since time.Time, changed <-chan struct{})
}

// A life is what CoreDNS starts and stops around a Handler: one for each server block that has one, and a new one for each reload.
type life struct {
	handler *Handler
	origin  origin
	reload  bool            // another instance answers until this one has started
	root    context.Context // the life's end is stop; CoreDNS has no contexts
	cancel  context.CancelFunc
	tasks   sync.WaitGroup
	failed  chan error // holds why the origin ended by itself
}

func newLife(root context.Context, h *Handler, o origin) *life {
	l := &life{handler: h, origin: o, reload: true, failed: make(chan error, 1)}
	l.root, l.cancel = context.WithCancel(root)
	return l
}

// first says that there was no instance before this one.
func (l *life) first() error {
	l.reload = false
	return nil
}

// start follows the origin and waits a while for the first mesh, so that a reload does not answer SERVFAIL in between. Where none comes,
// a reload fails and the instance before goes on with the answers that it has; a first start goes on and answers SERVFAIL until then.
func (l *life) start() error {
	l.tasks.Go(func() {
		if err := l.origin.Run(l.root); err != nil {
			l.failed <- err
		}
	})
	l.tasks.Go(func() { l.handler.Follow(l.root) })
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case <-l.handler.Synced():
		l.tasks.Go(l.watch)
		return nil
	case err := <-l.failed:
		_ = l.stop() // it only waits
		return fmt.Errorf("read the API server: %w", err)
	case <-wait.C:
	}
	if l.reload {
		_ = l.stop() // it only waits
		return fmt.Errorf("no mesh was seen within %s, so the answers from before the reload stay: see whether the API server answers, then reload again", patience)
	}
	l.tasks.Go(l.watch)
	return nil
}

// watch tells people when no more changes will be seen, for whatever reason.
func (l *life) watch() {
	select {
	case err := <-l.failed:
		clog.NewWithPlugin(pluginName).Errorf("the mesh is not followed any more: %v; restart CoreDNS", err)
	case <-l.root.Done():
	}
}

// stop ends everything and waits for it.
func (l *life) stop() error {
	l.cancel()
	l.tasks.Wait()
	return nil
}
