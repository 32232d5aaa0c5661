package mesh

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/entente-mesh/entente/internal/sorted"
)

// pods compiles the changed Pod objects.
func (c *compiler) pods() {
	for change := range sorted.Diff(c.from.Pods, c.to.Pods) {
		var p *Pod
		var problems []*Problem
		if change.Out {
			p, problems = c.pod(change.Key, change.New)
		}
		c.next.Pods = place(c.next.Pods, c.old.Pods, change.Key, p)
		c.report(inPod, change.Key, problems)
	}
}

// pod reads one Pod; nil while it has no address, and after it has ended. A pod that is still starting may have an init container that
// calls already.
func (c *compiler) pod(name string, o *corev1.Pod) (*Pod, []*Problem) {
	if o.Status.Phase == corev1.PodSucceeded || o.Status.Phase == corev1.PodFailed {
		return nil, nil
	}
	p := &Pod{Ref: c.ref(KindPod, o.Namespace, name), Name: name, Hostname: o.Spec.Hostname, Subdomain: o.Spec.Subdomain}
	v := review{ref: p.Ref}
	texts := []string{o.Status.PodIP}
	for _, ip := range o.Status.PodIPs {
		texts = append(texts, ip.IP)
	}
	for _, text := range texts {
		if text == "" {
			continue
		}
		a, err := netip.ParseAddr(text)
		if err != nil || addressFault(a) != "" {
			v.fault("status.podIPs", quote(text)+" is no address of a pod", "see the agent of its node")
			continue
		}
		if !slices.Contains(p.Addresses, a.Unmap()) {
			p.Addresses = append(p.Addresses, a.Unmap())
		}
	}
	if len(p.Addresses) == 0 {
		return nil, v.close("")
	}
	hostname, subdomain := named(&v, "spec.hostname", p.Hostname), named(&v, "spec.subdomain", p.Subdomain)
	if !hostname || !subdomain {
		p.Hostname, p.Subdomain = "", "" // a name of its own in DNS needs both
	}
	if p.Hostname == "" {
		p.Hostname = name
	}
	p.Ref.Version = version(p, c.settings.DomainKey)
	return p, v.close(p.Ref.Version)
}

// named says whether a part of the pod's own name in DNS can be used. An absent one can.
func named(v *review, field, text string) bool {
	fault := labelFault(text)
	if text == "" || fault == "" {
		return true
	}
	v.fault(field, fmt.Sprintf("%s %s", quote(text), fault), "use 1 to 63 lower-case letters, digits and '-'")
	return false
}
