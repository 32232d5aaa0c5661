//go:build !lite

package embedded

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"
	"k8s.io/component-helpers/auth/rbac/reconciliation"
	schedulingv1 "k8s.io/kubernetes/pkg/apis/scheduling/v1"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy"
)

// Kubernetes' own hooks for roles and priority classes sleep a second before they begin and then work one object at a time.
// These do the same work at once and side by side, which halves the time to readiness. Left out is what Kubernetes does for
// stores that versions before 1.9 wrote: none of ours is that old.
const (
	rolesHook           = "entente-bootstrap-roles"
	priorityClassesHook = "entente-bootstrap-priority-classes"

	bootstrapWithin = 30 * time.Second
	bootstrapRetry  = 50 * time.Millisecond
	// bootstrapWorkers is how many objects are checked side by side; the store is the limit.
	bootstrapWorkers = 8
)

// bootstrap returns a hook that does work until it succeeds. A hook that fails ends the server.
func bootstrap(work func(context.Context, kubernetes.Interface) error) genericapiserver.PostStartHookFunc {
	return func(hook genericapiserver.PostStartHookContext) error {
		config := *hook.LoopbackClientConfig
		config.QPS = -1
		client, err := kubernetes.NewForConfig(&config)
		if err != nil {
			return err
		}
		var last error
		err = wait.PollUntilContextTimeout(hook, bootstrapRetry, bootstrapWithin, true, func(ctx context.Context) (bool, error) {
			last = work(ctx, client)
			return last == nil, nil
		})
		if err != nil && hook.Err() == nil {
			return fmt.Errorf("not done within %s: %w", bootstrapWithin, last)
		}
		return nil
	}
}

// bootstrapPriorityClasses makes the two classes that every cluster has.
func bootstrapPriorityClasses(ctx context.Context, client kubernetes.Interface) error {
	classes := client.SchedulingV1().PriorityClasses()
	for _, class := range schedulingv1.SystemPriorityClasses() {
		_, err := classes.Get(ctx, class.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			_, err = classes.Create(ctx, class, metav1.CreateOptions{})
		}
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("priority class %s: %w", class.Name, err)
		}
	}
	return nil
}

// bootstrapRoles makes the roles and bindings that Kubernetes' components expect, and adds permissions that are missing from
// them. What a user added stays.
func bootstrapRoles(ctx context.Context, client kubernetes.Interface) error {
	var roles []reconciliation.ReconcileRoleOptions
	for _, r := range append(bootstrappolicy.ClusterRoles(), bootstrappolicy.ControllerRoles()...) {
		roles = append(roles, reconciliation.ReconcileRoleOptions{
			Role:    reconciliation.ClusterRoleRuleOwner{ClusterRole: &r},
			Client:  reconciliation.ClusterRoleModifier{Client: client.RbacV1().ClusterRoles()},
			Confirm: true,
		})
	}
	for _, inNamespace := range bootstrappolicy.NamespaceRoles() {
		for _, r := range inNamespace {
			roles = append(roles, reconciliation.ReconcileRoleOptions{
				Role:    reconciliation.RoleRuleOwner{Role: &r},
				Client:  reconciliation.RoleModifier{Client: client.RbacV1(), NamespaceClient: client.CoreV1().Namespaces()},
				Confirm: true,
			})
		}
	}
	var bindings []reconciliation.ReconcileRoleBindingOptions
	for _, b := range append(bootstrappolicy.ClusterRoleBindings(), bootstrappolicy.ControllerRoleBindings()...) {
		bindings = append(bindings, reconciliation.ReconcileRoleBindingOptions{
			RoleBinding: reconciliation.ClusterRoleBindingAdapter{ClusterRoleBinding: &b},
			Client:      reconciliation.ClusterRoleBindingClientAdapter{Client: client.RbacV1().ClusterRoleBindings()},
			Confirm:     true,
		})
	}
	for _, inNamespace := range bootstrappolicy.NamespaceRoleBindings() {
		for _, b := range inNamespace {
			bindings = append(bindings, reconciliation.ReconcileRoleBindingOptions{
				RoleBinding: reconciliation.RoleBindingAdapter{RoleBinding: &b},
				Client:      reconciliation.RoleBindingClientAdapter{Client: client.RbacV1(), NamespaceClient: client.CoreV1().Namespaces()},
				Confirm:     true,
			})
		}
	}
	// Roles first: a binding to a role that is not there yet grants nothing, and would be noticed.
	if err := eachAtOnce(ctx, roles, func(o *reconciliation.ReconcileRoleOptions) error {
		_, err := o.Run()
		return err
	}); err != nil {
		return err
	}
	return eachAtOnce(ctx, bindings, func(o *reconciliation.ReconcileRoleBindingOptions) error {
		_, err := o.Run()
		return err
	})
}

// eachAtOnce does work for every item, some of them side by side, and returns the first failure.
func eachAtOnce[T any](ctx context.Context, items []T, work func(*T) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(bootstrapWorkers)
	for i := range items {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return retry.RetryOnConflict(retry.DefaultBackoff, func() error { return work(&items[i]) })
		})
	}
	return g.Wait()
}
