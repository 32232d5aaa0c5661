package gateway

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/api/v1alpha1"
)

// StatsPath is what [ParseStats] reads, on Envoy's administration interface: two gauges of each cluster.
const StatsPath = "/stats?filter=%5Ecluster%5C..*%5C.membership_(total%7Chealthy)%24&format=json"

const (
	// maxStats bounds Envoy's answer before it is decoded. A service takes 150 bytes of it, so this is enough for 200,000.
	maxStats = 32 << 20
	// maxStatuses bounds what goes into the object at each heartbeat: 2,000 take 250 kB. Partners come first, since others judge routes by
	// them; of services the rest is left out.
	maxStatuses = 2000
	// maxMembers is where a count of endpoints stops to be believed.
	maxMembers = 1 << 24
)

// An Envoy is the [Stats] of one Envoy.
type Envoy struct {
	// Domain is the domain whose gateway the Envoy is.
	Domain string
	// Ask returns the answer of Envoy's administration interface to a GET of the path. It bounds what it reads, and ends with ctx.
	Ask func(ctx context.Context, path string) ([]byte, error)
}

// NetworkStatus asks Envoy.
func (e Envoy) NetworkStatus(ctx context.Context) ([]v1alpha1.GatewayEndpointStatus, error) {
	answer, err := e.Ask(ctx, StatsPath)
	if err != nil {
		return nil, err
	}
	return ParseStats(answer, e.Domain)
}

// ParseStats reads from the gauges of a domain's Envoy how it sees the endpoints of partners, which come first, of the domain's own
// programs, and of its services. Clusters that are none of these are left out, as is everything beyond 2,000.
func ParseStats(answer []byte, domain string) ([]v1alpha1.GatewayEndpointStatus, error) {
	if len(answer) > maxStats {
		return nil, fmt.Errorf("envoy's statistics have %d bytes, at most %d are read; ask for %s alone", len(answer), maxStats, StatsPath)
	}
	var gauges struct {
		Stats []struct {
			Name  string          `json:"name"`
			Value json.RawMessage `json:"value"`
		} `json:"stats"`
	}
	if err := json.Unmarshal(answer, &gauges); err != nil {
		return nil, fmt.Errorf("envoy's statistics are not the JSON that they should be: %w", err)
	}
	seen := map[target]*members{}
	for _, g := range gauges.Stats {
		cluster, gauge, ok := clusterGauge(g.Name)
		if !ok {
			continue
		}
		t, ok := targetOf(cluster, domain)
		var count int
		if !ok || json.Unmarshal(g.Value, &count) != nil || count < 0 || count > maxMembers {
			continue
		}
		m := seen[t]
		if m == nil {
			m = &members{}
			seen[t] = m
		}
		m.take(gauge, count)
	}
	return statuses(seen), nil
}

// A target is what the object calls a cluster.
type target struct {
	kind v1alpha1.GatewayTarget
	name string
}

// members counts the endpoints of a target. While a service changes from one cluster to another both are there, and the fuller one counts.
type members struct{ total, healthy int }

const (
	gaugeTotal   = "membership_total"
	gaugeHealthy = "membership_healthy"
)

func (m *members) take(gauge string, count int) {
	switch gauge {
	case gaugeTotal:
		m.total = max(m.total, count)
	case gaugeHealthy:
		m.healthy = max(m.healthy, count)
	}
}

// clusterGauge parts the name of a gauge, such as cluster.web.alice.svc.membership_total.
func clusterGauge(name string) (cluster, gauge string, ok bool) {
	rest, ok := strings.CutPrefix(name, "cluster.")
	dot := strings.LastIndexByte(rest, '.')
	if !ok || dot < 0 {
		return "", "", false
	}
	return rest[:dot], rest[dot+1:], true
}

// targetOf reads the name of a cluster. Its shape says what it is: `<service>.<domain>.svc` and `svc/<service>` are services,
// `<domain>-to-<partner>`, with or without a port, a partner. Envoy writes ':' as '_', which no name has: so aliases with a port drop out.
func targetOf(cluster, domain string) (target, bool) {
	service, ok := strings.CutPrefix(cluster, "svc/")
	if !ok {
		service, ok = strings.CutSuffix(cluster, names.ServiceHost("", domain))
	}
	switch {
	case ok && names.ValidateName("service", service) != nil:
		return target{}, false
	case ok && builtin(service):
		return target{v1alpha1.GatewayTargetService, service}, true
	case ok:
		return target{v1alpha1.GatewayTargetEndpoints, service}, true
	}
	partner, ok := strings.CutPrefix(cluster, names.VirtualHost(domain, ""))
	if !ok || partner == "" || strings.ContainsAny(partner, "./_") {
		return target{}, false
	}
	return target{v1alpha1.GatewayTargetDomainRoute, cluster}, true
}

// builtin says whether a service is a program of the node, not one of the domain's pods.
func builtin(service string) bool {
	switch service {
	case names.ServiceHandshake, names.ServiceAPIServer, names.ServiceStorage, names.ServiceKusciaAPI, names.ServiceReporter,
		names.ServiceTransport, names.ServiceInterConnScheduler, names.ServiceDiagnose:
		return true
	}
	return false
}

// statuses are the targets in the object's order: always the same for the same targets.
func statuses(seen map[target]*members) []v1alpha1.GatewayEndpointStatus {
	list := make([]v1alpha1.GatewayEndpointStatus, 0, len(seen))
	for t, m := range seen {
		list = append(list, v1alpha1.GatewayEndpointStatus{
			Name: t.name, Type: t.kind, TotalEndpointsCount: m.total, HealthyEndpointsCount: min(m.healthy, m.total),
		})
	}
	slices.SortFunc(list, func(a, b v1alpha1.GatewayEndpointStatus) int {
		return cmp.Or(cmp.Compare(rank(a.Type), rank(b.Type)), strings.Compare(a.Name, b.Name))
	})
	return slices.Clip(list[:min(len(list), maxStatuses)])
}

func rank(t v1alpha1.GatewayTarget) int {
	switch t {
	case v1alpha1.GatewayTargetDomainRoute:
		return 0
	case v1alpha1.GatewayTargetService:
		return 1
	}
	return 2
}
