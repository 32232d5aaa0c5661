package mesh_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/entente-mesh/entente/api/v1alpha1"
	"github.com/entente-mesh/entente/internal/sorted"
	"github.com/entente-mesh/entente/mesh"
)

// now is when the tests happen, to certificates.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// objects reads documents of YAML as the objects of bob's namespace. A sealed token is opened by open when its text begins with "sealed:".
func objects(t testing.TB, text string) mesh.Objects {
	t.Helper()
	o := mesh.Objects{Settings: &mesh.Settings{Domain: "bob"}, Now: now}
	for _, doc := range strings.Split(text, "\n---\n") {
		var meta metav1.TypeMeta
		must(t, yaml.Unmarshal([]byte(doc), &meta))
		switch meta.Kind {
		case "Service":
			s := read[corev1.Service](t, doc)
			o.Services = o.Services.With(s.Name, s)
		case "EndpointSlice":
			s := read[discoveryv1.EndpointSlice](t, doc)
			o.Slices = o.Slices.With(mesh.SliceKey(s.Labels[discoveryv1.LabelServiceName], s.Name), s)
		case "Pod":
			p := read[corev1.Pod](t, doc)
			o.Pods = o.Pods.With(p.Name, p)
		case "Gateway":
			g := read[v1alpha1.Gateway](t, doc)
			o.Gateways = o.Gateways.With(g.Name, g)
		case "DomainRoute":
			d := read[v1alpha1.DomainRoute](t, doc)
			o.Routes = o.Routes.With(d.Name, d)
			for _, token := range d.Status.TokenStatus.Tokens {
				if opened, ok := open(token.Token); ok {
					o.Opened = o.Opened.With(token.Token, opened)
				}
			}
		default:
			t.Fatalf("kind %q is none of the mesh's", meta.Kind)
		}
	}
	return o
}

func read[T any](t testing.TB, doc string) *T {
	t.Helper()
	v := new(T)
	must(t, yaml.UnmarshalStrict([]byte(doc), v))
	return v
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open is what the domain's key would make of a sealed token of the tests. The same word gives the same token.
func open(sealed string) (mesh.Opened, bool) {
	word, ok := strings.CutPrefix(sealed, "sealed:")
	switch {
	case !ok:
		return mesh.Opened{}, false // waits
	case word == "broken":
		return mesh.Opened{Fault: "it was sealed for another key"}, true
	case word == "short":
		return mesh.Opened{Token: mesh.Hide(base64.StdEncoding.EncodeToString([]byte("sixteen bytes...")))}, true
	case word == "long":
		return mesh.Opened{Token: mesh.Hide(base64.StdEncoding.EncodeToString([]byte("thirty-three bytes, as many chars")))}, true
	case word == "noop":
		return mesh.Opened{Token: mesh.Hide("noop")}, true
	}
	word, _, _ = strings.Cut(word, "@") // two texts of one token
	return mesh.Opened{Token: mesh.Hide(token(word))}, true
}

// token is the token that a word of the tests stands for.
func token(word string) string {
	h := sha256.Sum256([]byte(word))
	return base64.StdEncoding.EncodeToString(h[:])
}

// word is the word of a token, so that outputs can be read.
func word(text string) string {
	for _, w := range []string{"one", "two", "three", "four", "five"} {
		if text == token(w) {
			return "token " + w
		}
	}
	return text
}

// dump is everything that a mesh says as JSON, with secrets in clear and all zero fields left out.
func dump(t testing.TB, m *mesh.Mesh) string {
	t.Helper()
	out := map[string]any{}
	section(t, out, "services", m.Services)
	section(t, out, "endpoints", m.Endpoints)
	section(t, out, "pods", m.Pods)
	section(t, out, "gateways", m.Gateways)
	section(t, out, "outbound", m.Outbound)
	section(t, out, "inbound", m.Inbound)
	section(t, out, "tokens", m.Tokens)
	section(t, out, "keys", m.Keys)
	accepted := map[string]any{}
	for token, a := range m.Accepted.All() {
		accepted[word(token)] = fmt.Sprintf("%s by %s %s/%s revision %s", a.Source, a.Credential.Kind, a.Credential.Namespace, a.Credential.Name, a.Credential.Version)
	}
	if len(accepted) > 0 {
		out["accepted"] = accepted
	}
	var problems []string
	for id, p := range m.Problems.All() {
		if id != p.ID() {
			t.Errorf("the problem %s stands at %s", p.ID(), id)
		}
		if p.Reason == "" || p.Remedy == "" || p.Object.Version == "" || strings.Contains(p.Reason+p.Remedy, "\n") {
			t.Errorf("the problem %q lacks a reason, a remedy, a version, or has line breaks", p.Error())
		}
		problems = append(problems, p.Object.Version+" "+p.Error())
	}
	if len(problems) > 0 {
		out["problems"] = problems
	}
	if m.Unopened != 0 {
		out["unopened"] = m.Unopened
	}
	text, err := json.MarshalIndent(out, "", " ")
	must(t, err)
	return string(text)
}

func section[V any](t testing.TB, out map[string]any, name string, m sorted.Map[V]) {
	t.Helper()
	pieces := map[string]any{}
	for key, piece := range m.All() {
		pieces[key] = clear(reflect.ValueOf(piece))
	}
	if len(pieces) > 0 {
		out[name] = pieces
	}
}

// clear is a piece as plain data.
func clear(v reflect.Value) any {
	if v.Type() == reflect.TypeFor[mesh.Secret]() {
		return word(v.Interface().(mesh.Secret).Reveal())
	}
	if s, ok := v.Interface().(fmt.Stringer); ok && v.Kind() == reflect.Struct || ok && v.Kind() == reflect.Int64 {
		return s.String()
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return clear(v.Elem())
	case reflect.Slice:
		var list []any
		for i := range v.Len() {
			list = append(list, clear(v.Index(i)))
		}
		return list
	case reflect.Struct:
		fields := map[string]any{}
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() && f.CanInterface() {
				fields[v.Type().Field(i).Name] = clear(f)
			}
		}
		return fields
	case reflect.String:
		return v.String()
	}
	return v.Interface()
}

// readable leaves out what would only disturb the reader of a golden file: the objects' references, whose version changes with everything.
func readable(t testing.TB, text string) []byte {
	t.Helper()
	var all map[string]any
	must(t, json.Unmarshal([]byte(text), &all))
	problems, _ := all["problems"].([]any)
	for i := range problems {
		_, problems[i], _ = strings.Cut(problems[i].(string), " ")
	}
	for _, section := range all {
		pieces, _ := section.(map[string]any)
		for _, p := range pieces {
			if fields, ok := p.(map[string]any); ok {
				delete(fields, "Ref")
			}
		}
	}
	out, err := yaml.Marshal(all)
	must(t, err)
	return out
}

// replace is a text with one part replaced, which must be in it.
func replace(t testing.TB, text, old, by string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q stands %d times in the text, want once", old, strings.Count(text, old))
	}
	return strings.Replace(text, old, by, 1)
}

func equal[T any](t testing.TB, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
