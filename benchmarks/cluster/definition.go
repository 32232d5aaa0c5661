package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// definitionsOf reads the product's custom resource definitions from a server that has them, as they must be applied to one that has not.
func definitionsOf(ctx context.Context, c *rest.Config) ([]unstructured.Unstructured, error) {
	client, err := dynamic.NewForConfig(c)
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	list, err := client.Resource(definitions).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("read the custom resource definitions: %w", err)
	}
	var found []unstructured.Unstructured
	for _, d := range list.Items {
		if !strings.HasSuffix(d.GetName(), "."+jobs.Group) {
			continue
		}
		fresh := unstructured.Unstructured{Object: map[string]any{"spec": d.Object["spec"]}}
		fresh.SetAPIVersion(d.GetAPIVersion())
		fresh.SetKind(d.GetKind())
		fresh.SetName(d.GetName())
		found = append(found, fresh)
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("the server has no definition of the group %s", jobs.Group)
	}
	return found, nil
}

// define creates those definitions that a server lacks, all at once, and waits until it serves them.
func define(ctx context.Context, c *rest.Config, wanted []unstructured.Unstructured) error {
	client, err := dynamic.NewForConfig(c)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	failed := make([]error, len(wanted))
	var all sync.WaitGroup
	for i := range wanted {
		all.Go(func() {
			_, err := client.Resource(definitions).Create(ctx, &wanted[i], metav1.CreateOptions{})
			if err != nil && !apierrors.IsAlreadyExists(err) {
				failed[i] = fmt.Errorf("create definition %s: %w", wanted[i].GetName(), err)
			}
		})
	}
	all.Wait()
	if err := errors.Join(failed...); err != nil {
		return err
	}
	return untilServed(ctx, client)
}

// untilServed asks for the jobs until the server knows them: it does a moment after it has taken the definition.
func untilServed(ctx context.Context, client dynamic.Interface) error {
	const pause = 10 * time.Millisecond
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		_, err := client.Resource(jobs).Namespace(crossDomain).List(ctx, metav1.ListOptions{Limit: 1})
		if !apierrors.IsNotFound(err) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the custom resources to be served: %w: %w", context.Cause(ctx), err)
		}
	}
}
