//go:build !lite

package scheduler

import (
	"errors"
	"fmt"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apiserver/pkg/util/compatibility"
	basecompatibility "k8s.io/component-base/compatibility"
	_ "k8s.io/kubernetes/pkg/features" // registers the gates whose defaults depend on the version
)

// takeGlobals sets what Kubernetes keeps once per process: the version that it behaves like, and with it every feature gate.
func takeGlobals(server string) error {
	v, err := emulated(server)
	if err != nil {
		return err
	}
	registry := compatibility.DefaultComponentGlobalsRegistry
	effective, ok := registry.EffectiveVersionFor(basecompatibility.DefaultKubeComponent).(basecompatibility.MutableEffectiveVersion)
	if !ok {
		return errors.New("scheduler: Kubernetes' process-wide version cannot be set: this is a defect")
	}
	effective.SetEmulationVersion(v)
	if err := registry.Set(); err != nil {
		return fmt.Errorf("scheduler: behave like Kubernetes %s: %w", v, err)
	}
	return utilerrors.NewAggregate(registry.Validate())
}
