package v1alpha1_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	jsonserializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/entente-mesh/entente/api/v1alpha1"
)

// exampleFolder has one object of each kind, for users.
const exampleFolder = "../../examples/objects"

// readObjects returns the objects of a folder by file name without its ending. Files that start with a digit are not ours.
func readObjects(t testing.TB, folder string) map[string]map[string]any {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "[a-z]*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no objects in %s (error %v)", folder, err)
	}
	objects := make(map[string]map[string]any, len(files))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var object map[string]any
		if err := yaml.UnmarshalStrict(data, &object); err != nil {
			t.Fatalf("read %s: %v", file, err)
		}
		objects[strings.TrimSuffix(filepath.Base(file), ".yaml")] = object
	}
	return objects
}

// kindOf returns the kind of an object, or an empty string.
func kindOf(object map[string]any) string {
	kind, _ := object["kind"].(string)
	return kind
}

// decodeStrictly reads JSON as the API machinery does, and refuses fields that the Go type does not have.
func decodeStrictly(t testing.TB, object map[string]any) (runtime.Object, error) {
	t.Helper()
	scheme := newScheme(t)
	serializer := jsonserializer.NewSerializerWithOptions(jsonserializer.DefaultMetaFactory, scheme, scheme, jsonserializer.SerializerOptions{Strict: true})
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	decoded, _, err := serializer.Decode(data, nil, nil)
	return decoded, err
}

// decode is decodeStrictly for objects that must be right.
func decode(t testing.TB, object map[string]any) runtime.Object {
	t.Helper()
	decoded, err := decodeStrictly(t, object)
	if err != nil {
		t.Fatalf("decode %s: %v", kindOf(object), err)
	}
	return decoded
}

// encode writes a typed object as JSON and reads that as plain values.
func encode(t testing.TB, object any) map[string]any {
	t.Helper()
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatalf("encode %T: %v", object, err)
	}
	var plain map[string]any
	if err := yaml.Unmarshal(data, &plain); err != nil {
		t.Fatal(err)
	}
	return plain
}

// roundTrip compares what went into a Go type with what comes out of it.
func roundTrip(t *testing.T, object map[string]any) {
	t.Helper()
	typed := decode(t, object)
	if diff := cmp.Diff(encode(t, object), encode(t, typed)); diff != "" {
		t.Errorf("the object changed on its way through %T (-in +out):\n%s", typed, diff)
	}
	copied := typed.DeepCopyObject()
	if diff := cmp.Diff(typed, copied); diff != "" {
		t.Errorf("the deep copy of %T differs (-object +copy):\n%s", typed, diff)
	}
	converted, err := runtime.DefaultUnstructuredConverter.ToUnstructured(typed)
	if err != nil {
		t.Fatalf("convert %T: %v", typed, err)
	}
	if diff := cmp.Diff(encode(t, object), encode(t, converted)); diff != "" {
		t.Errorf("the object changed on its way through the unstructured converter (-in +out):\n%s", diff)
	}
}

// withDefaults removes nulls from an object and fills in defaults, as the API server does before it validates.
func withDefaults(t testing.TB, crd *apiextensionsv1.CustomResourceDefinition, object map[string]any) {
	t.Helper()
	schema := structural(t, crd)
	defaulting.PruneNonNullableNullsWithoutDefaults(object, schema)
	defaulting.Default(object, schema)
}

// refused returns what the API server says against an object, after it has removed nulls and filled in defaults.
func refused(t testing.TB, crd *apiextensionsv1.CustomResourceDefinition, object map[string]any) field.ErrorList {
	t.Helper()
	withDefaults(t, crd, object)
	internal, err := apiextensions.GetSchemaForVersion(internalCRD(t, crd), crd.Spec.Versions[0].Name)
	if err != nil {
		t.Fatal(err)
	}
	validator, _, err := validation.NewSchemaValidator(internal.OpenAPIV3Schema)
	if err != nil {
		t.Fatal(err)
	}
	return validation.ValidateCustomResource(nil, object, validator)
}

