package source

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/internal/sorted"
	"github.com/entente-mesh/entente/mesh"
)

// A kind is one kind of object and its watch.
type kind struct {
	resource  string
	namespace string
	client    rest.Interface
	example   runtime.Object
	store     cache.ReflectorStore
	log       *slog.Logger
	away      *atomic.Bool // the last request failed
}

// kinds are the objects that a mesh is made of.
func kinds(w *world, c clients, cfg Config) []kind {
	l := lean{namespace: cfg.Namespace}
	named := func(o metav1.Object) string { return o.GetName() }
	all := []kind{
		{resource: "services", client: c.core, example: &corev1.Service{}, store: &sink[*corev1.Service]{
			world: w, key: named, lean: l.service, in: func(o *mesh.Objects) *sorted.Map[*corev1.Service] { return &o.Services },
		}},
		{resource: "endpointslices", client: c.discovery, example: &discoveryv1.EndpointSlice{}, store: &sink[*discoveryv1.EndpointSlice]{
			world: w, key: sliceKey, lean: l.slice, in: func(o *mesh.Objects) *sorted.Map[*discoveryv1.EndpointSlice] { return &o.Slices },
		}},
		{resource: "pods", client: c.core, example: &corev1.Pod{}, store: &sink[*corev1.Pod]{
			world: w, key: named, lean: l.pod, in: func(o *mesh.Objects) *sorted.Map[*corev1.Pod] { return &o.Pods },
		}},
		{resource: "domainroutes", client: c.custom, example: &v1alpha1.DomainRoute{}, store: &sink[*v1alpha1.DomainRoute]{
			world: w, key: named, lean: l.route, in: func(o *mesh.Objects) *sorted.Map[*v1alpha1.DomainRoute] { return &o.Routes },
		}},
		{resource: "gateways", client: c.custom, example: &v1alpha1.Gateway{}, store: &sink[*v1alpha1.Gateway]{
			world: w, key: named, lean: l.gateway, in: func(o *mesh.Objects) *sorted.Map[*v1alpha1.Gateway] { return &o.Gateways },
		}},
	}
	for i := range all {
		all[i].namespace, all[i].log, all[i].away = cfg.Namespace, cfg.Log, &atomic.Bool{}
	}
	return all
}

// sliceKey puts the slices of a service together. A slice of no service has no place.
func sliceKey(o metav1.Object) string {
	service := o.GetLabels()[discoveryv1.LabelServiceName]
	if service == "" {
		return ""
	}
	return mesh.SliceKey(service, o.GetName())
}

// Back-off of a watch that fails: the API server is mostly on this machine, and many gateways start over at different times.
const (
	firstPause = 50 * time.Millisecond
	mostPause  = time.Second
)

// follow keeps the store like the API server has it, until ctx ends.
func (k *kind) follow(ctx context.Context) {
	backoff := &wait.Backoff{Duration: firstPause, Cap: mostPause, Steps: 100, Factor: 1.6, Jitter: 0.5}
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			list, err := k.request(options).Do(ctx).Get()
			return list, k.note(ctx, err)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.Watch = true
			w, err := k.request(options).Watch(ctx)
			if options.SendInitialEvents != nil && apierrors.IsInvalid(err) {
				return w, err // an API server that cannot begin a watch with what there is; it is asked for a list next
			}
			return w, k.note(ctx, err)
		},
	}
	r := cache.NewReflectorWithOptions(lw, k.example, k.store, cache.ReflectorOptions{Name: "mesh of " + k.namespace, TypeDescription: k.resource, Backoff: backoff})
	// What the library would say of each failed request, note says once.
	r.RunWithContext(klog.NewContext(ctx, logr.Discard()))
}

func (k *kind) request(options metav1.ListOptions) *rest.Request {
	return k.client.Get().Namespace(k.namespace).Resource(k.resource).VersionedParams(&options, parameters)
}

// note tells once when the API server goes away and once when it is back.
func (k *kind) note(ctx context.Context, err error) error {
	if failed := err != nil && ctx.Err() == nil; k.away.Swap(failed) != failed {
		if failed {
			k.log.Warn("cannot follow objects, what is known stays in use", "domain", k.namespace, "resource", k.resource, "err", err)
		} else if ctx.Err() == nil {
			k.log.Info("following objects again", "domain", k.namespace, "resource", k.resource)
		}
	}
	return err
}
