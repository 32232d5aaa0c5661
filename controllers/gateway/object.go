package gateway

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/entente-mesh/entente/api/v1alpha1"
)

// fieldOwner is this package's name in the managed fields of the object: it owns the status and nothing else.
const fieldOwner = client.FieldOwner("entente-gateway")

// write puts the status into the object and makes the object if it is not there: the first time, and when somebody has removed it.
func (r *Reporter) write(ctx context.Context, status v1alpha1.GatewayStatus) error {
	err := r.apply(ctx, status)
	if !apierrors.IsNotFound(err) {
		return err
	}
	bare, err := r.object(v1alpha1.GatewayStatus{})
	if err != nil {
		return err
	}
	if err := r.cfg.Client.Apply(ctx, bare, fieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("create Gateway %s/%s: %w", r.cfg.Domain, r.cfg.Name, err)
	}
	return r.apply(ctx, status)
}

// apply puts the status into an object that is there. Fields of others stay as they are; a status that another program has written before,
// such as the original's gateway under the same name, is taken over.
func (r *Reporter) apply(ctx context.Context, status v1alpha1.GatewayStatus) error {
	object, err := r.object(status)
	if err != nil {
		return err
	}
	if err := r.cfg.Client.Status().Apply(ctx, object, fieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("write the status of Gateway %s/%s: %w", r.cfg.Domain, r.cfg.Name, err)
	}
	return nil
}

// object is what this package wants the object to hold; a zero status is left out.
func (r *Reporter) object(status v1alpha1.GatewayStatus) (runtime.ApplyConfiguration, error) {
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&v1alpha1.Gateway{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Gateway"},
		ObjectMeta: metav1.ObjectMeta{Namespace: r.cfg.Domain, Name: r.cfg.Name},
		Status:     status,
	})
	if err != nil {
		return nil, fmt.Errorf("encode Gateway %s/%s: %w", r.cfg.Domain, r.cfg.Name, err)
	}
	return client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: fields}), nil
}

// seconds is a time as the API keeps it.
func seconds(t time.Time) metav1.Time { return metav1.NewTime(t.Truncate(time.Second)) }
