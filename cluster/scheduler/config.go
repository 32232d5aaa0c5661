// Package scheduler runs the kube-scheduler with the product's plugins beside any kind of cluster: one process leads, the
// others stand by, and a lease says who.
//
// A binary built with the tag lite has none: Available says so.
package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/client-go/rest"
	"k8s.io/kube-scheduler/framework"

	"github.com/entente-mesh/entente/api/names"
)

// The range of API servers that this scheduler works with. It can behave like the three minor versions before its own; newer
// servers keep what it knows.
var (
	ownVersion    = version.MajorMinor(1, 37)
	oldestVersion = version.MajorMinor(1, 34)
)

// ErrTooOld is why New refuses an API server.
var ErrTooOld = errors.New("API server is too old for this scheduler")

// A Plugin takes part in every scheduling decision, at all extension points whose interfaces it has.
type Plugin struct {
	// Name is what the plugin's Name method returns.
	Name string
	// New makes it. The arguments are nil; the handle gives listers, clients and the pods that wait.
	New func(ctx context.Context, args runtime.Object, h framework.Handle) (framework.Plugin, error)
	// Replaces names default plugins that step back for this one. A plugin that sorts the queue replaces PrioritySort.
	Replaces []string
}

// A Lease says which process schedules. The zero value of a field means its default.
type Lease struct {
	// Namespace and Name are where the lease lies: kube-system and entente-scheduler.
	Namespace, Name string
	// Identity is whose lease it is; it is required. It stays the same when a process is killed and started again, so that
	// the process takes up its own lease at once, and differs from that of every other process of the same cluster.
	Identity string
}

// Config says whose pods are scheduled, and how. REST and Lease.Identity are required.
type Config struct {
	// REST reaches the API server as a user with the permissions of system:kube-scheduler.
	REST *rest.Config
	// ServerVersion is what the API server says at /version, such as v1.36.3+k3s1. An older one sets what this process takes
	// as Kubernetes' version; it has no effect when Embedded.
	ServerVersion string
	// Embedded says that the API server runs in this process, which has set Kubernetes' process-wide settings then.
	Embedded bool
	// Plugins are added to Kubernetes' own.
	Plugins []Plugin
	// SchedulerNames are the values of a pod's schedulerName that are answered to. Empty means kuscia-scheduler and, when
	// Embedded, default-scheduler, which no one else answers to there.
	SchedulerNames []string
	// Lease says which of several processes schedules.
	Lease Lease
	// Log receives what a user would want to know; nil discards it.
	Log *slog.Logger
}

// complete returns the configuration with its defaults, or what is wrong with it.
func (c Config) complete() (Config, error) {
	if c.REST == nil {
		return c, errors.New("scheduler: no API server given")
	}
	if c.Lease.Identity == "" {
		return c, errors.New("scheduler: no lease identity given")
	}
	if c.Lease.Namespace == "" {
		c.Lease.Namespace = metav1.NamespaceSystem
	}
	if c.Lease.Name == "" {
		c.Lease.Name = "entente-scheduler"
	}
	if len(c.SchedulerNames) == 0 {
		c.SchedulerNames = []string{names.Scheduler}
		if c.Embedded {
			c.SchedulerNames = append(c.SchedulerNames, corev1.DefaultSchedulerName)
		}
	}
	for i, n := range c.SchedulerNames {
		if n == "" || slices.Contains(c.SchedulerNames[:i], n) {
			return c, fmt.Errorf("scheduler: scheduler name %q is empty or given twice", n)
		}
	}
	for i, p := range c.Plugins {
		if p.Name == "" || p.New == nil || slices.ContainsFunc(c.Plugins[:i], func(o Plugin) bool { return o.Name == p.Name }) {
			return c, fmt.Errorf("scheduler: plugin %q has no name, no constructor, or is given twice", p.Name)
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// emulated is the version of Kubernetes to behave like towards a server. A scheduler that is newer than its server waits
// forever for kinds that the server does not have.
func emulated(server string) (*version.Version, error) {
	v, err := version.ParseGeneric(server)
	if err != nil {
		return nil, fmt.Errorf("scheduler: API server's version: %w", err)
	}
	v = version.MajorMinor(v.Major(), v.Minor())
	switch {
	case v.LessThan(oldestVersion):
		return nil, fmt.Errorf("%w: it says %s, and %s is the oldest that works: upgrade the cluster, or let its own scheduler serve %s", ErrTooOld, server, oldestVersion, names.Scheduler)
	case ownVersion.LessThan(v):
		return ownVersion, nil
	}
	return v, nil
}
