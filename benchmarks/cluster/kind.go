package main

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// crossDomain is where the product keeps jobs.
const crossDomain = "cross-domain"

var jobs = schema.GroupVersionResource{Group: "kuscia.secretflow", Version: "v1alpha1", Resource: "kusciajobs"}

// A kind is something that the load creates many of.
type kind struct {
	key       string // of its figures
	title     string
	resource  schema.GroupVersionResource
	namespace string
	object    func(name string) *unstructured.Unstructured
}

// kinds are one that Kubernetes knows by heart and one that it checks against a definition's schema, both of about one kilobyte.
func kinds() []kind {
	return []kind{
		{key: "ConfigMap", title: "ConfigMap", resource: schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, namespace: "bench", object: configMap},
		{key: "KusciaJob", title: "KusciaJob", resource: jobs, namespace: crossDomain, object: kusciaJob},
	}
}

func configMap(name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"data": map[string]any{"text": strings.Repeat("0123456789abcdef", 50)}}}
	o.SetAPIVersion("v1")
	o.SetKind("ConfigMap")
	o.SetName(name)
	return o
}

// kusciaJob is a job of two parties and two tasks.
func kusciaJob(name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{
		"spec": map[string]any{
			"initiator":      "alice",
			"maxParallelism": int64(2),
			"scheduleMode":   "BestEffort",
			"tasks":          []any{kusciaTask("intersect"), kusciaTask("train", "intersect")},
		},
	}}
	o.SetAPIVersion(jobs.Group + "/" + jobs.Version)
	o.SetKind("KusciaJob")
	o.SetName(name)
	return o
}

func kusciaTask(alias string, after ...any) map[string]any {
	return map[string]any{
		"alias":           alias,
		"taskID":          alias,
		"appImage":        "engine",
		"priority":        int64(100),
		"dependencies":    after,
		"taskInputConfig": fmt.Sprintf(`{"name":%q,"parameters":%q}`, alias, strings.Repeat("x", 200)),
		"parties": []any{
			map[string]any{"domainID": "alice", "role": "host"},
			map[string]any{"domainID": "bob", "role": "guest"},
		},
	}
}
