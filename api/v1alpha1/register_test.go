package v1alpha1_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/entente-mesh/entente/api/v1alpha1"
)

// newScheme returns a scheme that knows this package and nothing else.
func newScheme(t testing.TB) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatalf("add v1alpha1 to the scheme: %v", err)
	}
	return scheme
}

func TestSchemeKnowsEveryKindAndItsList(t *testing.T) {
	t.Parallel()
	scheme := newScheme(t)
	crds := readCRDs(t)
	if len(crds) != 18 {
		t.Errorf("the CRD folder has %d kinds, want 18", len(crds))
	}

	want := map[string]bool{}
	for kind, crd := range crds {
		want[kind], want[crd.Spec.Names.ListKind] = true, true
	}
	got := map[string]bool{}
	for kind, goType := range scheme.KnownTypes(v1alpha1.GroupVersion) {
		if strings.HasSuffix(goType.PkgPath(), "api/v1alpha1") {
			got[kind] = true
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the kinds of the CRDs and of the scheme differ (-crds +scheme):\n%s", diff)
	}
}

func TestEveryKindCanBeReadAndListedByATypedClient(t *testing.T) {
	t.Parallel()
	scheme := newScheme(t)
	for kind, crd := range readCRDs(t) {
		object, err := scheme.New(v1alpha1.GroupVersion.WithKind(kind))
		if err != nil {
			t.Errorf("new %s: %v", kind, err)
			continue
		}
		if _, ok := object.(client.Object); !ok {
			t.Errorf("%T is not an object of a controller-runtime client", object)
		}
		list, err := scheme.New(v1alpha1.GroupVersion.WithKind(crd.Spec.Names.ListKind))
		if err != nil {
			t.Errorf("new list of %s: %v", kind, err)
			continue
		}
		if _, ok := list.(client.ObjectList); !ok {
			t.Errorf("%T is not a list of a controller-runtime client", list)
		}
	}
}

func TestEveryKindIsServedAndStoredInOneVersion(t *testing.T) {
	t.Parallel()
	type version struct {
		Group, Version  string
		Served, Storage bool
	}
	for kind, crd := range readCRDs(t) {
		want := []version{{Group: v1alpha1.GroupVersion.Group, Version: v1alpha1.GroupVersion.Version, Served: true, Storage: true}}
		var got []version
		for _, v := range crd.Spec.Versions {
			got = append(got, version{Group: crd.Spec.Group, Version: v.Name, Served: v.Served, Storage: v.Storage})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("versions of %s (-want +got):\n%s", kind, diff)
		}
		if crd.Spec.Conversion != nil && crd.Spec.Conversion.Strategy != apiextensionsv1.NoneConverter {
			t.Errorf("%s has conversion %q, want none", kind, crd.Spec.Conversion.Strategy)
		}
	}
}