func TestThereIsAnExampleOfEveryKind(t *testing.T) {
	t.Parallel()
	want, got := map[string]string{}, map[string]string{}
	for kind := range readCRDs(t) {
		want[strings.ToLower(kind)] = kind
	}
	for name, object := range readObjects(t, exampleFolder) {
		got[name] = kindOf(object)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the examples differ from the kinds (-kinds +examples):\n%s", diff)
	}
}

func TestObjectsSurviveARoundTripAndAreAdmitted(t *testing.T) {
	t.Parallel()
	crds := readCRDs(t)
	for _, folder := range []string{exampleFolder, "testdata/stored"} {
		for name, object := range readObjects(t, folder) {
			t.Run(filepath.Base(folder)+"/"+name, func(t *testing.T) {
				t.Parallel()
				roundTrip(t, object)
				for _, err := range refused(t, crds[kindOf(object)], encode(t, object)) {
					t.Errorf("the API server refuses the object: %v", err)
				}
			})
		}
	}
}

func TestExamplesLiveWhereTheirKindLives(t *testing.T) {
	t.Parallel()
	crds := readCRDs(t)
	for name, object := range readObjects(t, exampleFolder) {
		crd := crds[kindOf(object)]
		namespace := decode(t, object).(client.Object).GetNamespace()
		switch crd.Spec.Scope {
		case apiextensionsv1.ClusterScoped:
			if namespace != "" {
				t.Errorf("%s belongs to the cluster and has the namespace %q", name, namespace)
			}
		case apiextensionsv1.NamespaceScoped:
			if !slices.Contains([]string{"alice", "bob", "cross-domain"}, namespace) {
				t.Errorf("%s is in the namespace %q, which nobody makes", name, namespace)
			}
		}
		if _, hasStatus := object["status"]; hasStatus && len(subresources(crd.Spec.Versions[0].Subresources)) > 0 {
			t.Errorf("%s has a status that kubectl apply would drop", name)
		}
	}
}

func TestEveryFieldOfTheSchemaSurvivesARoundTrip(t *testing.T) {
	t.Parallel()
	for kind, crd := range readCRDs(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			version := crd.Spec.Versions[0]
			object := filled("", version.Schema.OpenAPIV3Schema).(map[string]any)
			object["apiVersion"], object["kind"] = v1alpha1.GroupVersion.String(), kind
			object["metadata"] = map[string]any{"name": "full"}
			roundTrip(t, object)
			for _, err := range refused(t, crd, encode(t, object)) {
				t.Errorf("the filled object does not obey its own schema: %v", err)
			}
		})
	}
}

// filled returns a value with every field of a schema set to something that is not zero.
func filled(name string, s *apiextensionsv1.JSONSchemaProps) any {
	switch {
	case len(s.Enum) > 0:
		return unquoted(s.Enum[len(s.Enum)-1])
	case s.XIntOrString:
		return "3"
	case s.Format == "date-time":
		return "2025-06-01T08:00:00Z"
	case s.Type == "array":
		return []any{filled(name, s.Items.Schema)}
	case s.AdditionalProperties != nil:
		return map[string]any{"key": filled(name, s.AdditionalProperties.Schema)}
	case s.Type == "object":
		object := map[string]any{}
		for _, property := range slices.Sorted(maps.Keys(s.Properties)) {
			schema := s.Properties[property]
			object[property] = filled(property, &schema)
		}
		return object
	case s.Type == "integer":
		return int64(3)
	case s.Type == "number":
		return 0.1
	case s.Type == "boolean":
		return true
	default:
		return "value-of-" + strings.ToLower(name)
	}
}

func TestAnUnknownFieldIsNoticed(t *testing.T) {
	t.Parallel()
	object := readObjects(t, exampleFolder)["kusciajob"]
	object["spec"].(map[string]any)["maxParalelism"] = 3
	if _, err := decodeStrictly(t, object); !runtime.IsStrictDecodingError(err) {
		t.Errorf("decode with a misspelled field: error %v, want a strict decoding error", err)
	}
}
