package rbac

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func clientsOf(c *fake.Clientset) clients {
	return clients{c.CoreV1().Namespaces(), c.RbacV1().ClusterRoles(), c.RbacV1().ClusterRoleBindings()}
}

var discard = slog.New(slog.DiscardHandler)

// requests lists what was asked, sorted, and forgets it.
func requests(c *fake.Clientset) []string {
	var list []string
	for _, a := range c.Actions() {
		name := ""
		switch a := a.(type) {
		case clienttesting.GetAction:
			name = a.GetName()
		case clienttesting.CreateAction:
			name = a.GetObject().(metav1.Object).GetName()
		}
		list = append(list, a.GetVerb()+" "+a.GetResource().Resource+" "+name)
	}
	c.ClearActions()
	slices.Sort(list)
	return list
}

var reads = []string{
	"get clusterrolebindings kuscia", "get clusterroles domain-cluster-res", "get clusterroles kuscia", "get namespaces cross-domain",
}

func TestApplyCreatesWhatIsMissingAndThenOnlyReads(t *testing.T) {
	t.Parallel()
	c := fake.NewClientset()
	changed, err := apply(t.Context(), clientsOf(c), discard)
	if err != nil || changed != 4 {
		t.Fatalf("first: %d, %v", changed, err)
	}
	want := append([]string{
		"create clusterrolebindings kuscia", "create clusterroles domain-cluster-res", "create clusterroles kuscia", "create namespaces cross-domain",
	}, reads...)
	if diff := cmp.Diff(want, requests(c)); diff != "" {
		t.Errorf("first: requests (-want +got):\n%s", diff)
	}
	changed, err = apply(t.Context(), clientsOf(c), discard)
	if err != nil || changed != 0 {
		t.Fatalf("second: %d, %v", changed, err)
	}
	if diff := cmp.Diff(reads, requests(c)); diff != "" {
		t.Errorf("second: requests (-want +got):\n%s", diff)
	}
}

func TestApplyPutsRightWhatDiffers(t *testing.T) {
	t.Parallel()
	wide := clusterRoles()[1].DeepCopy()
	wide.Rules = append(wide.Rules, rule("", []string{"secrets"}, "get"))
	wide.Labels = map[string]string{"kept": "yes"}
	aggregated := clusterRoles()[0].DeepCopy()
	aggregated.AggregationRule = &rbacv1.AggregationRule{}
	bound := binding()
	bound.Subjects = append(bound.Subjects, rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "system:unauthenticated"})
	c := fake.NewClientset(wide, aggregated, bound, namespace())
	changed, err := apply(t.Context(), clientsOf(c), discard)
	if err != nil || changed != 3 {
		t.Fatalf("%d, %v", changed, err)
	}
	role, err := c.RbacV1().ClusterRoles().Get(t.Context(), wide.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !equality.Semantic.DeepEqual(role.Rules, clusterRoles()[1].Rules) || role.Labels["kept"] != "yes" {
		t.Errorf("the role is now %+v", role)
	}
	got, err := c.RbacV1().ClusterRoleBindings().Get(t.Context(), bound.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(binding().Subjects, got.Subjects); diff != "" {
		t.Errorf("subjects (-want +got):\n%s", diff)
	}
}

func TestApplyRefusesWithTheRemedy(t *testing.T) {
	t.Parallel()
	ending := namespace()
	ending.DeletionTimestamp, ending.Finalizers = &metav1.Time{}, []string{"kubernetes"}
	other := binding()
	other.RoleRef.Name = "cluster-admin"
	cases := []struct {
		name   string
		object runtime.Object
		want   []string
	}{
		{"a namespace that is being deleted", ending, []string{"namespace cross-domain", "being deleted", "wait"}},
		{"a binding to another role", other, []string{"cluster role binding kuscia", "ClusterRole cluster-admin instead of ClusterRole kuscia", "delete it"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := apply(t.Context(), clientsOf(fake.NewClientset(c.object)), discard)
			if err == nil {
				t.Fatal("apply succeeds")
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error %q lacks %q", err, part)
				}
			}
		})
	}
}

func TestApplyMeetsAnotherWriter(t *testing.T) {
	t.Parallel()
	resource := rbacv1.Resource("clusterroles")
	t.Run("it reads again and finds the work done", func(t *testing.T) {
		t.Parallel()
		c := fake.NewClientset()
		c.PrependReactor("create", "clusterroles", func(a clienttesting.Action) (bool, runtime.Object, error) {
			object := a.(clienttesting.CreateAction).GetObject()
			name := object.(metav1.Object).GetName()
			if err := c.Tracker().Create(a.GetResource(), object, ""); err != nil {
				return true, nil, err
			}
			return true, nil, apierrors.NewAlreadyExists(resource, name)
		})
		changed, err := apply(t.Context(), clientsOf(c), discard)
		if err != nil || changed != 2 {
			t.Errorf("%d, %v", changed, err)
		}
	})
	t.Run("it gives up when that never ends", func(t *testing.T) {
		t.Parallel()
		old := clusterRoles()[0]
		old.Rules = nil
		c := fake.NewClientset(old)
		c.PrependReactor("update", "clusterroles", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewConflict(resource, old.Name, errors.New("changed"))
		})
		_, err := apply(t.Context(), clientsOf(c), discard)
		if !apierrors.IsConflict(err) || !strings.Contains(err.Error(), old.Name) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("it says who is needed when it has no rights", func(t *testing.T) {
		t.Parallel()
		c := fake.NewClientset()
		c.PrependReactor("get", "namespaces", func(clienttesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(corev1.Resource("namespaces"), "cross-domain", errors.New("no"))
		})
		_, err := apply(t.Context(), clientsOf(c), discard)
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "cluster administrator") {
			t.Errorf("error %v", err)
		}
	})
}

func TestNoRoleReachesWhatItDoesNotNeed(t *testing.T) {
	t.Parallel()
	for _, role := range clusterRoles() {
		for _, r := range role.Rules {
			star := slices.Contains(r.Resources, "*") && !slices.Equal(r.APIGroups, []string{"kuscia.secretflow"})
			if star || slices.Contains(r.Verbs, "*") || slices.Contains(r.APIGroups, "*") || slices.Contains(r.APIGroups, rbacv1.GroupName) {
				t.Errorf("%s holds too much: %+v", role.Name, r)
			}
			for _, resource := range []string{"secrets", "pods", "pods/exec", "serviceaccounts", "serviceaccounts/token", "nodes/proxy"} {
				if slices.Contains(r.Resources, resource) {
					t.Errorf("%s reaches %s", role.Name, resource)
				}
			}
			for _, verb := range []string{"impersonate", "bind", "escalate"} {
				if slices.Contains(r.Verbs, verb) {
					t.Errorf("%s may %s", role.Name, verb)
				}
			}
		}
	}
}
