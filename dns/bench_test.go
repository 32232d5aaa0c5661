package dns

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/coredns/coredns/plugin/test"
	"github.com/miekg/dns"

	"github.com/entente-mesh/entente/mesh"
)

// tenThousand is a mesh with so many services, named as tasks name theirs, every second one behind the gateway.
func tenThousand() *mesh.Mesh {
	m := alice()
	for i := range 10_000 {
		m = with(m, &mesh.Service{Name: fmt.Sprintf("secretflow-task-20260101%06d-single-psi-0-spu", i), ViaGateway: i%2 == 0}, endpoints(fmt.Sprintf("10.%d.%d.%d:8080", i>>16, i>>8&255, i&255)))
	}
	return m
}

// BenchmarkHandler is the time and memory that one answer costs the plugin, at 10,000 services.
func BenchmarkHandler(b *testing.B) {
	m := tenThousand()
	kinds := []struct {
		name, format string
		qtype        uint16
		edns         bool
	}{
		{"own", "secretflow-task-20260101%06d-single-psi-0-spu.alice.svc.", dns.TypeA, false},
		{"own_EDNS", "secretflow-task-20260101%06d-single-psi-0-spu.alice.svc.", dns.TypeA, true},
		{"own_AAAA", "secretflow-task-20260101%06d-single-psi-0-spu.alice.svc.", dns.TypeAAAA, false},
		{"partner", "secretflow-task-20260101%06d-single-psi-0-spu.bob.svc.", dns.TypeA, false},
		{"missing", "secretflow-task-%06d-single-psi-0-spu.alice.svc.", dns.TypeA, false},
	}
	for _, packed := range []bool{true, false} {
		for _, k := range kinds {
			b.Run(fmt.Sprintf("%s/packed=%t", k.name, packed), func(b *testing.B) {
				h := synced(m)
				h.packed = packed
				// One request serves for all names: in a server it comes out of the cache, having just been read.
				q := ask(".", k.qtype)
				if k.edns {
					q.SetEdns0(1232, false)
				}
				var names []string
				for i := range 10_000 {
					names = append(names, fmt.Sprintf(k.format, i*7919%10_000)) // not in the order in which they lie in memory
				}
				w := &test.ResponseWriter{}
				ctx := b.Context()
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					q.Question[0].Name = names[i%len(names)]
					if rcode, err := h.ServeDNS(ctx, w, q); rcode != 0 || err != nil {
						b.Fatal(dns.RcodeToString[rcode], err)
					}
				}
			})
		}
	}
}

// BenchmarkChange is the time from a new mesh of 10,000 services until the server gives the new answer over UDP.
func BenchmarkChange(b *testing.B) {
	m := tenThousand()
	value, get := changing(m)
	_, address := serve(b, ServerConfig{Config: Config{Mesh: get}})
	conn, err := dns.Dial("udp", address)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // the benchmark is over
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		want := fmt.Sprintf("10.200.%d.%d", i>>8&255, i&255)
		next := with(m, &mesh.Service{Name: "web"}, endpoints(want+":80"))
		start := time.Now()
		value.Set(next)
		for got := ""; got != want; {
			if err := conn.WriteMsg(ask("web.alice.svc.", dns.TypeA)); err != nil {
				b.Fatal(err)
			}
			reply, err := conn.ReadMsg()
			if err != nil {
				b.Fatal(err)
			}
			got = addressesOf(reply)
		}
		took = append(took, time.Since(start))
		m = next
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "µs-p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "µs-p99")
}

// BenchmarkUpdate is the time to bring one change into the answers, at 10,000 services.
func BenchmarkUpdate(b *testing.B) {
	m := tenThousand()
	x := newIndex("alice", 5, nil)
	x.update(m)
	meshes := [2]*mesh.Mesh{with(m, &mesh.Service{Name: "web"}, endpoints("10.200.0.1:80")), with(m, &mesh.Service{Name: "web"}, endpoints("10.200.0.2:80"))}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		x.update(meshes[i%2])
	}
}
