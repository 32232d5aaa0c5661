package publish

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/flowcontrol"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/internal/run"
	"github.com/entente-mesh/entente/mesh"
)

// writeTimeout bounds one call of the API server.
const writeTimeout = 10 * time.Second

// reports writes on objects how they stand: the annotation names.AnnotationProgrammed and, when it turned bad or good again, an event. Each object is
// read before it is written, and what stands there already is not written again.
type reports struct {
	p     *Publisher
	limit flowcontrol.RateLimiter
	pause run.Backoff

	mu sync.Mutex
	// Guarded by mu. An object waits once at most, so that there are never more than objects.
	waiting map[object]struct{}
	order   []object
	more    chan struct{} // has room for one; full when something waits
}

func newReports(p *Publisher) *reports {
	return &reports{
		p: p, limit: flowcontrol.NewTokenBucketRateLimiter(float32(p.cfg.Reports), 2*p.cfg.Reports),
		waiting: map[object]struct{}{}, more: make(chan struct{}, 1),
	}
}

// add asks for a report on an object. It never blocks.
func (r *reports) add(o object) {
	if _, ok := kindOf(o); !ok || r.p.cfg.Client == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, there := r.waiting[o]; !there {
		r.waiting[o] = struct{}{}
		r.order = append(r.order, o)
	}
	select {
	case r.more <- struct{}{}:
	default:
	}
}

// take is the object that has waited longest.
func (r *reports) take() (object, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.order) == 0 {
		return object{}, false
	}
	o := r.order[0]
	if r.order = r.order[1:]; len(r.order) == 0 {
		r.order = nil
	}
	delete(r.waiting, o)
	return o, true
}

// run writes one report after the other. While the API server is away, objects wait.
func (r *reports) run(ctx context.Context) error {
	failures := 0
	for {
		o, ok := r.take()
		if !ok {
			select {
			case <-r.more:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		if err := r.limit.Wait(ctx); err != nil {
			return nil // ctx has ended
		}
		err := r.report(ctx, o)
		if err == nil {
			failures = 0
			continue
		}
		if ctx.Err() != nil {
			return nil
		}
		r.add(o)
		r.p.metrics.reports.WithLabelValues(resultFailed).Inc()
		failures++
		if failures == 1 && !apierrors.IsConflict(err) {
			r.p.cfg.Log.Warn("an object could not be told how it stands; trying again", "kind", o.kind, "namespace", o.namespace, "name", o.name, "error", err)
		}
		select {
		case <-time.After(r.pause.Pause(failures)):
		case <-ctx.Done():
			return nil
		}
	}
}

// kindOf is the API kind of an object, and whether it is reported on. Others have conditions of their own, or nobody who reads them.
func kindOf(o object) (schema.GroupVersionKind, bool) {
	switch o.kind {
	case mesh.KindService:
		return corev1.SchemeGroupVersion.WithKind(o.kind), true
	case mesh.KindRoute:
		return v1alpha1.GroupVersion.WithKind(o.kind), true
	}
	return schema.GroupVersionKind{}, false
}

// report writes how one object stands.
func (r *reports) report(ctx context.Context, o object) error {
	published := r.p.published.Load()
	s := stands(o, published, r.p.cfg.Cache.Board().Object)
	if !s.decided {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	found := &metav1.PartialObjectMetadata{}
	kind, _ := kindOf(o)
	found.SetGroupVersionKind(kind)
	if err := r.p.cfg.Client.Get(ctx, client.ObjectKey{Namespace: o.namespace, Name: o.name}, found); err != nil {
		return client.IgnoreNotFound(err)
	}
	was := found.Annotations[names.AnnotationProgrammed]
	wanted := annotations(o, found, s, time.Now())
	if maps.Equal(wanted, found.Annotations) {
		r.p.metrics.reports.WithLabelValues(resultSame).Inc()
		return nil
	}
	changed := found.DeepCopy()
	changed.Annotations = wanted
	// The patch holds only if nobody has changed the object since: it may be another object of the same name.
	guarded := client.MergeFromWithOptions(found, client.MergeFromWithOptimisticLock{})
	if err := r.p.cfg.Client.Patch(ctx, changed, guarded, client.FieldOwner(fieldOwner)); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("annotate %s %s/%s: %w", o.kind, o.namespace, o.name, err))
	}
	r.p.metrics.reports.WithLabelValues(resultWritten).Inc()
	if was == s.String() {
		return nil
	}
	return r.tell(ctx, found, was, s)
}

// fieldOwner stands in the objects' managed fields.
const fieldOwner = "entente-xds"

// annotations are those that the object should have.
func annotations(o object, found *metav1.PartialObjectMetadata, s standing, now time.Time) map[string]string {
	wanted := maps.Clone(found.Annotations)
	if wanted == nil {
		wanted = map[string]string{}
	}
	wanted[names.AnnotationProgrammed] = s.String()
	if _, there := wanted[names.AnnotationReadyTime]; s.good && !there && o.kind == mesh.KindService {
		wanted[names.AnnotationReadyTime] = now.UTC().Format(time.RFC3339)
	}
	return wanted
}
