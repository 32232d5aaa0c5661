package crds

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	internal "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset/fake"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/watch"
	clienttesting "k8s.io/client-go/testing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func all(t testing.TB) []*definition {
	t.Helper()
	list, err := All()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// serverCodec reads and writes definitions as the API server does.
var serverCodec = sync.OnceValue(func() runtime.Codec {
	scheme := runtime.NewScheme()
	install.Install(scheme)
	return serializer.NewCodecFactory(scheme).LegacyCodec(apiextensionsv1.SchemeGroupVersion)
})

// stored sends a definition the way of the API server: defaulted, made internal, and encoded again.
func stored(t testing.TB, d *definition) *definition {
	t.Helper()
	d = d.DeepCopy()
	d.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	data, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	object, err := runtime.Decode(serverCodec(), data)
	if err != nil {
		t.Fatal(err)
	}
	if data, err = runtime.Encode(serverCodec(), object); err != nil {
		t.Fatal(err)
	}
	out := &definition{}
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheDefinitionsAreThoseOfTheOriginal(t *testing.T) {
	t.Parallel()
	var names []string
	for _, d := range all(t) {
		names = append(names, d.Spec.Names.Kind+" "+string(d.Spec.Scope))
	}
	slices.Sort(names)
	want := []string{
		"AppImage Cluster", "ClusterDomainRoute Cluster", "Domain Cluster", "DomainAppImage Namespaced", "DomainData Namespaced", "DomainDataGrant Namespaced",
		"DomainDataSource Namespaced", "DomainRoute Namespaced", "Gateway Namespaced", "InteropConfig Cluster", "KusciaDeployment Namespaced", "KusciaDeploymentSummary Namespaced",
		"KusciaJob Namespaced", "KusciaJobSummary Namespaced", "KusciaTask Namespaced", "KusciaTaskSummary Namespaced", "TaskResource Namespaced", "TaskResourceGroup Cluster",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
}

func TestTheAPIServerAcceptsTheDefinitions(t *testing.T) {
	t.Parallel()
	for _, d := range all(t) {
		object := &internal.CustomResourceDefinition{}
		d = d.DeepCopy()
		apiextensionsv1.SetObjectDefaults_CustomResourceDefinition(d)
		if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(d, object, nil); err != nil {
			t.Fatal(err)
		}
		object.Status.StoredVersions = []string{d.Spec.Versions[0].Name} // as the server does before it validates
		if errs := validation.ValidateCustomResourceDefinition(t.Context(), object); len(errs) != 0 {
			t.Errorf("%s: %v", d.Name, errs.ToAggregate())
		}
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	want := all(t)[0]
	cases := []struct {
		name   string
		change func(have *definition)
		verb   string
		err    []string
	}{
		{"a definition as the API server stores it needs nothing", func(*definition) {}, "", nil},
		{"labels and annotations of others do not matter", func(d *definition) {
			d.Labels, d.Annotations["x"], d.ManagedFields = map[string]string{"a": "b"}, "y", []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
		}, "", nil},
		{"a changed schema is put right", func(d *definition) {
			d.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["more"] = apiextensionsv1.JSONSchemaProps{Type: "string"}
		}, "update", nil},
		{"a short name too many is taken away", func(d *definition) { d.Spec.Names.ShortNames = append(d.Spec.Names.ShortNames, "zz") }, "update", nil},
		{"a conversion webhook of another product is taken away", func(d *definition) { d.Spec.Conversion.Strategy = apiextensionsv1.WebhookConverter }, "update", nil},
		{"a changed annotation of ours is put right", func(d *definition) { clear(d.Annotations) }, "update", nil},
		{"another scope is refused", func(d *definition) { d.Spec.Scope = "Elsewhere" }, "", []string{want.Name, "scope Elsewhere", "delete the definition"}},
		{"another kind is refused", func(d *definition) { d.Spec.Names.Kind = "Other" }, "", []string{want.Name, "kind Other", "another product"}},
		{"objects of an unknown version are refused", func(d *definition) { d.Status.StoredVersions = []string{"v1alpha1", "v9"} }, "", []string{want.Name, "version v9", "newer Entente"}},
		{"a definition that is being deleted is refused", func(d *definition) { d.DeletionTimestamp = &metav1.Time{} }, "", []string{want.Name, "being deleted", "wait"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			have := stored(t, want)
			have.ResourceVersion, have.UID = "7", "u"
			have.Status.StoredVersions = []string{"v1alpha1"}
			c.change(have)
			before := have.DeepCopy()
			steps, err := plan([]*definition{want}, []definition{*have})
			if (err != nil) != (c.err != nil) {
				t.Fatalf("error %v, want one with %q", err, c.err)
			}
			for _, part := range c.err {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error %q lacks %q", err, part)
				}
			}
			if diff := cmp.Diff(before, have); diff != "" {
				t.Errorf("the existing object was changed:\n%s", diff)
			}
			if c.verb == "" {
				if len(steps) != 0 {
					t.Errorf("%d steps, want none", len(steps))
				}
				return
			}
			if len(steps) != 1 || !steps[0].update {
				t.Fatalf("steps %+v, want one update", steps)
			}
			got := steps[0].object
			if got.ResourceVersion != "7" || got.UID != "u" {
				t.Error("the update is not guarded by the resource version")
			}
			if same, err := equal(want, stored(t, got)); !same || err != nil {
				t.Errorf("the update does not lead to what is wanted: %v", err)
			}
		})
	}
	t.Run("raw JSON in another writing is the same", func(t *testing.T) {
		t.Parallel()
		raw := func(text string) *definition {
			d := want.DeepCopy()
			d.Spec.Versions[0].Schema.OpenAPIV3Schema.Default = &apiextensionsv1.JSON{Raw: []byte(text)}
			return d
		}
		have := stored(t, want)
		have.Spec.Versions[0].Schema.OpenAPIV3Schema.Default = &apiextensionsv1.JSON{Raw: []byte(`{"a":2,"b":1}`)}
		if same, err := equal(raw(`{ "b": 1, "a": 2 }`), have); !same || err != nil {
			t.Errorf("it counts as a difference: %v", err)
		}
		if same, err := equal(raw(`{ "b": 1, "a": 3 }`), have); same || err != nil {
			t.Errorf("another value does not count as a difference: %v", err)
		}
	})
	t.Run("a missing definition is created, a foreign one is left alone", func(t *testing.T) {
		t.Parallel()
		foreign := definition{ObjectMeta: metav1.ObjectMeta{Name: "widgets.example.com"}}
		steps, err := plan([]*definition{want}, []definition{foreign})
		if err != nil || len(steps) != 1 || steps[0].update || steps[0].object.Name != want.Name {
			t.Errorf("steps %+v, error %v", steps, err)
		}
	})
	t.Run("every refusal is told", func(t *testing.T) {
		t.Parallel()
		two := all(t)[:2]
		a, b := *stored(t, two[0]), *stored(t, two[1])
		a.Spec.Scope, b.Spec.Scope = "Elsewhere", "Elsewhere"
		_, err := plan(two, []definition{a, b})
		if err == nil || !strings.Contains(err.Error(), a.Name) || !strings.Contains(err.Error(), b.Name) {
			t.Errorf("error %v", err)
		}
	})
}

// condition is what the API server's controllers write into the status.
func condition(d *definition, kind apiextensionsv1.CustomResourceDefinitionConditionType, status apiextensionsv1.ConditionStatus) *definition {
	d = d.DeepCopy()
	d.Status.Conditions = append(d.Status.Conditions, apiextensionsv1.CustomResourceDefinitionCondition{Type: kind, Status: status, Reason: "Because", Message: "so it is"})
	return d
}

// server is a fake API server whose controllers do what serve says with each written definition.
func server(t *testing.T, serve func(*definition) *definition, objects ...*definition) *fake.Clientset {
	t.Helper()
	var list []runtime.Object
	for _, o := range objects {
		list = append(list, o)
	}
	client := fake.NewClientset(list...)
	written := func(action clienttesting.Action) (bool, runtime.Object, error) {
		object := action.(clienttesting.CreateAction).GetObject().(*definition)
		done := serve(stored(t, object))
		if action.GetVerb() == "create" {
			return true, object, client.Tracker().Create(action.GetResource(), done, "")
		}
		return true, object, client.Tracker().Update(action.GetResource(), done, "")
	}
	client.PrependReactor("create", "*", written)
	client.PrependReactor("update", "*", written)
	return client
}

func serving(d *definition) *definition {
	d.Status.StoredVersions = []string{d.Spec.Versions[0].Name}
	return condition(d, apiextensionsv1.Established, apiextensionsv1.ConditionTrue)
}

// verbs counts what the server was asked.
func verbs(client *fake.Clientset) map[string]int {
	count := map[string]int{}
	for _, a := range client.Actions() {
		count[a.GetVerb()]++
	}
	client.ClearActions()
	return count
}

var discard = slog.New(slog.DiscardHandler)

func TestApply(t *testing.T) {
	t.Parallel()
	want := all(t)
	client := server(t, serving)
	crds := client.ApiextensionsV1().CustomResourceDefinitions()

	got, err := apply(t.Context(), crds, want, discard)
	if err != nil || got != (Result{Created: 18}) {
		t.Fatalf("first: %+v, %v", got, err)
	}
	if diff := cmp.Diff(map[string]int{"list": 1, "watch": 1, "create": 18}, verbs(client)); diff != "" {
		t.Errorf("first: requests (-want +got):\n%s", diff)
	}

	got, err = apply(t.Context(), crds, want, discard)
	if err != nil || got != (Result{Unchanged: 18}) {
		t.Fatalf("second: %+v, %v", got, err)
	}
	if diff := cmp.Diff(map[string]int{"list": 1}, verbs(client)); diff != "" {
		t.Errorf("the second costs more than a list (-want +got):\n%s", diff)
	}

	spoilt := serving(stored(t, want[3]))
	spoilt.Spec.Names.Categories = []string{"spoilt"}
	if err := client.Tracker().Update(apiextensionsv1.SchemeGroupVersion.WithResource("customresourcedefinitions"), spoilt, ""); err != nil {
		t.Fatal(err)
	}
	got, err = apply(t.Context(), crds, want, discard)
	if err != nil || got != (Result{Updated: 1, Unchanged: 17}) {
		t.Fatalf("third: %+v, %v", got, err)
	}
	if diff := cmp.Diff(map[string]int{"list": 1, "watch": 1, "update": 1}, verbs(client)); diff != "" {
		t.Errorf("third: requests (-want +got):\n%s", diff)
	}
}

func TestApplyRefusesBeforeTheFirstWrite(t *testing.T) {
	t.Parallel()
	want := all(t)
	bad := stored(t, want[5])
	bad.Spec.Scope = "Elsewhere"
	client := server(t, serving, bad)
	got, err := apply(t.Context(), client.ApiextensionsV1().CustomResourceDefinitions(), want, discard)
	if err == nil || !strings.Contains(err.Error(), "scope Elsewhere") || got != (Result{}) {
		t.Errorf("%+v, error %v", got, err)
	}
	if diff := cmp.Diff(map[string]int{"list": 1}, verbs(client)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

func TestApplyNamesTheDefinitionThatIsNotServed(t *testing.T) {
	t.Parallel()
	want := all(t)[:2]
	t.Run("at once when its names are taken", func(t *testing.T) {
		t.Parallel()
		client := server(t, func(d *definition) *definition {
			return condition(d, apiextensionsv1.NamesAccepted, apiextensionsv1.ConditionFalse)
		})
		_, err := apply(t.Context(), client.ApiextensionsV1().CustomResourceDefinitions(), want[:1], discard)
		if err == nil || !strings.Contains(err.Error(), want[0].Name+" is not served: condition NamesAccepted is False (Because: so it is)") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("when time runs out", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			client := server(t, func(d *definition) *definition {
				if d.Name == want[0].Name {
					return serving(d)
				}
				return condition(d, apiextensionsv1.Established, apiextensionsv1.ConditionFalse)
			})
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_, err := apply(ctx, client.ApiextensionsV1().CustomResourceDefinitions(), want, discard)
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), want[1].Name+" (of 1) is not served in time: Established is False (Because: so it is)") {
				t.Errorf("error %v", err)
			}
		})
	})
}

func TestApplyWaitsForWhatAnEarlierRunWrote(t *testing.T) {
	t.Parallel()
	want := all(t)[:1]
	client := server(t, serving, stored(t, want[0]))
	watching := make(chan struct{})
	client.PrependWatchReactor("*", func(action clienttesting.Action) (bool, watch.Interface, error) {
		w, err := client.Tracker().Watch(action.GetResource(), "")
		close(watching)
		return true, w, err
	})
	go func() {
		<-watching
		_ = client.Tracker().Update(apiextensionsv1.SchemeGroupVersion.WithResource("customresourcedefinitions"), serving(stored(t, want[0])), "") // a failure shows as a timeout
	}()
	got, err := apply(t.Context(), client.ApiextensionsV1().CustomResourceDefinitions(), want, discard)
	if err != nil || got != (Result{Unchanged: 1}) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestApplyStartsOver(t *testing.T) {
	t.Parallel()
	resource := schema.GroupResource{Group: apiextensionsv1.GroupName, Resource: "customresourcedefinitions"}
	want := all(t)[:3]
	t.Run("when another process creates the same definition", func(t *testing.T) {
		t.Parallel()
		client := server(t, serving)
		first := true
		client.PrependReactor("create", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
			d := action.(clienttesting.CreateAction).GetObject().(*definition)
			if d.Name != want[1].Name || !first {
				return false, nil, nil
			}
			first = false
			if err := client.Tracker().Create(action.GetResource(), serving(stored(t, d)), ""); err != nil {
				return true, nil, err
			}
			return true, nil, apierrors.NewAlreadyExists(resource, d.Name)
		})
		got, err := apply(t.Context(), client.ApiextensionsV1().CustomResourceDefinitions(), want, discard)
		if err != nil || got != (Result{Created: 2, Unchanged: 1}) {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("when another process updates the same definition", func(t *testing.T) {
		t.Parallel()
		old := serving(stored(t, want[0]))
		old.Spec.Names.ShortNames = nil
		client := server(t, serving, old)
		first := true
		client.PrependReactor("update", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
			if first {
				first = false
				return true, nil, apierrors.NewConflict(resource, old.Name, errors.New("changed"))
			}
			return false, nil, nil
		})
		got, err := apply(t.Context(), client.ApiextensionsV1().CustomResourceDefinitions(), want[:1], discard)
		if err != nil || got != (Result{Updated: 1}) {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("when the API server ends the watch", func(t *testing.T) {
		t.Parallel()
		client := server(t, serving)
		first := true
		client.PrependWatchReactor("*", func(clienttesting.Action) (bool, watch.Interface, error) {
			if !first {
				return false, nil, nil
			}
			first = false
			w := watch.NewFake()
			w.Stop()
			return true, w, nil
		})
		got, err := apply(t.Context(), client.ApiextensionsV1().CustomResourceDefinitions(), want, discard)
		if err != nil || got != (Result{Created: 3}) {
			t.Errorf("%+v, %v", got, err)
		}
	})
	t.Run("but not for ever, and not without rights", func(t *testing.T) {
		t.Parallel()
		client := server(t, serving)
		client.PrependReactor("create", "*", func(action clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(resource, "x", errors.New("no"))
		})
		_, err := apply(t.Context(), client.ApiextensionsV1().CustomResourceDefinitions(), want, discard)
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "cluster administrator") {
			t.Errorf("error %v", err)
		}
		if n := verbs(client)["list"]; n != 1 {
			t.Errorf("%d rounds", n)
		}
	})
}

func BenchmarkAll(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		all(b)
	}
}

func BenchmarkPlanOnOldData(b *testing.B) {
	b.ReportAllocs()
	want := all(b)
	var have []definition
	for _, w := range want {
		have = append(have, *serving(stored(b, w)))
	}
	for b.Loop() {
		if steps, err := plan(want, have); err != nil || len(steps) != 0 {
			b.Fatal(len(steps), err)
		}
	}
}
