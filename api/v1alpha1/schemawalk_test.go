package v1alpha1_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// schemaWalk goes through a schema and the Go type that it was generated from at the same time. It writes the lines of the schema table and
// collects every place where the two disagree.
type schemaWalk struct {
	lines    []string
	problems []string
}

func (w *schemaWalk) problemf(format string, args ...any) {
	w.problems = append(w.problems, fmt.Sprintf(format, args...))
}

// object writes the lines of all fields of an object, in the order of their names.
func (w *schemaWalk) object(path string, schema *apiextensionsv1.JSONSchemaProps, goType reflect.Type) {
	fields := jsonFields(goType)
	w.sameFields(path, schema, fields)
	for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
		if path == "" && (name == "apiVersion" || name == "kind" || name == "metadata") {
			continue // the head of every object; the table speaks of the rest
		}
		field, ok := fields[name]
		if !ok {
			continue
		}
		property := schema.Properties[name]
		if property.Description == "" {
			w.problemf("%s has no description", path+name)
		}
		line := "field " + path + name + " " + w.typeName(path+name, &property, field.goType)
		if slices.Contains(schema.Required, name) {
			line += " required"
		}
		w.lines = append(w.lines, line+rules(&property))
		w.descend(path+name, &property, field.goType)
	}
}

// descend steps through lists and maps to the object that they are made of, if any.
func (w *schemaWalk) descend(path string, schema *apiextensionsv1.JSONSchemaProps, goType reflect.Type) {
	switch goType = deref(goType); {
	case isKubernetes(goType):
	case schema.Type == "array" && goType.Kind() == reflect.Slice:
		w.descend(path+"[]", schema.Items.Schema, goType.Elem())
	case schema.AdditionalProperties != nil && goType.Kind() == reflect.Map:
		w.descend(path+"{*}", schema.AdditionalProperties.Schema, goType.Elem())
	case schema.Type == "object" && goType.Kind() == reflect.Struct:
		w.object(path+".", schema, goType)
	}
}

// typeName is the type of a field as the table writes it. A Kubernetes type is proved to be whole first.
func (w *schemaWalk) typeName(path string, schema *apiextensionsv1.JSONSchemaProps, goType reflect.Type) string {
	switch goType = deref(goType); {
	case isKubernetes(goType):
		w.sameType(path, schema, goType)
		return strings.TrimPrefix(goType.PkgPath(), "k8s.io/api/") + "." + goType.Name()
	case schema.Type == "array" && goType.Kind() == reflect.Slice:
		return "[]" + w.typeName(path+"[]", schema.Items.Schema, goType.Elem())
	case schema.AdditionalProperties != nil && goType.Kind() == reflect.Map:
		return "map[string]" + w.typeName(path+"{*}", schema.AdditionalProperties.Schema, goType.Elem())
	case schema.Format != "":
		return schema.Type + "(" + schema.Format + ")"
	default:
		return schema.Type
	}
}

// sameFields proves that a schema has the properties and the required marks of a Go struct: a field is required if it is encoded even when
// it is zero.
func (w *schemaWalk) sameFields(path string, schema *apiextensionsv1.JSONSchemaProps, fields map[string]jsonField) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if _, ok := schema.Properties[name]; !ok {
			w.problemf("%s%s is in the Go type and not in the schema", path, name)
		}
	}
	for name, property := range schema.Properties {
		field, ok := fields[name]
		if !ok {
			w.problemf("%s%s is in the schema and not in the Go type", path, name)
			continue
		}
		required := slices.Contains(schema.Required, name)
		if filled := property.Default != nil; filled && !required {
			continue // the API server fills it, whether the JSON has it or not
		}
		if required == field.omitted {
			w.problemf("%s%s: required in the schema: %t; left out of the JSON when zero: %t", path, name, required, field.omitted)
		}
	}
}

// sameType proves that a schema is the whole schema of a Kubernetes type.
func (w *schemaWalk) sameType(path string, schema *apiextensionsv1.JSONSchemaProps, goType reflect.Type) {
	goType = deref(goType)
	if want, ok := scalarSchema(goType); ok {
		got := scalar{Type: schema.Type, Format: schema.Format, IntOrString: schema.XIntOrString}
		if got != want {
			w.problemf("%s is %+v, want %+v for the Go type %s", path, got, want, goType)
		}
		return
	}
	switch goType.Kind() {
	case reflect.Struct:
		fields := jsonFields(goType)
		w.sameFields(path+".", schema, fields)
		for name, property := range schema.Properties {
			if field, ok := fields[name]; ok {
				w.sameType(path+"."+name, &property, field.goType)
			}
		}
	case reflect.Slice:
		if schema.Type != "array" {
			w.problemf("%s is %q, want array for the Go type %s", path, schema.Type, goType)
			return
		}
		w.sameType(path+"[]", schema.Items.Schema, goType.Elem())
	case reflect.Map:
		if schema.AdditionalProperties == nil {
			w.problemf("%s is %q, want a map for the Go type %s", path, schema.Type, goType)
			return
		}
		w.sameType(path+"{*}", schema.AdditionalProperties.Schema, goType.Elem())
	default:
		w.problemf("%s: the Go type %s is not known to this test", path, goType)
	}
}

