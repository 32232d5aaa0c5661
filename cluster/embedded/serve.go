//go:build !lite

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/client-go/rest"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	rbacrest "k8s.io/kubernetes/pkg/registry/rbac/rest"
	schedulingrest "k8s.io/kubernetes/pkg/registry/scheduling/rest"
)

const (
	// drainWithin is what requests get to finish once the server is asked to stop; watches are cut off without waiting.
	drainWithin = time.Second
	// stopWithin bounds the API server's own stop: requests that hang longer are cut off.
	stopWithin = 2500 * time.Millisecond
	// readyEvery is how often readiness is asked: it costs a fraction of a millisecond, and there is no hook to wait for.
	readyEvery = 10 * time.Millisecond
	// readySlow is when the log tells what readiness waits for.
	readySlow = 15 * time.Second
)

// errGaveUp is why a server ends that gave up by itself: Kubernetes would end the process then.
var errGaveUp = errors.New("gave up: the last lines of source=kubernetes in the log say why")

// Run serves until ctx ends.
func (a *apiServer) Run(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	exit := klog.OsExit
	defer func() { klog.OsExit = exit }()
	klog.OsExit = func(int) { // only the process' main decides when it ends
		end(errGaveUp)
		runtime.Goexit()
	}

	stopped := make(chan error, 1)
	go func() {
		err := errGaveUp // what stays when the goroutine is ended from inside
		defer func() { stopped <- err }()
		err = a.serve(ctx)
	}()
	var err error
	select {
	case err = <-stopped:
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), errGaveUp) {
			break // at once, so that this is the failure that is told, and not those of the parts that miss the server
		}
		select {
		case err = <-stopped:
		case <-time.After(stopWithin):
			a.log.Warn("API server stopped with requests still open")
		}
	}
	if errors.Is(context.Cause(ctx), errGaveUp) {
		a.connections.CutOff()
		return errGaveUp
	}
	return err
}

// serve builds the chain of servers, which takes most of the start, and runs it.
func (a *apiServer) serve(ctx context.Context) error {
	options, err := a.options.Complete(ctx)
	if err != nil {
		return err
	}
	if errs := options.Validate(); len(errs) > 0 {
		return utilerrors.NewAggregate(errs)
	}
	config, err := app.NewConfig(options)
	if err != nil {
		return err
	}
	generic := config.KubeAPIs.ControlPlane.Generic
	generic.DisabledPostStartHooks.Insert(rbacrest.PostStartHookName, schedulingrest.PostStartHookName)
	completed, err := config.Complete()
	if err != nil {
		return err
	}
	chain, err := app.CreateServerChain(completed)
	if err != nil {
		return err
	}
	if err := chain.GenericAPIServer.AddPostStartHook(rolesHook, bootstrap(bootstrapRoles)); err != nil {
		return err
	}
	if err := chain.GenericAPIServer.AddPostStartHook(priorityClassesHook, bootstrap(bootstrapPriorityClasses)); err != nil {
		return err
	}
	prepared, err := chain.PrepareRun()
	if err != nil {
		return err
	}

	ctx, cancel := context.WithCancel(ctx)
	var aside errgroup.Group
	aside.Go(func() error {
		if a.awaitReady(ctx, generic.LoopbackClientConfig) {
			close(a.ready)
		}
		return nil
	})
	aside.Go(func() error {
		<-ctx.Done()
		select {
		case <-generic.DrainedNotify(): // every request but watches has its answer
		case <-time.After(drainWithin):
		}
		a.connections.CutOff()
		return nil
	})
	err = prepared.Run(ctx)
	cancel()
	return errors.Join(err, aside.Wait())
}

// awaitReady asks /readyz until it says ok, and returns false when ctx ends first.
func (a *apiServer) awaitReady(ctx context.Context, loopback *rest.Config) bool {
	client, err := rest.HTTPClientFor(loopback)
	if err != nil { // cannot be: the server made this configuration for itself
		a.log.Error("asking the API server whether it is ready", "error", err)
		return false
	}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	slow := time.NewTimer(readySlow)
	defer slow.Stop()
	var missing string
	for {
		var ok bool
		if ok, missing = askReady(ctx, client, loopback.Host); ok {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-slow.C:
			a.log.Warn("API server is slow to become ready", "waitsFor", missing)
		case <-tick.C:
		}
	}
}

// askReady returns what is missing when the server is not ready.
func askReady(ctx context.Context, client *http.Client, host string) (ok bool, missing string) {
	ctx, cancel := context.WithTimeout(ctx, readySlow)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, host+"/readyz?verbose", http.NoBody)
	if err != nil {
		return false, err.Error()
	}
	answer, err := client.Do(req)
	if err != nil {
		return false, err.Error()
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return false, err.Error()
	}
	if answer.StatusCode == http.StatusOK {
		return true, ""
	}
	var failed []string
	for line := range strings.Lines(string(body)) {
		if name, is := strings.CutPrefix(line, "[-]"); is {
			name, _, _ = strings.Cut(name, " ")
			failed = append(failed, name)
		}
	}
	if len(failed) == 0 {
		return false, fmt.Sprintf("status %d", answer.StatusCode)
	}
	return false, strings.Join(failed, ", ")
}

// Ready is closed when /readyz says ok.
func (a *apiServer) Ready() <-chan struct{} { return a.ready }

// String names the part.
func (a *apiServer) String() string { return "API server" }
