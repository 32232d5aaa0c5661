package dns

import (
	"bytes"
	"context"
	"fmt"
	"io"
	golog "log"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coredns/caddy"
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/plugin"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/metrics"
	"github.com/coredns/coredns/plugin/ready"
	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/entente-mesh/entente/mesh"
)

var _ ready.Readiness = (*Handler)(nil)

// directive is the plugin with meshes from the test. Its option kubeconfig names a test's origin.
const directive = "entente_in_test"

// origins are the origins of tests, by name.
var origins sync.Map

func init() {
	plugin.Register(directive, func(c *caddy.Controller) error {
		return setup(c, func(o options) (origin, error) {
			if found, ok := origins.Load(o.kubeconfig); ok {
				return found.(origin), nil
			}
			return nil, fmt.Errorf("no origin %q", o.kubeconfig)
		})
	})
	if err := dnsserver.SetDirectives([]string{"ready", "prometheus", "errors", "log", directive, pluginName, "forward"}); err != nil {
		panic(err)
	}
	caddy.Quiet, dnsserver.Quiet = true, true
}

// A still origin has a mesh that the test changes, or none.
type still struct {
	mesh func() (*mesh.Mesh, time.Time, <-chan struct{})
	runs atomic.Int64 // that have not ended
}

func (s *still) Mesh() (*mesh.Mesh, time.Time, <-chan struct{}) { return s.mesh() }

func (s *still) Run(ctx context.Context) error {
	s.runs.Add(1)
	defer s.runs.Add(-1)
	<-ctx.Done()
	return nil
}

// fromTest names an origin with the mesh for Corefiles.
func fromTest(t testing.TB, m *mesh.Mesh) string {
	t.Helper()
	_, get := changing(m)
	s := &still{mesh: get}
	origins.Store(t.Name(), s)
	t.Cleanup(func() {
		if n := s.runs.Load(); n != 0 {
			t.Errorf("%d origins still run", n)
		}
	})
	return t.Name()
}

// freePort is a port that was free a moment ago, over both transports.
func freePort(t testing.TB) string {
	t.Helper()
	sockets, err := open(t.Context(), loopback())
	if err != nil {
		t.Fatal(err)
	}
	sockets[0].close()
	_, port, _ := net.SplitHostPort(sockets[0].address.String())
	return port
}

// start runs CoreDNS with a Corefile, whose first %s is the port, and returns it and its address.
func start(t testing.TB, format string, args ...any) (*caddy.Instance, string) {
	t.Helper()
	for {
		port := freePort(t)
		input := caddy.CaddyfileInput{ServerTypeName: "dns", Contents: fmt.Appendf(nil, format, append([]any{port}, args...)...)}
		instance, err := caddy.Start(input)
		if err != nil {
			if strings.Contains(err.Error(), "address already in use") {
				continue // another test was faster
			}
			t.Fatal(err)
		}
		return instance, "127.0.0.1:" + port
	}
}

