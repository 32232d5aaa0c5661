//go:build !lite

package scheduler

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	configv1 "k8s.io/kube-scheduler/config/v1"
	"k8s.io/kubernetes/pkg/scheduler"
	"k8s.io/kubernetes/pkg/scheduler/apis/config"
	"k8s.io/kubernetes/pkg/scheduler/apis/config/scheme"
	frameworkruntime "k8s.io/kubernetes/pkg/scheduler/framework/runtime"
)

// The client's limits: a gang's worth of pods is bound at once, and one runaway process still leaves the server room.
const (
	clientQPS   = 500
	clientBurst = 1000
)

// syncSlow is when the log tells which kinds the API server has not listed yet.
const syncSlow = 15 * time.Second

// A brain is all that a term of leading needs. It is built anew for each term, because informers and queues run once.
type brain struct {
	scheduler *scheduler.Scheduler
	informers informers.SharedInformerFactory
	dynamic   dynamicinformer.DynamicSharedInformerFactory
	events    events.EventBroadcaster
}

// lead schedules until ctx ends.
func (s *Scheduler) lead(ctx context.Context) error {
	b, err := s.think(ctx)
	if err != nil {
		return fmt.Errorf("start as leader: %w", err)
	}
	if err := b.events.StartRecordingToSinkWithContext(ctx); err != nil {
		return fmt.Errorf("start as leader: %w", err)
	}
	defer b.events.Shutdown()
	b.informers.Start(ctx.Done())
	defer b.informers.Shutdown()
	b.dynamic.Start(ctx.Done())
	defer b.dynamic.Shutdown()

	if !s.sync(ctx, b) {
		return nil
	}
	s.leading.Store(true)
	defer s.leading.Store(false)
	s.config.Log.Info("scheduler leads", "names", s.config.SchedulerNames)
	s.becomeReady()
	b.scheduler.Run(ctx)
	return nil
}

// think builds a scheduler with its clients.
func (s *Scheduler) think(ctx context.Context) (*brain, error) {
	options, err := s.options()
	if err != nil {
		return nil, err
	}
	base := rest.AddUserAgent(rest.CopyConfig(s.config.REST), "scheduler")
	base.QPS, base.Burst, base.RateLimiter = clientQPS, clientBurst, nil
	base.WarningHandler = rest.NoWarnings{} // the server deprecates kinds that this scheduler must still read
	untyped, err := dynamic.NewForConfig(base)
	if err != nil {
		return nil, err
	}
	typed := rest.CopyConfig(base)
	typed.ContentType = runtime.ContentTypeProtobuf
	typed.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	client, err := kubernetes.NewForConfig(typed)
	if err != nil {
		return nil, err
	}
	b := &brain{
		informers: scheduler.NewInformerFactory(client, 0, nil),
		dynamic:   dynamicinformer.NewDynamicSharedInformerFactory(untyped, 0),
		events:    events.NewBroadcaster(&events.EventSinkImpl{Interface: client.EventsV1()}),
	}
	recorder := func(name string) events.EventRecorderLogger { return b.events.NewRecorder(clientscheme.Scheme, name) }
	b.scheduler, err = scheduler.New(ctx, client, b.informers, b.dynamic, recorder,
		append(options, scheduler.WithKubeConfig(base))...)
	return b, err
}

// options are Kubernetes' defaults, with the plugins in the profile of each name.
func (s *Scheduler) options() ([]scheduler.Option, error) {
	registry := frameworkruntime.Registry{}
	var plugins configv1.PluginSet
	for _, p := range s.config.Plugins {
		if err := registry.Register(p.Name, p.New); err != nil {
			return nil, err
		}
		plugins.Enabled = append(plugins.Enabled, configv1.Plugin{Name: p.Name})
		for _, name := range p.Replaces {
			plugins.Disabled = append(plugins.Disabled, configv1.Plugin{Name: name})
		}
	}
	var versioned configv1.KubeSchedulerConfiguration
	for _, name := range s.config.SchedulerNames {
		versioned.Profiles = append(versioned.Profiles, configv1.KubeSchedulerProfile{
			SchedulerName: &name,
			Plugins:       &configv1.Plugins{MultiPoint: plugins},
		})
	}
	scheme.Scheme.Default(&versioned)
	var c config.KubeSchedulerConfiguration
	if err := scheme.Scheme.Convert(&versioned, &c, nil); err != nil {
		return nil, fmt.Errorf("convert the scheduler's configuration: %w", err)
	}
	return []scheduler.Option{
		scheduler.WithComponentConfigVersion(configv1.SchemeGroupVersion.String()),
		scheduler.WithProfiles(c.Profiles...),
		scheduler.WithFrameworkOutOfTreeRegistry(registry),
		scheduler.WithPercentageOfNodesToScore(c.PercentageOfNodesToScore),
		scheduler.WithPodInitialBackoffSeconds(c.PodInitialBackoffSeconds),
		scheduler.WithPodMaxBackoffSeconds(c.PodMaxBackoffSeconds),
		scheduler.WithParallelism(c.Parallelism),
	}, nil
}

// sync waits until all that is there is known, and returns false when ctx ends first. A kind that the server never lists
// would otherwise hold everything up in silence.
func (s *Scheduler) sync(ctx context.Context, b *brain) bool {
	for ctx.Err() == nil {
		step, cancel := context.WithTimeout(ctx, syncSlow)
		var missing []string
		for kind, ok := range b.informers.WaitForCacheSync(step.Done()) {
			if !ok {
				missing = append(missing, kind.String())
			}
		}
		for kind, ok := range b.dynamic.WaitForCacheSync(step.Done()) {
			if !ok {
				missing = append(missing, kind.String())
			}
		}
		cancel()
		if len(missing) == 0 {
			return b.scheduler.WaitForHandlersSync(ctx) == nil
		}
		if ctx.Err() == nil {
			slices.Sort(missing)
			s.config.Log.Warn("scheduler waits for kinds that the API server has not listed", "kinds", missing)
		}
	}
	return false
}
