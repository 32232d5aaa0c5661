package mesh

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/internal/sorted"
)

// services compiles the changed Service objects.
func (c *compiler) services() {
	for change := range sorted.Diff(c.from.Services, c.to.Services) {
		name := change.Key
		if taken, ok := c.next.Services.Get(name); ok && taken.Builtin != nil {
			c.report(inService, name, c.taken(change))
			continue
		}
		if !change.Out {
			c.next.Services = c.next.Services.Without(name)
			c.report(inService, name, nil)
			continue
		}
		s, problems := c.service(name, change.New)
		c.next.Services = place(c.next.Services, c.old.Services, name, s)
		c.report(inService, name, problems)
	}
}

// taken refuses a Service object that is called like a builtin.
func (c *compiler) taken(change sorted.Change[*corev1.Service]) []*Problem {
	if !change.Out {
		return nil
	}
	v := review{ref: c.ref(KindService, change.New.Namespace, change.Key)}
	v.refuse("metadata.name", fmt.Sprintf("%s is answered by Entente itself", quote(change.Key)), "give the service another name")
	return v.close("")
}

// service reads one Service object; nil when it must be left out.
func (c *compiler) service(name string, o *corev1.Service) (*Service, []*Problem) {
	s := &Service{Ref: c.ref(KindService, o.Namespace, name), Name: name}
	v := review{ref: s.Ref}
	if fault := labelFault(name); fault != "" {
		v.refuse("metadata.name", fmt.Sprintf("%s %s", quote(name), fault), "use 1 to 63 lower-case letters, digits and '-'")
	}
	if name == names.ServiceHandshake || name == names.ServiceReceiver {
		v.refuse("metadata.name", quote(name)+" means the gateway itself to every partner", "give the service another name")
	}
	s.Protocol = protocol(&v, o.Annotations)
	s.Scope, s.Restricted, s.Callers = c.access(&v, o)
	s.Affinity = affinity(&v, name, o)
	s.Bandwidth = bandwidth(&v, o.Annotations)
	s.ViaGateway = o.Labels[names.LabelLoadBalancer] == names.LoadBalancerDomainRoute
	s.Ports = ports(&v, o.Spec.Ports)
	c.address(&v, o, s)
	if v.refused {
		return nil, v.close("")
	}
	s.Ref.Version = version(s, c.settings.DomainKey)
	return s, v.close(s.Ref.Version)
}

// protocol is what the service speaks. Without certainty it is left out: plain text to a service that wants TLS would be the worse mistake.
func protocol(v *review, annotations map[string]string) Protocol {
	text, ok := annotations[names.AnnotationProtocol]
	if !ok || text == "" {
		return HTTP
	}
	for _, p := range []Protocol{HTTP, HTTPS, GRPC, GRPCS} {
		if strings.EqualFold(text, string(p)) {
			return p
		}
	}
	v.refuse(annotation(names.AnnotationProtocol), quote(text)+" is no protocol", "use HTTP, HTTPS, GRPC or GRPCS")
	return ""
}

// access is who may call. Whatever is at fault in it makes the circle smaller, never wider.
func (c *compiler) access(v *review, o *corev1.Service) (scope Scope, restricted bool, callers []string) {
	switch text := o.Labels[names.LabelPortScope]; Scope(text) {
	case Unscoped, Cluster:
		scope = Scope(text)
	case Domain, Local:
		return Scope(text), true, nil
	default:
		v.fault(label(names.LabelPortScope), quote(text)+" is no scope: only this domain may call", "use Cluster, Domain or Local")
		return Domain, true, nil
	}
	list := strings.TrimSpace(o.Annotations[names.AnnotationAccessDomain])
	if list == "" {
		return scope, false, nil
	}
	for _, id := range domains(v, annotation(names.AnnotationAccessDomain), list) {
		if id != c.settings.Domain {
			callers = append(callers, id)
		}
	}
	return scope, true, callers
}

