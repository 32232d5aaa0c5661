package serve_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"testing"
	"time"

	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/entente-mesh/entente/internal/live"
	"github.com/entente-mesh/entente/xds/serve"
)

const (
	deltaMethod = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
	benchCrowd  = 500
)

// listen opens a unix socket for a benchmark.
func listen(b *testing.B) (net.Listener, string) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	return listener, "unix:" + path
}

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkChange is what one change costs for each stream, from the commit to the confirmation by the last one. The clients run in another
// process, and cpu-ns/stream is the server's time alone. "bare" is the peer: grpc-go, sending the same bytes and receiving the same answer.
func BenchmarkChange(b *testing.B) {
	for _, resources := range []int{1_000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("entente/resources=%d", resources), func(b *testing.B) { benchmarkChange(b, resources) })
	}
	b.Run("bare", benchmarkBare)
}

func benchmarkChange(b *testing.B, resources int) {
	d := newDomains("alice")
	var all []string
	for i := range resources {
		all = append(all, fmt.Sprintf("service-%d", i))
	}
	d.set(b, "alice", time.Second, all...)
	listener, target := listen(b)
	start(b, d, func(c *serve.Config) {
		c.Listener = listener
		c.Authenticator = serve.Local{Domain: "alice"}
	})
	defer startCrowd(b, crowdTask{Target: target, Method: deltaMethod, Clients: benchCrowd, Hello: hello(b, clusters, 0)})()
	d.until(b, "alice", service("service-0", time.Second), live.Confirmed)
	var before, timeout time.Duration
	b.ReportAllocs()
	for b.Loop() {
		if timeout == 0 {
			before = cpu(b)
		}
		timeout += time.Second
		d.set(b, "alice", timeout+time.Second, "service-0")
		d.until(b, "alice", service("service-0", timeout+time.Second), live.Confirmed)
	}
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N)/benchCrowd, "cpu-ns/stream")
}

// benchmarkBare sends what benchmarkChange sends, from one goroutine for each stream, and receives the answers.
func benchmarkBare(b *testing.B) {
	listener, target := listen(b)
	var round sync.WaitGroup
	round.Add(benchCrowd)
	var mu sync.Mutex
	var wake []chan []byte
	handle := func(_ any, stream grpc.ServerStream) error {
		next := make(chan []byte, 1)
		next <- bareResponse(b, 0)
		mu.Lock()
		wake = append(wake, next)
		mu.Unlock()
		var got []byte
		if err := stream.RecvMsg(&got); err != nil {
			return err
		}
		for {
			select {
			case message := <-next:
				if err := stream.SendMsg(&message); err != nil {
					return err
				}
				if err := stream.RecvMsg(&got); err != nil {
					return err
				}
				round.Done()
			case <-stream.Context().Done():
				return nil
			}
		}
	}
	server := grpc.NewServer(grpc.ForceServerCodecV2(rawCodec{}))
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "envoy.service.discovery.v3.AggregatedDiscoveryService", HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{StreamName: "DeltaAggregatedResources", Handler: handle, ServerStreams: true, ClientStreams: true}},
	}, struct{}{})
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) }) // ends with Stop
	defer serving.Wait()
	defer server.Stop()
	defer startCrowd(b, crowdTask{Target: target, Method: deltaMethod, Clients: benchCrowd, Hello: hello(b, clusters, 0)})()
	round.Wait()
	var before time.Duration
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if i == 0 {
			before = cpu(b)
		}
		i++
		message := bareResponse(b, i)
		round.Add(benchCrowd)
		for _, w := range wake {
			w <- message
		}
		round.Wait()
	}
	b.ReportMetric(float64(cpu(b)-before)/float64(b.N)/benchCrowd, "cpu-ns/stream")
}

// bareResponse is as long as a response of benchmarkChange.
func bareResponse(b *testing.B, i int) []byte {
	b.Helper()
	body, err := anypb.New(&clusterv3.Cluster{Name: "service-0", AltStatName: (time.Duration(i) * time.Second).String()})
	if err != nil {
		b.Fatal(err)
	}
	wire, err := proto.Marshal(&discoveryv3.DeltaDiscoveryResponse{
		TypeUrl: clusters, Nonce: fmt.Sprint(i), SystemVersionInfo: fmt.Sprint(i),
		Resources: []*discoveryv3.Resource{{Name: "service-0", Version: "0123456789012345678901", Resource: body}},
	})
	if err != nil {
		b.Fatal(err)
	}
	return wire
}

// BenchmarkIdle is the memory that a stream costs while nothing happens: of the heap and of stacks, and resident. A hello of 40 kB is a real
// Envoy's. The peers: "defaults" is the same server on grpc-go's own options, "bare" is grpc-go with our options and a handler that does
// nothing but answer and wait, so that no server on grpc-go can be below it.
func BenchmarkIdle(b *testing.B) {
	for _, c := range []struct {
		name  string
		build func(serve.Config) *serve.Server
		hello int
	}{
		{"entente", serve.New, 0},
		{"entente/hello=40kB", serve.New, 40_000},
		{"defaults", serve.NewWithDefaults, 0},
		{"bare", serve.NewBare, 0},
	} {
		b.Run("plaintext/"+c.name, func(b *testing.B) { benchmarkIdle(b, false, c.build, c.hello) })
		b.Run("mtls/"+c.name, func(b *testing.B) { benchmarkIdle(b, true, c.build, c.hello) })
	}
}

func benchmarkIdle(b *testing.B, mtls bool, build func(serve.Config) *serve.Server, padding int) {
	const streams = 5_000 // 10,000 show the same and need more open files than most shells allow
	f := newAuthorities(b)
	f.domains.set(b, "alice", time.Second, "a", "b", "c")
	listener, target := listen(b)
	task := crowdTask{Target: target, Method: deltaMethod, Clients: streams, Hello: hello(b, clusters, padding)}
	auth := serve.Authenticator(serve.Local{Domain: "alice"})
	if mtls {
		auth = f.authenticator()
		certificate := f.alice.issue(nil, aliceGateway)
		task.Key, task.Cert = keyOf(b, certificate), certificate.Certificate[0]
	}
	startWith(b, f.domains, build, func(c *serve.Config) { c.Listener, c.Authenticator = listener, auth })
	startCrowd(b, task)() // what is needed once, however many streams there are
	for b.Loop() {
		before, residentBefore := memory(b)
		stop := startCrowd(b, task)
		after, residentAfter := memory(b)
		b.ReportMetric(float64(after-before)/streams, "heap+stack-B/stream")
		b.ReportMetric(float64(residentAfter-residentBefore)/streams, "rss-B/stream")
		stop()
	}
}

// memory is what the process holds after a thorough collection.
func memory(b *testing.B) (used, resident uint64) {
	b.Helper()
	for range 3 { // a stack shrinks by half each time
		runtime.GC()
	}
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse, residentBytes(b)
}

// residentBytes is the memory of this process that is in RAM.
func residentBytes(b *testing.B) uint64 {
	b.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Fatal(err)
	}
	var size, resident uint64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		b.Fatal(err)
	}
	return resident * uint64(os.Getpagesize()) //nolint:gosec // never negative
}
