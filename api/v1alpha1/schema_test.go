package v1alpha1_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/entente-mesh/entente/api/v1alpha1"
)

// readSchemaTable returns the lines of testdata/schema.txt by kind. The file says what its lines mean.
func readSchemaTable(t testing.TB) map[string][]string {
	t.Helper()
	data, err := os.ReadFile("testdata/schema.txt")
	if err != nil {
		t.Fatal(err)
	}
	table := map[string][]string{}
	var kind string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		switch name, ok := strings.CutPrefix(line, "kind "); {
		case line == "" || strings.HasPrefix(line, "#"):
		case ok:
			kind = name
		default:
			table[kind] = append(table[kind], line)
		}
	}
	return table
}

// describe returns what a CustomResourceDefinition says, as lines of the schema table, and what is wrong with it: where the schema and the Go
// type disagree, where a field has no description, where a Kubernetes type is not whole.
func describe(t testing.TB, crd *apiextensionsv1.CustomResourceDefinition) (lines, problems []string) {
	t.Helper()
	names, version := crd.Spec.Names, crd.Spec.Versions[0]
	root := version.Schema.OpenAPIV3Schema
	lines = []string{
		"plural " + names.Plural,
		"singular " + names.Singular,
		"list " + names.ListKind,
		"short " + orDash(names.ShortNames),
		"scope " + string(crd.Spec.Scope),
		"subresources " + orDash(subresources(version.Subresources)),
		"required " + orDash(root.Required),
	}
	for _, c := range version.AdditionalPrinterColumns {
		lines = append(lines, fmt.Sprintf("column %s %s %s", c.Name, c.Type, c.JSONPath))
	}
	goType, ok := newScheme(t).AllKnownTypes()[v1alpha1.GroupVersion.WithKind(names.Kind)]
	if !ok {
		return lines, []string{names.Kind + " has no Go type"}
	}
	w := &schemaWalk{}
	w.object("", root, goType)
	return append(lines, w.lines...), w.problems
}

func orDash(words []string) string {
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(slices.Sorted(slices.Values(words)), " ")
}

func subresources(s *apiextensionsv1.CustomResourceSubresources) []string {
	var names []string
	if s != nil && s.Status != nil {
		names = append(names, "status")
	}
	if s != nil && s.Scale != nil {
		names = append(names, "scale")
	}
	return names
}

func TestGeneratedSchemasAreTheTable(t *testing.T) {
	t.Parallel()
	table, crds := readSchemaTable(t), readCRDs(t)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(table)), slices.Sorted(maps.Keys(crds))); diff != "" {
		t.Fatalf("the kinds of the table and of the CRDs differ (-table +crds):\n%s", diff)
	}
	for kind, want := range table {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			got, problems := describe(t, crds[kind])
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the schema differs (-table +generated):\n%s", diff)
			}
			for _, problem := range problems {
				t.Error(problem)
			}
		})
	}
}

// schemaOf walks down the properties of a schema; "[]" steps into the items of a list. The result can be changed in place.
func schemaOf(t testing.TB, crd *apiextensionsv1.CustomResourceDefinition, path ...string) (schema *apiextensionsv1.JSONSchemaProps, store func()) {
	t.Helper()
	schema, store = crd.Spec.Versions[0].Schema.OpenAPIV3Schema, func() {}
	for _, step := range path {
		if step == "[]" {
			schema = schema.Items.Schema
			continue
		}
		parent, before := schema, store
		child, ok := parent.Properties[step]
		if !ok {
			t.Fatalf("no property %s on the way %v", step, path)
		}
		schema, store = &child, func() { parent.Properties[step] = child; before() }
	}
	return schema, store
}

func TestTheTableNoticesEveryKindOfDrift(t *testing.T) {
	t.Parallel()
	type schema = apiextensionsv1.JSONSchemaProps
	tests := map[string]struct {
		at     []string
		change func(*schema)
	}{
		"a field is missing":                {[]string{"spec"}, func(s *schema) { delete(s.Properties, "initiator") }},
		"a field is extra":                  {[]string{"spec"}, func(s *schema) { s.Properties["owner"] = schema{Type: "string", Description: "Owner."} }},
		"a type differs":                    {[]string{"spec", "initiator"}, func(s *schema) { s.Type = "integer" }},
		"a format differs":                  {[]string{"spec", "maxParallelism"}, func(s *schema) { s.Format = "int32" }},
		"a required mark is gone":           {[]string{"spec"}, func(s *schema) { s.Required = nil }},
		"a required mark is extra":          {[]string{"spec"}, func(s *schema) { s.Required = append(s.Required, "flowID") }},
		"a default is gone":                 {[]string{"spec", "scheduleMode"}, func(s *schema) { s.Default = nil }},
		"an enumeration lacks a value":      {[]string{"spec", "scheduleMode"}, func(s *schema) { s.Enum = s.Enum[:1] }},
		"an enumeration is extra":           {[]string{"spec", "flowID"}, func(s *schema) { s.Enum = []apiextensionsv1.JSON{{Raw: []byte(`"a"`)}} }},
		"a minimum is gone":                 {[]string{"spec", "maxParallelism"}, func(s *schema) { s.Minimum = nil }},
		"a longest list is gone":            {[]string{"spec", "tasks"}, func(s *schema) { s.MaxItems = nil }},
		"a pattern is gone":                 {[]string{"spec", "tasks", "[]", "taskID"}, func(s *schema) { s.Pattern = "" }},
		"a longest string is extra":         {[]string{"spec", "flowID"}, func(s *schema) { s.MaxLength = new(int64) }},
		"a description is gone":             {[]string{"spec", "flowID"}, func(s *schema) { s.Description = "" }},
		"a list merges by key":              {[]string{"spec", "tasks"}, func(s *schema) { s.XListType = new("map") }},
		"a Kubernetes type lacks a field":   {[]string{"spec", "tasks", "[]", "parties", "[]", "resources"}, func(s *schema) { delete(s.Properties, "limits") }},
		"a Kubernetes type has a new field": {[]string{"spec", "tasks", "[]", "parties", "[]", "resources"}, func(s *schema) { s.Properties["more"] = schema{Type: "string"} }},
		"a Kubernetes type requires a field": {
			[]string{"spec", "tasks", "[]", "parties", "[]", "resources"},
			func(s *schema) { s.Required = []string{"limits"} },
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			crd := readCRDs(t)["KusciaJob"]
			schema, store := schemaOf(t, crd, test.at...)
			test.change(schema)
			store()
			got, problems := describe(t, crd)
			if cmp.Equal(readSchemaTable(t)["KusciaJob"], got) && len(problems) == 0 {
				t.Error("the drift went unnoticed")
			}
		})
	}
}
