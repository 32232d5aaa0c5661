package cache_test

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/xds/cache"
)

// endpoints is a resource of the size that a service with one endpoint has.
func endpoints(name string, port int) cache.Resource {
	return cache.Resource{
		Key: cache.Key{Type: cache.Endpoint, Name: name},
		Body: &endpointv3.ClusterLoadAssignment{
			ClusterName: name,
			Endpoints: []*endpointv3.LocalityLbEndpoints{{LbEndpoints: []*endpointv3.LbEndpoint{{
				HostIdentifier: &endpointv3.LbEndpoint_Endpoint{Endpoint: &endpointv3.Endpoint{Address: &corev3.Address{
					Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
						Address: "10.88.0.17", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: uint32(port)},
					}},
				}}},
			}}}},
		},
	}
}

// filled is a cache with the endpoints of n services.
func filled(tb testing.TB, n int) *cache.Cache {
	tb.Helper()
	c := cache.New(salt)
	var d cache.Delta
	for _, name := range numbered("service-", n) {
		d.Set = append(d.Set, from(endpoints(name, 80), live.Ref{Kind: "Service", Namespace: "alice", Name: name, Version: "-"}))
	}
	if _, err := c.Commit(d, start); err != nil {
		tb.Fatal(err)
	}
	return c
}

var sizes = []int{1_000, 10_000, 100_000}

// BenchmarkCommit is one changed resource: marshalled, hashed, told to the board, and visible to all streams. Changes go around among 1,000
// names, as where services come and go, or among all of them, so that each finds its part of the cache out of the processor's reach.
func BenchmarkCommit(b *testing.B) {
	for _, around := range []int{1_000, 100_000} {
		for _, n := range sizes {
			if n < around {
				continue
			}
			b.Run(fmt.Sprintf("around=%d/resources=%d", around, n), func(b *testing.B) { benchmarkCommit(b, n, around) })
		}
	}
}

func benchmarkCommit(b *testing.B, n, around int) {
	c := filled(b, n)
	names := numbered("service-", n)
	// One message for all, since making it is the translation's business.
	r := endpoints("", 0)
	message := r.Body.(*endpointv3.ClusterLoadAssignment)
	address := message.Endpoints[0].LbEndpoints[0].GetEndpoint().GetAddress().GetSocketAddress()
	port := address.PortSpecifier.(*corev3.SocketAddress_PortValue)
	runtime.GC()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Name = names[i*7919%around*(n/around)]
		message.ClusterName = r.Name
		port.PortValue = uint32(1 + i%60000)
		r.From = []live.Ref{{Kind: "Service", Namespace: "alice", Name: r.Name, Version: strconv.Itoa(i)}}
		if _, err := c.Commit(cache.Delta{Set: []cache.Resource{r}}, start); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCatchUp is what one change costs each stream, from the wake-up to the confirmation, without the transport.
func BenchmarkCatchUp(b *testing.B) {
	for _, explicit := range []bool{false, true} {
		for _, n := range sizes {
			b.Run(fmt.Sprintf("explicit=%v/resources=%d", explicit, n), func(b *testing.B) {
				const streams = 100
				c := filled(b, n)
				names := numbered("service-", n)
				sessions := make([]*cache.Session, streams)
				for i := range sessions {
					sessions[i] = cache.NewDeltaSession(view(b, c, c))
					r := cache.Request{Type: cache.Endpoint, Subscribe: []string{"*"}}
					if explicit {
						r.Subscribe = names[:1000]
					}
					turn(b, sessions[i], r)
				}
				runtime.GC()
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					if i%streams == 0 {
						b.StopTimer()
						if _, err := c.Commit(cache.Delta{Set: []cache.Resource{endpoints(names[i/streams%1000], 1+i%60000)}}, start); err != nil {
							b.Fatal(err)
						}
						b.StartTimer()
					}
					s := sessions[i%streams]
					r := s.Next()
					if len(r.Set) != 1 || s.Next() != nil {
						b.Fatal("the change was not sent alone")
					}
					if err := s.Receive(cache.Request{Type: r.Type, Nonce: r.Nonce}); err != nil {
						b.Fatal(err)
					}
					s.Next()
					s.Progress()
					i++
				}
			})
		}
	}
}

// turn feeds a request and answers everything that comes.
func turn(tb testing.TB, s *cache.Session, r cache.Request) {
	tb.Helper()
	if err := s.Receive(r); err != nil {
		tb.Fatal(err)
	}
	for r := s.Next(); r != nil; r = s.Next() {
		if err := s.Receive(cache.Request{Type: r.Type, Nonce: r.Nonce}); err != nil {
			tb.Fatal(err)
		}
	}
	s.Progress()
}

// BenchmarkReconnect is a stream that comes back with the versions of everything, and is in sync.
func BenchmarkReconnect(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprintf("resources=%d", n), func(b *testing.B) {
			c := filled(b, n)
			v := view(b, c, c)
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				held := make(map[string]string, n)
				for name, e := range c.All(cache.Endpoint).All() {
					held[name] = e.Version
				}
				b.StartTimer()
				turn(b, cache.NewDeltaSession(v), cache.Request{Type: cache.Endpoint, Subscribe: []string{"*"}, Initial: held})
			}
		})
	}
}

// BenchmarkIdle is the memory of streams that are in sync with everything.
func BenchmarkIdle(b *testing.B) {
	const streams = 10_000
	c := filled(b, 100_000)
	b.ReportAllocs()
	for b.Loop() {
		before := heap()
		sessions := make([]*cache.Session, streams)
		for i := range sessions {
			sessions[i] = cache.NewDeltaSession(view(b, c, c))
			turn(b, sessions[i], cache.Request{Type: cache.Cluster})
			turn(b, sessions[i], cache.Request{Type: cache.Listener})
			if i < 100 { // the first answer of the others would be 100,000 entries each, which is not what this is about
				turn(b, sessions[i], cache.Request{Type: cache.Endpoint, Subscribe: []string{"*"}})
			}
		}
		b.ReportMetric(float64(heap()-before)/streams, "B/stream")
		runtime.KeepAlive(sessions)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