// domains reads a list of domain ids joined by commas: sorted, without duplicates, and without those at fault, of which it tells the first.
func domains(v *review, field, list string) []string {
	var ids []string
	none := true
	for id := range strings.SplitSeq(list, ",") {
		if id = strings.TrimSpace(id); id == "" {
			continue
		}
		none = false
		if reason, remedy := domainFault(id); reason != "" {
			v.fault(field, reason, remedy)
			continue
		}
		ids = append(ids, id)
	}
	if none {
		v.fault(field, quote(list)+" names no domain", "list domain ids, joined by commas, or remove it")
	}
	return slices.Compact(slices.Sorted(slices.Values(ids)))
}

// bandwidth are the limits of the annotations, one for each destination.
func bandwidth(v *review, annotations map[string]string) []Bandwidth {
	var limits []Bandwidth
	for key, text := range annotations {
		destination, ok := strings.CutPrefix(key, names.AnnotationBandwidthLimitPrefix)
		if !ok {
			continue
		}
		if reason, _ := domainFault(destination); reason != "" {
			v.fault(annotation(key), reason, "end the annotation's key with the destination's domain id")
			continue
		}
		limit, err := strconv.ParseUint(text, 10, 63)
		if err != nil || limit == 0 {
			v.fault(annotation(key), quote(text)+" is no limit", "write KiB per second as a whole number above 0")
			continue
		}
		limits = append(limits, Bandwidth{Destination: destination, Task: annotations[names.AnnotationTaskID], KiBps: limit})
	}
	// A map has no order, and neither have the faults found in it.
	slices.SortFunc(limits, func(a, b Bandwidth) int { return strings.Compare(a.Destination, b.Destination) })
	slices.SortStableFunc(v.problems, func(a, b *Problem) int { return strings.Compare(a.Field, b.Field) })
	if len(limits) > 0 && limits[0].Task == "" {
		v.fault(annotation(names.AnnotationTaskID), "the bandwidth limits belong to no task and are not in force", "name the task in this annotation")
		return nil
	}
	return limits
}

// ports are the TCP ports.
func ports(v *review, list []corev1.ServicePort) []Port {
	var found []Port
	for i, p := range list {
		switch field := item("spec.ports", i); {
		case p.Protocol != "" && p.Protocol != corev1.ProtocolTCP:
			v.fault(field+".protocol", quote(string(p.Protocol))+" does not pass the gateway", "use TCP, or call the pods by their addresses")
		case p.Port < 1 || p.Port > 65535:
			v.fault(field+".port", fmt.Sprintf("%d is no port", p.Port), "use 1 to 65535")
		default:
			found = append(found, Port{Name: p.Name, Number: uint16(p.Port)})
		}
	}
	return found
}

// address is where the service is: an address of its own, none, or a host outside.
func (c *compiler) address(v *review, o *corev1.Service, s *Service) {
	if o.Spec.Type == corev1.ServiceTypeExternalName {
		c.external(v, o, s)
		return
	}
	switch ip := o.Spec.ClusterIP; ip {
	case "":
	case corev1.ClusterIPNone:
		s.Headless = true
	default:
		a, err := netip.ParseAddr(ip)
		if err != nil || addressFault(a) != "" {
			v.fault("spec.clusterIP", quote(ip)+" is no address", "let the API server choose it")
			return
		}
		s.ClusterIP = a.Unmap()
	}
}

// external is a host outside, which the whitelist must admit.
func (c *compiler) external(v *review, o *corev1.Service, s *Service) {
	const field = "spec.externalName"
	name, isAddress, fault := host(o.Spec.ExternalName)
	if fault != "" {
		v.refuse(field, fmt.Sprintf("%s %s", quote(o.Spec.ExternalName), fault), "write an address or a DNS name")
		return
	}
	s.ExternalName = name
	if len(s.Ports) == 0 {
		v.fault("spec.ports", "there is no port, so no gateway serves it", "add the port of the host outside")
	}
	for _, p := range s.Ports {
		admitted := admitsHost(c.settings.Whitelist, name, p.Number)
		if isAddress {
			admitted = admits(c.settings.Whitelist, netip.AddrPortFrom(netip.MustParseAddr(name), p.Number))
		}
		if !admitted {
			v.refuse(field, fmt.Sprintf("%s port %d is not in the whitelist of service addresses", quote(name), p.Number), "add it there, or remove the service")
			return
		}
	}
}
