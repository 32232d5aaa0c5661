package crds

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// definition is shorter than its name in the API.
type definition = apiextensionsv1.CustomResourceDefinition

// A step is what must be written for one definition.
type step struct {
	object *definition
	// update is set when the object exists; the object then carries the resource version that it is based on.
	update bool
}

// plan compares what is wanted with what is there. Definitions of others are left alone; one of the same name, such as a
// real Kuscia's, is taken over when all objects that were stored under it stay readable, else refused.
func plan(want []*definition, have []definition) ([]step, error) {
	there := make(map[string]*definition, len(have))
	for i := range have {
		there[have[i].Name] = &have[i]
	}
	var steps []step
	var refused []error
	for _, w := range want {
		h := there[w.Name]
		if h == nil {
			steps = append(steps, step{object: w})
			continue
		}
		if err := acceptable(w, h); err != nil {
			refused = append(refused, err)
			continue
		}
		same, err := equal(w, h)
		if err != nil {
			return nil, err
		}
		if !same {
			steps = append(steps, step{object: replaced(w, h), update: true})
		}
	}
	return steps, errors.Join(refused...)
}

// acceptable says why the existing definition must not be replaced, or nil.
func acceptable(want, have *definition) error {
	if have.DeletionTimestamp != nil {
		return fmt.Errorf("resource definition %s is being deleted with all its objects: wait until it is gone (kubectl get crd %s), then start again", want.Name, want.Name)
	}
	if have.Spec.Scope != want.Spec.Scope {
		return fmt.Errorf("resource definition %s exists with scope %s, but Entente needs %s: its objects cannot be kept; save what is needed and delete the definition", want.Name, have.Spec.Scope, want.Spec.Scope)
	}
	if have.Spec.Names.Kind != want.Spec.Names.Kind {
		return fmt.Errorf("resource definition %s exists with kind %s, but Entente needs %s: it belongs to another product; delete it or use another cluster", want.Name, have.Spec.Names.Kind, want.Spec.Names.Kind)
	}
	for _, stored := range have.Status.StoredVersions {
		if !slices.ContainsFunc(want.Spec.Versions, func(v apiextensionsv1.CustomResourceDefinitionVersion) bool { return v.Name == stored }) {
			return fmt.Errorf("resource definition %s has objects stored as version %s, which this Entente does not know: start a newer Entente, or migrate the objects first", want.Name, stored)
		}
	}
	return nil
}

// equal says whether writing want would change nothing that Entente cares about: the whole spec, and its own labels and annotations.
func equal(want, have *definition) (bool, error) {
	if !holds(have.Labels, want.Labels) || !holds(have.Annotations, want.Annotations) {
		return false, nil
	}
	d := want.DeepCopy()
	apiextensionsv1.SetObjectDefaults_CustomResourceDefinition(d)
	if equality.Semantic.DeepEqual(d.Spec, have.Spec) {
		return true, nil // the usual case, ten times faster than the comparison of texts
	}
	w, err := canonical(d)
	if err != nil {
		return false, err
	}
	h, err := canonical(have)
	return w == h, err
}

// canonical is the spec as text with every object's keys sorted: the server writes raw JSON (defaults, enumerations) in its
// own way.
func canonical(d *definition) (string, error) {
	data, err := json.Marshal(d.Spec)
	if err != nil {
		return "", fmt.Errorf("compare resource definition %s: %w", d.Name, err)
	}
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return "", fmt.Errorf("compare resource definition %s: %w", d.Name, err)
	}
	if data, err = json.Marshal(value); err != nil {
		return "", fmt.Errorf("compare resource definition %s: %w", d.Name, err)
	}
	return string(data), nil
}

// holds says whether all of part is in whole.
func holds(whole, part map[string]string) bool {
	for k, v := range part {
		if got, ok := whole[k]; !ok || got != v {
			return false
		}
	}
	return true
}

// replaced is the existing object with the wanted spec. Labels and annotations of others stay.
func replaced(want, have *definition) *definition {
	d := have.DeepCopy()
	want = want.DeepCopy()
	d.Spec = want.Spec
	if d.Labels == nil {
		d.Labels = map[string]string{}
	}
	if d.Annotations == nil {
		d.Annotations = map[string]string{}
	}
	maps.Copy(d.Labels, want.Labels)
	maps.Copy(d.Annotations, want.Annotations)
	return d
}

// established says whether the API server serves the definition, and otherwise what its conditions say. It fails when the
// server has refused the names, which only a person can resolve.
func established(d *definition) (served bool, why string, err error) {
	var said []string
	for _, c := range d.Status.Conditions {
		switch {
		case c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue:
			served = true
		case c.Type == apiextensionsv1.NamesAccepted && c.Status == apiextensionsv1.ConditionFalse:
			err = fmt.Errorf("resource definition %s is not served: condition NamesAccepted is False (%s: %s): delete the other definition that has these names, or use another cluster", d.Name, c.Reason, c.Message)
		case c.Status != apiextensionsv1.ConditionTrue:
			said = append(said, fmt.Sprintf("%s is %s (%s: %s)", c.Type, c.Status, c.Reason, c.Message))
		}
	}
	if served {
		return true, "", nil
	}
	if len(said) == 0 {
		said = []string{"it has no conditions yet"}
	}
	return false, strings.Join(said, ", "), err
}