// end stops an instance as CoreDNS does at its end.
func end(t testing.TB, instance *caddy.Instance) {
	t.Helper()
	for _, err := range instance.ShutdownCallbacks() {
		t.Errorf("shutdown: %v", err)
	}
	if err := instance.Stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestCoreDNSAnswersFromACorefile(t *testing.T) {
	instance, address := start(t, ".:%s {\n errors\n %s {\n domain alice\n kubeconfig %s\n ttl 30\n gateway 10.7.7.7\n }\n}", directive, fromTest(t, alice()))
	defer end(t, instance)
	for _, network := range []string{"udp", "tcp"} {
		reply := over(t, network, address, ask("web.alice.svc.", dns.TypeA))
		if addressesOf(reply) != "10.0.0.1 10.0.0.2" || reply.Answer[0].Header().Ttl != 30 {
			t.Errorf("over %s:\n%s", network, reply)
		}
		if reply = over(t, network, address, ask("psi.bob.svc.", dns.TypeA)); addressesOf(reply) != "10.7.7.7" {
			t.Errorf("over %s:\n%s", network, reply)
		}
		// The alias is followed by a query of the server to itself, which must come back as a message.
		if reply = over(t, network, address, ask("alias.alice.svc.", dns.TypeA)); len(reply.Answer) != 3 || reply.Question[0].Name != "alias.alice.svc." {
			t.Errorf("over %s:\n%s", network, reply)
		}
		if reply = over(t, network, address, ask("www.example.org.", dns.TypeA)); reply.Rcode != dns.RcodeServerFailure {
			t.Errorf("without a next plugin, over %s:\n%s", network, reply)
		}
	}
}

// CoreDNS's own figures and its log of queries say the truth about answers in bytes.
func TestMetricsAndLogSeeEachAnswer(t *testing.T) {
	cases := []struct {
		qname string
		qtype uint16
		rcode string
	}{
		{"web.alice.svc.", dns.TypeA, "NOERROR"},
		{"web.alice.svc.", dns.TypeAAAA, "NOERROR"},
		{"psi.bob.svc.", dns.TypeA, "NOERROR"},
		{"none.alice.svc.", dns.TypeA, "NXDOMAIN"},
		{"svc.", dns.TypeAXFR, "REFUSED"},
	}
	for _, log := range []string{"", "log . \"{name} {type} {rcode} {rsize} {>rflags}\""} {
		t.Run(fmt.Sprintf("with %q", log), func(t *testing.T) {
			var lines buffered
			golog.SetOutput(&lines)
			defer golog.SetOutput(io.Discard)
			instance, address := start(t, ".:%s {\n prometheus 127.0.0.1:0\n errors\n %s\n %s {\n domain alice\n kubeconfig %s\n }\n}", log, directive, fromTest(t, alice()))
			var want []string
			rcodes, bytesSent := map[string]float64{}, 0
			for _, c := range cases {
				reply := over(t, "udp", address, ask(c.qname, c.qtype))
				if got := dns.RcodeToString[reply.Rcode]; got != c.rcode {
					t.Errorf("%s %s: %s", c.qname, dns.TypeToString[c.qtype], got)
				}
				reply.Compress = true
				rcodes[c.rcode]++
				bytesSent += reply.Len()
				flags := "qr,aa,rd"
				if c.rcode == "REFUSED" {
					flags = "qr,rd"
				}
				want = append(want, fmt.Sprintf("%s %s %s %d %s", c.qname, dns.TypeToString[c.qtype], c.rcode, reply.Len(), flags))
			}
			end(t, instance)
			server := "dns://:" + address[strings.LastIndex(address, ":")+1:]
			for rcode, n := range rcodes {
				if got := figure(t, "coredns_dns_responses_total", map[string]string{"server": server, "rcode": rcode}); got != n {
					t.Errorf("%s is counted %v times, want %v", rcode, got, n)
				}
			}
			if got := figure(t, "coredns_dns_response_size_bytes", map[string]string{"server": server}); log == "" && int(got) != bytesSent {
				t.Errorf("%v bytes are counted, want %d", got, bytesSent)
			}
			if log == "" {
				return
			}
			for _, line := range want {
				if !strings.Contains(lines.String(), line+"\n") {
					t.Errorf("the log lacks %q:\n%s", line, lines.String())
				}
			}
		})
	}
}

// figure is the value of a counter, or the sum of a histogram, over all series with these labels.
func figure(t testing.TB, name string, labels map[string]string) float64 {
	t.Helper()
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		for _, m := range family.GetMetric() {
			matching := 0
			for _, l := range m.GetLabel() {
				if want, ok := labels[l.GetName()]; ok && want == l.GetValue() {
					matching++
				}
			}
			if family.GetName() == name && matching == len(labels) {
				sum += m.GetCounter().GetValue() + m.GetHistogram().GetSampleSum()
			}
		}
	}
	return sum
}

// A buffered writer may be read while others write.
type buffered struct {
	mu sync.Mutex
	// Guarded by mu.
	text bytes.Buffer
}

func (b *buffered) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(line)
}

func (b *buffered) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// A reload loses no query: the old instance answers until the new one has a mesh.
func TestReloadLosesNoQuery(t *testing.T) {
	const corefile = ".:%s {\n errors\n %s {\n domain alice\n kubeconfig %s\n ttl %d\n }\n}"
	name := fromTest(t, alice())
	instance, address := start(t, corefile, directive, name, 1)
	_, port, _ := net.SplitHostPort(address)
	stop, cancel := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	var answered atomic.Int64
	for range 4 {
		clients.Go(func() {
			client := dns.Client{Timeout: 10 * time.Second}
			for stop.Err() == nil {
				reply, _, err := client.Exchange(ask("web.alice.svc.", dns.TypeA), address)
				if err != nil || addressesOf(reply) != "10.0.0.1 10.0.0.2" {
					t.Errorf("after %d answers: %v\n%v", answered.Load(), err, reply)
					return
				}
				answered.Add(1)
			}
		})
	}
	for i := range 20 {
		for before := answered.Load(); answered.Load() < before+50 && !t.Failed(); {
			runtime.Gosched()
		}
		var err error
		instance, err = instance.Restart(caddy.CaddyfileInput{ServerTypeName: "dns", Contents: fmt.Appendf(nil, corefile, port, directive, name, i+2)})
		if err != nil {
			t.Errorf("reload %d: %v", i, err)
		}
	}
	if reply := over(t, "udp", address, ask("web.alice.svc.", dns.TypeA)); len(reply.Answer) == 0 || reply.Answer[0].Header().Ttl != 21 {
		t.Errorf("the last Corefile does not hold:\n%s", reply)
	}
	cancel()
	clients.Wait()
	end(t, instance)
	t.Logf("%d queries answered across 20 reloads", answered.Load())
}

// The source of meshes logs like a plugin. Not parallel: CoreDNS has one log.
func TestTheSourceLogsLikeAPlugin(t *testing.T) {
	var lines buffered
	golog.SetOutput(&lines)
	defer golog.SetOutput(io.Discard)
	defer golog.SetFlags(golog.Flags())
	golog.SetFlags(0)
	log := slog.New(toCoreDNS{}).With("domain", "alice")
	log.Warn("cannot follow objects", "resource", "pods")
	log.Info("following objects again")
	log.Debug("not shown without the plugin debug")
	want := "[WARNING] plugin/entente: cannot follow objects domain=\"alice\" resource=\"pods\"\n[INFO] plugin/entente: following objects again domain=\"alice\"\n"
	if diff := cmp.Diff(want, lines.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}
