//go:build !lite

package embedded

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app/config"
	"k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	"k8s.io/kubernetes/cmd/kube-controller-manager/names"

	"github.com/entente-mesh/entente/cluster/embedded/pki"
)

// controllersStopWithin bounds how long the controllers finish what they began: all of them start over from what is there.
const controllersStopWithin = time.Second

// controllers lists what runs of the 45 controllers of Kubernetes.
func controllers() []string {
	return []string{
		// Namespaces end, owners' objects go with them, and dead nodes' pods are evicted.
		names.NamespaceController,
		names.GarbageCollectorController,
		names.PodGarbageCollectorController,
		names.TTLAfterFinishedController,
		names.NodeLifecycleController,
		names.TaintEvictionController,
		// Each namespace gets its default account and the authority that pods trust; tokens in secrets still work.
		names.ServiceAccountController,
		names.ServiceAccountTokenController,
		names.RootCACertificatePublisherController,
		// The roles admin, edit and view are put together from parts.
		names.ClusterRoleAggregationController,
		names.ResourceQuotaController,
		// Services find their pods. Endpoints is the older form, which the original's tools read.
		names.EndpointsController,
		names.EndpointSliceController,
		// A KusciaDeployment is made of Deployments.
		names.DeploymentController,
		names.ReplicaSetController,
		// Takes off the finalizer that admission puts on every PodGroup.
		names.PodGroupProtectionController,
	}
}

// controllerManager is the kube-controller-manager with the controllers above.
type controllerManager struct {
	options *options.KubeControllerManagerOptions
	rest    *rest.Config
	ready   chan struct{}
}

func newControllerManager(r *rest.Config, keys pki.Files) (*controllerManager, error) {
	o, err := options.NewKubeControllerManagerOptions()
	if err != nil {
		return nil, err
	}
	o.Master = r.Host // else it looks for a pod's credentials
	o.SecureServing.BindPort = 0
	o.Generic.LeaderElection.LeaderElect = false // the data folder is this process' own
	o.Generic.Debugging.EnableProfiling = false
	o.Metrics = nil // as in the API server
	o.Generic.Controllers = controllers()
	o.ControllerShutdownTimeout = controllersStopWithin
	o.KubeCloudShared.UseServiceAccountCredentials = true // each controller has its own permissions and no more
	o.SAController.ServiceAccountKeyFile = keys.ServiceAccountKey
	o.SAController.RootCAFile = keys.ServerCA
	return &controllerManager{options: o, rest: r, ready: make(chan struct{})}, nil
}

// Run works until ctx ends.
func (m *controllerManager) Run(ctx context.Context) error {
	c, err := m.config(ctx)
	if err != nil {
		return err
	}
	close(m.ready)
	if err := app.Run(ctx, c.Complete()); err != nil && ctx.Err() == nil {
		return err
	}
	if ctx.Err() == nil {
		return errors.New("all controllers ended")
	}
	return nil
}

func (m *controllerManager) config(ctx context.Context) (*config.Config, error) {
	c, err := m.options.Config(ctx, app.KnownControllers(), app.ControllersDisabledByDefault(), app.ControllerAliases())
	if err != nil {
		return nil, err
	}
	// The options take credentials from a file alone; these are the same fields, set by hand.
	c.Kubeconfig = rest.CopyConfig(m.rest)
	c.Kubeconfig.DisableCompression = true
	c.Kubeconfig.WarningHandler = rest.NoWarnings{} // the server deprecates kinds that these controllers must still write
	c.Kubeconfig.ContentType = "application/vnd.kubernetes.protobuf"
	c.Client, err = kubernetes.NewForConfig(rest.AddUserAgent(c.Kubeconfig, options.KubeControllerManagerUserAgent))
	if err != nil {
		return nil, fmt.Errorf("make a client: %w", err)
	}
	return c, nil
}

// Ready is closed when the controllers are about to start. Nothing waits for their first round.
func (m *controllerManager) Ready() <-chan struct{} { return m.ready }

// String names the part.
func (m *controllerManager) String() string { return "controller manager" }
