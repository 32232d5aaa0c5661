package dns

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/entente-mesh/entente/mesh"
)

// content is everything that an index answers, in text.
func (x *index) content() map[string]string {
	all := map[string]string{}
	buckets := *x.table.buckets.Load()
	for i := range buckets {
		for n := buckets[i].Load(); n != nil; n = n.next {
			all[n.key] = fmt.Sprintf("gateway %t, addresses %v, target %s, pointers %v, endpoints %v", n.item.gateway, n.item.addresses.all(), n.item.target, n.item.pointers, n.item.endpoints)
		}
	}
	all["the gateway"] = fmt.Sprint(x.view.Load().gateway.all())
	return all
}

// An index that has followed any changes answers like a new one.
func TestAnIndexThatFollowedChangesAnswersLikeANewOne(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	x := newIndex("alice", 5, nil)
	m := alice()
	x.update(m)
	for step := range 1000 {
		m = changed(m, random)
		if random.IntN(4) > 0 {
			continue // changes that come together
		}
		x.update(m)
		fresh := newIndex("alice", 5, nil)
		fresh.update(m)
		if diff := cmp.Diff(fresh.content(), x.content()); diff != "" {
			t.Fatalf("seed %d, step %d (-new +followed):\n%s", seed, step, diff)
		}
		if got, want := x.table.count, len(x.content())-1; got != want {
			t.Fatalf("seed %d, step %d: the index counts %d names and has %d", seed, step, got, want)
		}
	}
	for m.Pods.Len() > 0 {
		for name := range m.Pods.Keys() {
			next := *m
			next.Pods = next.Pods.Without(name)
			m = &next
			break
		}
		x.update(m)
	}
	if len(x.hosts)+len(x.subdomains) > 0 || len(x.reverse) > len(x.view.Load().gateway.all()) {
		t.Errorf("without pods there remain hosts %v, subdomains %v, addresses %v", x.hosts, x.subdomains, x.reverse)
	}
}

// changed is the mesh with one random change.
func changed(m *mesh.Mesh, random *rand.Rand) *mesh.Mesh {
	address := func() string { return fmt.Sprintf("10.0.%d.%d", random.IntN(2), 1+random.IntN(6)) }
	name := []string{"web", "db", "ring", "datamesh", "gateway", "x", "y"}[random.IntN(7)]
	pod := fmt.Sprintf("pod-%d", random.IntN(6))
	next := *m
	switch random.IntN(9) {
	case 0:
		return with(m, &mesh.Service{Name: name}, endpoints(address()+":80", address()+":81"))
	case 1:
		return with(m, &mesh.Service{Name: name, ViaGateway: true}, nil)
	case 2:
		return with(m, &mesh.Service{Name: name, ExternalName: "host.example.org"}, nil)
	case 3:
		next.Services = next.Services.Without(name)
	case 4:
		next.Endpoints = next.Endpoints.Without(name)
	case 5:
		return withPod(m, pod, fmt.Sprintf("host-%d", random.IntN(3)), []string{"", "db", "ring", "x"}[random.IntN(4)], address())
	case 6:
		next.Pods = next.Pods.Without(pod)
	case 7:
		return withGateway(m, fmt.Sprintf("gw-%d", random.IntN(3)), address())
	case 8:
		next.Gateways = next.Gateways.Without(fmt.Sprintf("gw-%d", random.IntN(3)))
	}
	return &next
}

func TestTheGatewaysAddress(t *testing.T) {
	t.Parallel()
	node := func(m *mesh.Mesh) *mesh.Mesh {
		next := *m
		next.Settings = &mesh.Settings{Domain: "alice", Address: addr("10.8.8.8")}
		return &next
	}
	cases := []struct {
		name       string
		mesh       *mesh.Mesh
		configured []netip.Addr
		want       []string
	}{
		{"what is configured comes first", node(alice()), []netip.Addr{addr("10.7.7.7"), addr("fd00::7")}, []string{"10.7.7.7", "fd00::7"}},
		{"then that of this node", node(alice()), nil, []string{"10.8.8.8"}},
		{"then all gateways that report", withGateway(alice(), "gw-1", "10.9.9.8"), nil, []string{"10.9.9.8", "10.9.9.9"}},
		{"none", &mesh.Mesh{Settings: &mesh.Settings{}}, nil, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			x := newIndex("alice", 5, c.configured)
			x.update(c.mesh)
			var got []string
			for _, a := range x.view.Load().gateway.all() {
				got = append(got, a.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
		})
	}
}

// Whoever asks while meshes change gets the answer before or after each change, and no other.
func TestAnswersWhileTheMeshChanges(t *testing.T) {
	t.Parallel()
	value, get := changing(alice())
	registry := prometheus.NewRegistry()
	_, address := serve(t, ServerConfig{Config: Config{Mesh: get, Metrics: registry}})
	good := []string{"10.0.0.1 10.0.0.2", "10.4.0.1"}
	stop, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			conn, err := dns.Dial("udp", address)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close() }() // the test is over
			for stop.Err() == nil {
				if err := conn.WriteMsg(ask("web.alice.svc.", dns.TypeA)); err != nil {
					t.Error(err)
					return
				}
				reply, err := conn.ReadMsg()
				if err != nil {
					t.Error(err)
					return
				}
				if got := addressesOf(reply); !slices.Contains(good, got) {
					t.Errorf("%s: %q", dns.RcodeToString[reply.Rcode], got)
					return
				}
			}
		})
	}
	other := with(alice(), &mesh.Service{Name: "web"}, endpoints("10.4.0.1:80"))
	for i := range 500 {
		next := other
		if i%2 == 1 {
			next = alice()
		}
		value.Set(with(next, &mesh.Service{Name: fmt.Sprintf("s%d", i)}, endpoints("10.5.0.1:80")))
	}
	cancel()
	clients.Wait()
	for _, figure := range []string{"coredns_entente_names", "coredns_entente_programming_duration_seconds"} {
		if n, err := testutil.GatherAndCount(registry, figure); n != 1 || err != nil {
			t.Errorf("%s: %d, %v", figure, n, err)
		}
	}
}

// addressesOf are the addresses of a reply, sorted.
func addressesOf(reply *dns.Msg) string {
	var list []string
	for _, rr := range reply.Answer {
		if a, ok := rr.(*dns.A); ok {
			list = append(list, a.A.String())
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func TestATableHoldsWhatWasSetLast(t *testing.T) {
	t.Parallel()
	table, want := newTable(), map[string]*entry{}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		key := fmt.Sprint(random.IntN(1000))
		item := &entry{target: key}
		if random.IntN(3) == 0 {
			item = nil
		}
		table.set(key, item)
		if want[key] = item; item == nil {
			delete(want, key)
		}
	}
	for i := range 1000 {
		if got := table.get([]byte(fmt.Sprint(i))); got != want[fmt.Sprint(i)] {
			t.Errorf("key %d: got %v, want %v", i, got, want[fmt.Sprint(i)])
		}
	}
	if table.count != len(want) {
		t.Errorf("it counts %d keys and has %d", table.count, len(want))
	}
}
