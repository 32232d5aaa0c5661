package v1alpha1_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	crdvalidation "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// crdFolder is where `go generate` writes the CustomResourceDefinitions of this package.
const crdFolder = "../../cluster/crds"

// crdFiles reads the folder once; the tests work on copies.
var crdFiles = sync.OnceValues(func() ([]*apiextensionsv1.CustomResourceDefinition, error) {
	files, err := filepath.Glob(filepath.Join(crdFolder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	crds := make([]*apiextensionsv1.CustomResourceDefinition, len(files))
	for i, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		crds[i] = &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(data, crds[i]); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
	}
	return crds, nil
})

// readCRDs returns the generated CustomResourceDefinitions by kind.
func readCRDs(t testing.TB) map[string]*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	crds, err := crdFiles()
	if err != nil {
		t.Fatal(err)
	}
	if len(crds) == 0 {
		t.Fatalf("no CRD files in %s; run `go generate ./api/v1alpha1`", crdFolder)
	}
	byKind := make(map[string]*apiextensionsv1.CustomResourceDefinition, len(crds))
	for _, crd := range crds {
		byKind[crd.Spec.Names.Kind] = crd.DeepCopy()
	}
	return byKind
}

// internalCRD converts a CustomResourceDefinition to the form that the API server validates, with the API server's defaults.
func internalCRD(t testing.TB, crd *apiextensionsv1.CustomResourceDefinition) *apiextensions.CustomResourceDefinition {
	t.Helper()
	scheme := runtime.NewScheme()
	install.Install(scheme)
	crd = crd.DeepCopy()
	scheme.Default(crd)
	internal := &apiextensions.CustomResourceDefinition{}
	if err := scheme.Convert(crd, internal, nil); err != nil {
		t.Fatalf("convert CRD %s: %v", crd.Name, err)
	}
	internal.Status.StoredVersions = []string{crd.Spec.Versions[0].Name} // the API server does this when it creates the object
	return internal
}

// structural returns the schema of a kind in the form from which the API server prunes, defaults and validates objects.
func structural(t testing.TB, crd *apiextensionsv1.CustomResourceDefinition) *structuralschema.Structural {
	t.Helper()
	internal := internalCRD(t, crd)
	validation, err := apiextensions.GetSchemaForVersion(internal, crd.Spec.Versions[0].Name)
	if err != nil {
		t.Fatalf("schema of CRD %s: %v", crd.Name, err)
	}
	schema, err := structuralschema.NewStructural(validation.OpenAPIV3Schema)
	if err != nil {
		t.Fatalf("structural schema of CRD %s: %v", crd.Name, err)
	}
	return schema
}

func TestTheAPIServerAdmitsEveryCRD(t *testing.T) {
	t.Parallel()
	for kind, crd := range readCRDs(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for _, err := range crdvalidation.ValidateCustomResourceDefinition(t.Context(), internalCRD(t, crd)) {
				t.Error(err)
			}
			for _, err := range structuralschema.ValidateStructural(nil, structural(t, crd)) {
				t.Error(err)
			}
		})
	}
}

func TestABrokenCRDIsNoticed(t *testing.T) {
	t.Parallel()
	crd := readCRDs(t)["KusciaJob"]
	spec := crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]
	tasks := spec.Properties["tasks"]
	tasks.Items = nil
	spec.Properties["tasks"] = tasks
	if errs := crdvalidation.ValidateCustomResourceDefinition(t.Context(), internalCRD(t, crd)); len(errs) == 0 {
		t.Error("an array without an item schema was admitted")
	}
}