// scalar is the part of a schema that tells values without structure apart.
type scalar struct {
	Type, Format string
	IntOrString  bool
}

func scalarSchema(goType reflect.Type) (scalar, bool) {
	switch goType {
	case reflect.TypeFor[resource.Quantity](), reflect.TypeFor[intstr.IntOrString]():
		return scalar{IntOrString: true}, true
	case reflect.TypeFor[metav1.Time]():
		return scalar{Type: "string", Format: "date-time"}, true
	}
	switch goType.Kind() {
	case reflect.String:
		return scalar{Type: "string"}, true
	case reflect.Bool:
		return scalar{Type: "boolean"}, true
	case reflect.Int32:
		return scalar{Type: "integer", Format: "int32"}, true
	case reflect.Int64:
		return scalar{Type: "integer", Format: "int64"}, true
	default:
		return scalar{}, false
	}
}

// rules are the validation rules and defaults of a field. Rules that the table has no column for are written too, so that they are noticed.
func rules(s *apiextensionsv1.JSONSchemaProps) string {
	var b strings.Builder
	add := func(name string, value any) { fmt.Fprintf(&b, " %s=%v", name, value) }
	if len(s.Enum) > 0 {
		add("enum", enum(s.Enum))
	}
	if s.Items != nil && len(s.Items.Schema.Enum) > 0 {
		add("items.enum", enum(s.Items.Schema.Enum))
	}
	if s.Default != nil {
		add("default", unquoted(*s.Default))
	}
	if s.Pattern != "" {
		add("pattern", s.Pattern)
	}
	for name, bound := range sorted(map[string]*float64{"minimum": s.Minimum, "maximum": s.Maximum, "multipleOf": s.MultipleOf}) {
		add(name, *bound)
	}
	for name, bound := range sorted(map[string]*int64{
		"minItems": s.MinItems, "maxItems": s.MaxItems, "minLength": s.MinLength, "maxLength": s.MaxLength,
		"minProperties": s.MinProperties, "maxProperties": s.MaxProperties,
	}) {
		add(name, *bound)
	}
	if s.Nullable || s.UniqueItems || s.XPreserveUnknownFields != nil || s.XIntOrString || s.XEmbeddedResource {
		add("special", true)
	}
	if len(s.XValidations)+len(s.AllOf)+len(s.AnyOf)+len(s.OneOf) > 0 || s.Not != nil {
		add("combined", true)
	}
	if s.XListType != nil || s.XListMapKeys != nil || s.XMapType != nil {
		add("merge", true)
	}
	return b.String()
}

// sorted yields the bounds that are set, the minimum before the maximum, as the table writes them.
func sorted[N float64 | int64](bounds map[string]*N) func(yield func(string, *N) bool) {
	return func(yield func(string, *N) bool) {
		names := slices.SortedFunc(maps.Keys(bounds), func(a, b string) int { return strings.Compare(b, a) })
		for _, name := range names {
			if bounds[name] != nil && !yield(name, bounds[name]) {
				return
			}
		}
	}
}

func enum(values []apiextensionsv1.JSON) string {
	words := make([]string, len(values))
	for i, value := range values {
		words[i] = unquoted(value)
	}
	return strings.Join(words, ",")
}

func unquoted(value apiextensionsv1.JSON) string {
	var word string
	if json.Unmarshal(value.Raw, &word) == nil {
		return word
	}
	return string(value.Raw)
}

// jsonField is a field of a struct as encoding/json sees it.
type jsonField struct {
	goType  reflect.Type
	omitted bool // left out of the JSON when zero
}

func jsonFields(goType reflect.Type) map[string]jsonField {
	fields := map[string]jsonField{}
	for field := range goType.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && name == "" {
			maps.Copy(fields, jsonFields(field.Type))
			continue
		}
		if name == "-" || !field.IsExported() {
			continue
		}
		omitted := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		fields[name] = jsonField{goType: field.Type, omitted: omitted}
	}
	return fields
}

func deref(goType reflect.Type) reflect.Type {
	for goType.Kind() == reflect.Pointer {
		goType = goType.Elem()
	}
	return goType
}

// isKubernetes says that a type is a struct of the Kubernetes API.
func isKubernetes(goType reflect.Type) bool {
	return goType.Kind() == reflect.Struct && strings.HasPrefix(goType.PkgPath(), "k8s.io/api/")
}
