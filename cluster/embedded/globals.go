//go:build !lite

package embedded

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
	_ "unsafe" // for go:linkname

	"go.uber.org/zap"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	genericfeatures "k8s.io/apiserver/pkg/features"
	_ "k8s.io/apiserver/pkg/storage/storagebackend/factory" // owns etcd3ClientLogger
	"k8s.io/apiserver/pkg/util/compatibility"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	_ "k8s.io/component-base/version" // owns dynamicGitVersion
	"k8s.io/kubernetes/pkg/features"
)

// dynamicGitVersion is what /version reports. A build from modules knows no version of Kubernetes, and the exported setter
// refuses every version but the unknown one's own number.
//
//go:linkname dynamicGitVersion k8s.io/component-base/version.dynamicGitVersion
var dynamicGitVersion atomic.Value

// etcd3ClientLogger is where the API server's storage clients log: to the terminal, unless it is replaced.
//
//go:linkname etcd3ClientLogger k8s.io/apiserver/pkg/storage/storagebackend/factory.etcd3ClientLogger
var etcd3ClientLogger *zap.Logger

// takeGlobals sets what Kubernetes keeps once per process. It comes before everything else that Kubernetes does.
func takeGlobals(version string) error {
	dynamicGitVersion.Store(gitVersion(kubernetesVersion(), version))
	// Nothing is lost: the API server logs a failed request to its storage itself.
	etcd3ClientLogger = zap.NewNop()

	err := utilfeature.DefaultMutableFeatureGate.SetFromMap(map[string]bool{
		// Serves PodGroup (scheduling.k8s.io/v1beta1), Kubernetes' own gangs within one namespace.
		string(features.GenericWorkload): true,
		// Tell several API servers of one cluster apart and let them answer for each other. Without them there is one write
		// less every ten seconds, and a start after a crash does not wait a second for the lease of the server that died.
		string(genericfeatures.APIServerIdentity):                   false,
		string(genericfeatures.UnknownVersionInteroperabilityProxy): false,
	})
	if err != nil {
		return fmt.Errorf("set feature gates: %w", err)
	}
	registry := compatibility.DefaultComponentGlobalsRegistry
	if err := registry.Set(); err != nil {
		return fmt.Errorf("set feature gates: %w", err)
	}
	return utilerrors.NewAggregate(registry.Validate())
}

// kubernetesVersion is the version of the Kubernetes module in this binary, so that it never has to be kept up by hand.
func kubernetesVersion() string {
	build, ok := debug.ReadBuildInfo()
	if ok {
		for _, m := range build.Deps {
			if m.Path == "k8s.io/kubernetes" {
				return m.Version
			}
		}
	}
	return dynamicGitVersion.Load().(string) // a build without module information keeps what Kubernetes says
}
