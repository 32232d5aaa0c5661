package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// served makes sure that a client is served: the server calls itself ready, and the jobs can be listed.
func served(ctx context.Context, c *rest.Config) error {
	if err := healthy(ctx, c); err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(c)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	if _, err := client.Resource(jobs).Namespace(crossDomain).List(ctx, metav1.ListOptions{Limit: 1}); err != nil {
		return fmt.Errorf("list the jobs of a server that is ready: %w", err)
	}
	return nil
}

// healthy asks /readyz once.
func healthy(ctx context.Context, c *rest.Config) error {
	client, err := rest.HTTPClientFor(c)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Host+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("ask /readyz: %w", err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("ask /readyz: %w", err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	if err != nil {
		return fmt.Errorf("read the answer of /readyz: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz answers %s: %s", answer.Status, text)
	}
	return nil
}

// ensureNamespace creates a namespace unless it is there.
func ensureNamespace(ctx context.Context, client dynamic.Interface, name string) error {
	namespace := &unstructured.Unstructured{}
	namespace.SetAPIVersion("v1")
	namespace.SetKind("Namespace")
	namespace.SetName(name)
	resource := schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	if _, err := client.Resource(resource).Create(ctx, namespace, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create namespace %s: %w", name, err)
	}
	return nil
}
