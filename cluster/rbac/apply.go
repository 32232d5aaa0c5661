package rbac

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	rbacv1client "k8s.io/client-go/kubernetes/typed/rbac/v1"
	"k8s.io/client-go/rest"

	"github.com/entente-mesh/entente/api/names"
)

const (
	// fieldManager is Entente's name in the managed fields of the objects.
	fieldManager = "entente"
	// patience bounds Apply.
	patience = 30 * time.Second
	// tries bounds how often one object is read again because someone else wrote it at the same time.
	tries = 5
)

// clients are the three endpoints that Apply uses.
type clients struct {
	namespaces corev1client.NamespaceInterface
	roles      rbacv1client.ClusterRoleInterface
	bindings   rbacv1client.ClusterRoleBindingInterface
}

// Apply creates or corrects the objects, all at the same time, and returns how many it wrote. When all is as it should be,
// that costs one GET per object.
func Apply(ctx context.Context, cfg *rest.Config, log *slog.Logger) (changed int, err error) {
	cfg = rest.CopyConfig(cfg)
	cfg.QPS = -1 // a handful of requests at once, at the start only
	core, err := corev1client.NewForConfig(cfg)
	if err != nil {
		return 0, fmt.Errorf("apply roles: %w", err)
	}
	roles, err := rbacv1client.NewForConfig(cfg)
	if err != nil {
		return 0, fmt.Errorf("apply roles: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return apply(ctx, clients{core.Namespaces(), roles.ClusterRoles(), roles.ClusterRoleBindings()}, log)
}

func apply(ctx context.Context, c clients, log *slog.Logger) (int, error) {
	var changed atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	ensure := func(kind, name string, once func(context.Context) (wrote bool, err error)) {
		group.Go(func() error {
			wrote, err := again(ctx, once)
			switch {
			case apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err):
				return fmt.Errorf("apply %s %s: %w: use the credentials of a cluster administrator", kind, name, err)
			case err != nil:
				return fmt.Errorf("apply %s %s: %w", kind, name, err)
			case wrote:
				changed.Add(1)
				log.Debug("object written", "kind", kind, "name", name)
			}
			return nil
		})
	}
	ensure("namespace", names.CrossDomain, func(ctx context.Context) (bool, error) { return ensureNamespace(ctx, c.namespaces, namespace()) })
	for _, role := range clusterRoles() {
		ensure("cluster role", role.Name, func(ctx context.Context) (bool, error) { return ensureRole(ctx, c.roles, role) })
	}
	ensure("cluster role binding", names.ClusterRoleKuscia, func(ctx context.Context) (bool, error) { return ensureBinding(ctx, c.bindings, binding()) })
	err := group.Wait()
	return int(changed.Load()), err
}

// again repeats what another writer came between.
func again(ctx context.Context, once func(context.Context) (bool, error)) (wrote bool, err error) {
	for range tries {
		wrote, err = once(ctx)
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			break
		}
	}
	return wrote, err
}

func ensureNamespace(ctx context.Context, c corev1client.NamespaceInterface, want *corev1.Namespace) (bool, error) {
	have, err := c.Get(ctx, want.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		_, err = c.Create(ctx, want, metav1.CreateOptions{FieldManager: fieldManager})
		return err == nil, err
	case err != nil:
		return false, err
	case have.DeletionTimestamp != nil:
		return false, fmt.Errorf("it is being deleted with everything in it: wait until it is gone (kubectl get namespace %s), then start again", want.Name)
	}
	return false, nil
}

func ensureRole(ctx context.Context, c rbacv1client.ClusterRoleInterface, want *rbacv1.ClusterRole) (bool, error) {
	have, err := c.Get(ctx, want.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		_, err = c.Create(ctx, want, metav1.CreateOptions{FieldManager: fieldManager})
		return err == nil, err
	case err != nil:
		return false, err
	case equality.Semantic.DeepEqual(have.Rules, want.Rules) && have.AggregationRule == nil:
		return false, nil
	}
	have = have.DeepCopy()
	have.Rules, have.AggregationRule = want.Rules, nil
	_, err = c.Update(ctx, have, metav1.UpdateOptions{FieldManager: fieldManager})
	return err == nil, err
}

func ensureBinding(ctx context.Context, c rbacv1client.ClusterRoleBindingInterface, want *rbacv1.ClusterRoleBinding) (bool, error) {
	have, err := c.Get(ctx, want.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		_, err = c.Create(ctx, want, metav1.CreateOptions{FieldManager: fieldManager})
		return err == nil, err
	case err != nil:
		return false, err
	case have.RoleRef != want.RoleRef:
		// The API refuses to change it.
		return false, fmt.Errorf("it binds %s %s instead of %s %s: delete it (kubectl delete clusterrolebinding %s), then start again",
			have.RoleRef.Kind, have.RoleRef.Name, want.RoleRef.Kind, want.RoleRef.Name, want.Name)
	case equality.Semantic.DeepEqual(have.Subjects, want.Subjects):
		return false, nil
	}
	have = have.DeepCopy()
	have.Subjects = want.Subjects
	_, err = c.Update(ctx, have, metav1.UpdateOptions{FieldManager: fieldManager})
	return err == nil, err
}
