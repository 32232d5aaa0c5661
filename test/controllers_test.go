package test

import (
	"context"
	"net"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	watchtools "k8s.io/client-go/tools/watch"
	"k8s.io/client-go/util/retry"
)

// patience bounds the waits for controllers; it is no measure of their speed.
const patience = time.Minute

// What Kubernetes' own controllers do for everything above them.
func TestTheControllersThatTheAPINeedsAreAtWork(t *testing.T) {
	t.Parallel()
	client, err := kubernetes.NewForConfig(node.REST(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("a deleted namespace goes with all that is in it", func(t *testing.T) {
		t.Parallel()
		ns := newNamespace(t, typedClient(t, node.REST(t)))
		maps := client.CoreV1().ConfigMaps(ns)
		if _, err := maps.Create(t.Context(), configMap("inside"), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := client.CoreV1().Namespaces().Delete(t.Context(), ns, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the namespace is gone", func(ctx context.Context) (bool, error) {
			_, err := client.CoreV1().Namespaces().Get(ctx, ns, metav1.GetOptions{})
			return apierrors.IsNotFound(err), ignoreNotFound(err)
		})
	})
	t.Run("what an object owns goes with it", func(t *testing.T) {
		t.Parallel()
		ns := newNamespace(t, typedClient(t, node.REST(t)))
		maps := client.CoreV1().ConfigMaps(ns)
		owner, err := maps.Create(t.Context(), configMap("owner"), metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		owned := configMap("owned")
		owned.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}}
		if _, err := maps.Create(t.Context(), owned, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		if err := maps.Delete(t.Context(), "owner", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the owned object is gone", func(ctx context.Context) (bool, error) {
			_, err := maps.Get(ctx, "owned", metav1.GetOptions{})
			return apierrors.IsNotFound(err), ignoreNotFound(err)
		})
	})
	t.Run("a service account has a token that opens what it may and nothing else", func(t *testing.T) {
		t.Parallel()
		ns := newNamespace(t, typedClient(t, node.REST(t)))
		var token *authenticationv1.TokenRequest
		eventually(t, "the namespace has its default service account", func(ctx context.Context) (bool, error) {
			var err error
			token, err = client.CoreV1().ServiceAccounts(ns).CreateToken(ctx, "default", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
			return err == nil, ignoreNotFound(err)
		})
		bearer := rest.AnonymousClientConfig(node.REST(t))
		bearer.BearerToken = token.Status.Token
		stranger, err := kubernetes.NewForConfig(bearer)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stranger.CoreV1().Secrets(ns).List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
			t.Errorf("it lists secrets: %v, want forbidden", err)
		}
		if _, err := stranger.Discovery().ServerVersion(); err != nil {
			t.Errorf("it cannot ask for the version: %v", err)
		}
	})
	t.Run("nobody without credentials gets anything but health", func(t *testing.T) {
		t.Parallel()
		anonymous, err := kubernetes.NewForConfig(rest.AnonymousClientConfig(node.REST(t)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := anonymous.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(t.Context()); err != nil {
			t.Errorf("/readyz: %v, want an answer", err)
		}
		for _, path := range []string{"/api", "/apis/kuscia.secretflow/v1alpha1/domains", "/metrics", "/version"} {
			if _, err := anonymous.Discovery().RESTClient().Get().AbsPath(path).DoRaw(t.Context()); !apierrors.IsUnauthorized(err) {
				t.Errorf("%s: %v, want unauthorized", path, err)
			}
		}
	})
}

// Pods of both scheduler names are bound: the original's, which task pods carry, and Kubernetes' own.
func TestPodsAreBound(t *testing.T) {
	t.Parallel()
	client, err := kubernetes.NewForConfig(node.REST(t))
	if err != nil {
		t.Fatal(err)
	}
	ns := newNamespace(t, typedClient(t, node.REST(t)))
	hollow := hollowNode("hollow-" + ns)
	if _, err := client.CoreV1().Nodes().Create(t.Context(), hollow, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error { // the node controller writes it too
		created, err := client.CoreV1().Nodes().Get(t.Context(), hollow.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		created.Status = hollow.Status
		_, err = client.CoreV1().Nodes().UpdateStatus(t.Context(), created, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the namespace has its default service account", func(ctx context.Context) (bool, error) {
		_, err := client.CoreV1().ServiceAccounts(ns).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, ignoreNotFound(err)
	})
	for _, scheduler := range []string{"kuscia-scheduler", "default-scheduler"} {
		t.Run(scheduler, func(t *testing.T) {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod-of-" + scheduler}}
			pod.Spec = corev1.PodSpec{
				SchedulerName: scheduler,
				NodeSelector:  map[string]string{"story": hollow.Name},
				Containers:    []corev1.Container{{Name: "c", Image: "i"}},
				Tolerations:   []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			}
			if _, err := client.CoreV1().Pods(ns).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			bound := func(e watch.Event) (bool, error) {
				p, ok := e.Object.(*corev1.Pod)
				return ok && p.Spec.NodeName == hollow.Name, nil
			}
			pods := client.CoreV1().Pods(ns)
			selector := fields.OneTermEqualSelector("metadata.name", pod.Name).String()
			list, err := pods.List(ctx, metav1.ListOptions{FieldSelector: selector})
			if err != nil {
				t.Fatal(err)
			}
			if len(list.Items) == 1 && list.Items[0].Spec.NodeName == hollow.Name {
				return
			}
			watcher := watcherFunc(func(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
				o.FieldSelector = selector
				return pods.Watch(ctx, o)
			})
			if _, err := watchtools.Until(ctx, list.ResourceVersion, watcher, bound); err != nil {
				t.Errorf("the pod was not bound: %v", err)
			}
		})
	}
}

// hollowNode is a node that nobody runs: enough for binding.
func hollowNode(name string) *corev1.Node {
	room := corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("8Gi"), corev1.ResourcePods: resource.MustParse("100"),
	}
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"story": name}}}
	n.Status = corev1.NodeStatus{
		Capacity: room, Allocatable: room,
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: metav1.Now()}},
	}
	return n
}

type watcherFunc func(context.Context, metav1.ListOptions) (watch.Interface, error)

func (f watcherFunc) WatchWithContext(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
	return f(ctx, o)
}

func (f watcherFunc) Watch(o metav1.ListOptions) (watch.Interface, error) {
	return f(context.Background(), o)
}

func configMap(name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// eventually asks until the condition holds, an error comes, or the test's patience is over.
func eventually(t *testing.T, what string, holds func(context.Context) (bool, error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		ok, err := holds(ctx)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if ok {
			tick.Stop()
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", patience, what)
		case <-tick.C:
		}
	}
}

// freePort returns a port that was free a moment ago, for what must come back at the same address.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return port
}
