// Package rbac puts onto a Kubernetes API server what every other part of Entente relies on besides its resource definitions:
// the namespace of the jobs, and the cluster-wide roles under the names that the original gave them. Applying again writes
// nothing.
package rbac

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/entente-mesh/entente/api/names"
)

// namespace is where jobs live.
func namespace() *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: names.CrossDomain}}
}

// clusterRoles are the roles, narrowed to the verbs that are used; neither holds secrets, exec, impersonation or roles.
func clusterRoles() []*rbacv1.ClusterRole {
	return []*rbacv1.ClusterRole{
		{ // bound to the service account of each domain: what a domain's node does outside its namespace
			ObjectMeta: metav1.ObjectMeta{Name: names.ClusterRoleDomain},
			Rules: []rbacv1.PolicyRule{
				rule("", []string{"nodes"}, "create", "delete", "get", "patch", "update"),
				rule("", []string{"nodes/status"}, "patch", "update"),
				rule("", []string{"events"}, "create", "patch", "update"),
				rule("coordination.k8s.io", []string{"leases"}, "create", "get", "patch", "update"),
			},
		},
		{ // of the controllers
			ObjectMeta: metav1.ObjectMeta{Name: names.ClusterRoleKuscia},
			Rules: []rbacv1.PolicyRule{
				// All resources of the group with their status, named by a star because the group is ours alone; the verbs are
				// spelled out so that no special verb comes with it.
				rule(names.Group, []string{"*"}, "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"),
				rule("", []string{"nodes"}, "get"),
				rule("", []string{"services"}, "get", "list"),
				rule("apps", []string{"deployments"}, "get", "list"),
			},
		},
	}
}

// binding gives the controllers' role to the user whose client certificate has their common name.
func binding() *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: names.ClusterRoleKuscia},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: names.ClusterRoleKuscia},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: names.CommonNameKubeconfig}},
	}
}

func rule(group string, resources []string, verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources, Verbs: verbs}
}
