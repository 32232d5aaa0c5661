package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/entente-mesh/entente/api/v1alpha1"
)

// An object of each kind goes in by server-side apply, comes out through the typed client as it went in, and applying it again
// changes nothing.
func TestAnObjectOfEachKindIsAppliedAndReadBack(t *testing.T) {
	t.Parallel()
	c := typedClient(t, node.REST(t))
	scheme := c.Scheme()

	kinds := map[string]bool{}
	for _, object := range examples(t) {
		t.Run(object.GetKind()+" "+object.GetName(), func(t *testing.T) {
			for range 2 {
				if err := c.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object.DeepCopy()), client.FieldOwner("story")); err != nil {
					t.Fatal(err)
				}
			}
			typed, err := scheme.New(object.GroupVersionKind())
			if err != nil {
				t.Fatal(err)
			}
			got, ok := typed.(client.Object)
			if !ok {
				t.Fatalf("%T is no object", typed)
			}
			if err := c.Get(t.Context(), client.ObjectKeyFromObject(object), got); err != nil {
				t.Fatal(err)
			}
			contains(t, object.Object, encoded(t, got), "")
			if n := len(got.GetManagedFields()); n > 1 {
				t.Errorf("%d field managers, want at most the one that applied it", n)
			}
			if g := got.GetGeneration(); g > 1 {
				t.Errorf("generation %d after applying the same twice, want 1", g)
			}
		})
		if object.GroupVersionKind().Group == v1alpha1.GroupVersion.Group {
			kinds[object.GetKind()] = true
		}
	}
	if len(kinds) != 18 {
		t.Errorf("the examples have %d of the 18 kinds: %v", len(kinds), kinds)
	}
}

// examples reads what a newcomer applies with `kubectl apply -f examples/objects`.
func examples(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	files, err := filepath.Glob("../examples/objects/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	var objects []*unstructured.Unstructured
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for document := range strings.SplitSeq(string(text), "\n---\n") {
			var object unstructured.Unstructured
			if err := yaml.UnmarshalStrict([]byte(document), &object.Object); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if len(object.Object) > 0 {
				objects = append(objects, &object)
			}
		}
	}
	return objects
}

func encoded(t *testing.T, object runtime.Object) map[string]any {
	t.Helper()
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		t.Fatal(err)
	}
	return fields
}

// contains fails when a field of want is missing or different in got. The server adds fields, such as defaults, and drops the
// status where it is a subresource.
func contains(t *testing.T, want, got any, path string) {
	t.Helper()
	switch want := want.(type) {
	case map[string]any:
		fields, ok := got.(map[string]any)
		if !ok {
			t.Errorf("%s = %v, want a block", path, got)
			return
		}
		for key, value := range want {
			if path == "" && (key == "status" || key == "kind" || key == "apiVersion") {
				continue
			}
			contains(t, value, fields[key], path+"."+key)
		}
	case []any:
		items, ok := got.([]any)
		if !ok || len(items) != len(want) {
			t.Errorf("%s = %v, want %v", path, got, want)
			return
		}
		for i := range want {
			contains(t, want[i], items[i], fmt.Sprintf("%s[%d]", path, i))
		}
	default:
		if fmt.Sprint(want) != fmt.Sprint(got) {
			t.Errorf("%s = %v, want %v", path, got, want)
		}
	}
}

// Status goes in through its own door where the kind has one, and with the object where it has none.
func TestStatusIsASubresourceExactlyWhereTheOriginalHasOne(t *testing.T) {
	t.Parallel()
	c := typedClient(t, node.REST(t))
	namespace := newNamespace(t, c)

	t.Run("a KusciaJob ignores a status that comes with the object", func(t *testing.T) {
		job := &v1alpha1.KusciaJob{}
		job.Namespace, job.Name = namespace, "job"
		job.Spec.Initiator = "alice"
		job.Spec.Tasks = []v1alpha1.JobTask{{Alias: "psi", AppImage: "psi", Parties: []v1alpha1.JobParty{{DomainID: "alice"}}}}
		job.Status.Phase = "Running"
		if err := c.Create(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		if job.Status.Phase != "" {
			t.Errorf("phase %q after create, want none", job.Status.Phase)
		}
		job.Status.Phase = "Pending"
		if err := c.Status().Update(t.Context(), job); err != nil {
			t.Fatal(err)
		}
		if job.Status.Phase != "Pending" {
			t.Errorf("phase %q after a status update, want Pending", job.Status.Phase)
		}
	})
	t.Run("a KusciaJobSummary keeps it", func(t *testing.T) {
		summary := &v1alpha1.KusciaJobSummary{}
		summary.Namespace, summary.Name = namespace, "job"
		summary.Status.Phase = "Running"
		if err := c.Create(t.Context(), summary); err != nil {
			t.Fatal(err)
		}
		if summary.Status.Phase != "Running" {
			t.Errorf("phase %q after create, want Running", summary.Status.Phase)
		}
		if err := c.Status().Update(t.Context(), summary); err == nil {
			t.Error("a status update was accepted although the kind has no status subresource")
		}
	})
}

// newNamespace makes a namespace for one test.
func newNamespace(t *testing.T, c client.Client) string {
	t.Helper()
	ns := &corev1.Namespace{}
	ns.GenerateName = "story-"
	if err := c.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	return ns.Name
}
