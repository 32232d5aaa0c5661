package source

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/api/v1alpha1"
)

// lean copies what a mesh reads of an object and lets go of the rest: a pod of 10 kB becomes one of 1 kB. A lean copy of a lean copy says the
// same.
type lean struct{ namespace string }

func (l lean) meta(o *metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: o.Name, Namespace: l.namespace, UID: o.UID, ResourceVersion: o.ResourceVersion}
}

// ours are the labels or annotations whose words the mesh knows.
func ours(all map[string]string) map[string]string {
	var kept map[string]string
	for key, value := range all {
		if strings.HasPrefix(key, names.Prefix) || strings.HasPrefix(key, names.OwnPrefix) {
			if kept == nil {
				kept = map[string]string{}
			}
			kept[key] = value
		}
	}
	return kept
}

func (l lean) service(o *corev1.Service) *corev1.Service {
	s := &corev1.Service{ObjectMeta: l.meta(&o.ObjectMeta)}
	s.Labels, s.Annotations = ours(o.Labels), ours(o.Annotations)
	s.Spec = corev1.ServiceSpec{Type: o.Spec.Type, ExternalName: o.Spec.ExternalName, ClusterIP: o.Spec.ClusterIP, SessionAffinity: o.Spec.SessionAffinity}
	for _, p := range o.Spec.Ports {
		s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: p.Name, Port: p.Port, Protocol: p.Protocol})
	}
	return s
}

func (l lean) slice(o *discoveryv1.EndpointSlice) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{ObjectMeta: l.meta(&o.ObjectMeta)}
	s.Labels = map[string]string{discoveryv1.LabelServiceName: o.Labels[discoveryv1.LabelServiceName]}
	for _, e := range o.Endpoints {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{
			Addresses: e.Addresses, Hostname: e.Hostname, Conditions: discoveryv1.EndpointConditions{Ready: e.Conditions.Ready},
		})
	}
	for _, p := range o.Ports {
		s.Ports = append(s.Ports, discoveryv1.EndpointPort{Port: p.Port, Protocol: p.Protocol})
	}
	return s
}

func (l lean) pod(o *corev1.Pod) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: l.meta(&o.ObjectMeta),
		Spec:       corev1.PodSpec{Hostname: o.Spec.Hostname, Subdomain: o.Spec.Subdomain},
		Status:     corev1.PodStatus{Phase: o.Status.Phase, PodIP: o.Status.PodIP, PodIPs: o.Status.PodIPs},
	}
}

func (l lean) route(o *v1alpha1.DomainRoute) *v1alpha1.DomainRoute {
	r := &v1alpha1.DomainRoute{ObjectMeta: l.meta(&o.ObjectMeta), Spec: o.Spec}
	r.Labels, r.Annotations = ours(o.Labels), ours(o.Annotations)
	r.Spec.TokenConfig = nil // public keys
	for _, t := range o.Status.TokenStatus.Tokens {
		r.Status.TokenStatus.Tokens = append(r.Status.TokenStatus.Tokens, v1alpha1.RouteToken{Token: t.Token, Revision: t.Revision})
	}
	return r
}

func (l lean) gateway(o *v1alpha1.Gateway) *v1alpha1.Gateway {
	return &v1alpha1.Gateway{ObjectMeta: l.meta(&o.ObjectMeta), Status: v1alpha1.GatewayStatus{Address: o.Status.Address}}
}
