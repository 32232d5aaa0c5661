package translate_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/entente-mesh/entente/api/names"
	"github.com/entente-mesh/entente/mesh"
	"github.com/entente-mesh/entente/xds/translate"
)

// A pair is alice, whose pods call, and bob, who is called; both may call carol through bob.
type pair struct{ alice, bob, carol *gate }

func newPair(t testing.TB) pair {
	t.Helper()
	nobody := netip.MustParseAddrPort("127.0.0.1:1") // listens there
	carol := newGate(t, newDraft("carol").
		service(mesh.Service{Name: "echo"}, echo(t, "echo of carol")).
		builtin(mesh.Builtin{Name: "apiserver", Address: echo(t, "API of carol"), External: true}).
		builtin(mesh.Builtin{Name: "kuscia-handshake", Address: echo(t, "handshake of carol"), External: true, Open: true}).
		called(mesh.Route{Source: "bob"}, 'C').
		called(mesh.Route{Source: "alice", Via: "bob"}, 0).
		done())
	bob := newGate(t, bob(t).
		service(mesh.Service{Name: "dead"}, nobody).
		service(mesh.Service{Name: "grpc", Protocol: mesh.GRPC}, startGRPC(t)).
		service(mesh.Service{Name: "socket"}, startService(t, http.HandlerFunc(shout))).
		called(mesh.Route{Source: "alice", TransitTo: []string{"carol"}}, 'A').
		calls(mesh.Route{Destination: "carol"}, carol.address(translate.ListenerExternal), 'C').
		done())
	to := bob.address(translate.ListenerExternal)
	alice := newGate(t, newDraft("alice").
		service(mesh.Service{Name: "here"}, echo(t, "here")).
		service(mesh.Service{Name: "dead"}, nobody).
		service(mesh.Service{Name: "closed", Restricted: true}, echo(t, "closed")).
		service(mesh.Service{Name: "transport"}, echo(t, "own transport")).
		builtin(mesh.Builtin{Name: "datamesh", Address: echo(t, "datamesh")}).
		builtin(mesh.Builtin{Name: "apiserver", Address: echo(t, "own API"), Control: true}).
		calls(mesh.Route{Destination: "bob"}, to, 'A').
		calls(mesh.Route{Destination: "carol", Via: "bob"}, netip.AddrPort{}, 0).
		calls(mesh.Route{Destination: "sealed", Encryption: mesh.AES}, to, 'S').
		calls(mesh.Route{Destination: "behind", ReverseTunnel: true}, netip.AddrPort{}, 'B').
		calls(mesh.Route{Destination: "prefixed", Hops: []mesh.Hop{{Name: "http", Prefix: "/gate", Handshake: true}}}, echo(t, "proxy"), 'P').
		calls(mesh.Route{Destination: "bank", Protocol: mesh.BFIA, Auth: mesh.AuthNone, Hops: []mesh.Hop{{Name: "http", Prefix: "/gate"}}}, echo(t, "bank"), 0).
		calls(mesh.Route{Destination: "tight"}, echo(t, "slow"), 'T').
		done())
	return pair{alice, bob, carol}
}

func startGRPC(t testing.TB) netip.AddrPort {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	healthv1.RegisterHealthServer(s, health.NewServer())
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	t.Cleanup(func() {
		s.Stop()
		if err := <-served; err != nil {
			t.Errorf("gRPC server: %v", err)
		}
	})
	return netip.MustParseAddrPort(listener.Addr().String())
}

// shout takes over an upgraded connection and sends back in capitals what comes.
func shout(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "websocket" {
		http.Error(w, "no upgrade", http.StatusBadRequest)
		return
	}
	conn, both, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	defer func() { _ = conn.Close() }() // the test is over
	_, _ = fmt.Fprint(both, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	for both.Flush() == nil {
		line, err := both.ReadString('\n')
		if err != nil {
			return
		}
		_, _ = both.WriteString(strings.ToUpper(line))
	}
}

func TestBetweenGateways(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	for _, part := range []struct {
		name string
		test func(*testing.T, pair)
	}{
		{"pods reach services", podsReachServices},
		{"what a partner's service sees", whatAPartnersServiceSees},
		{"Entente calls what pods may not", ententeCallsWhatPodsMayNot},
		{"partners pass through to those they may", partnersPassThroughToThoseTheyMay},
		{"gRPC passes both gateways", grpcPassesBothGateways},
		{"WebSocket passes both gateways", webSocketPassesBothGateways},
		{"what goes through CONNECT is a request of the pod", whatGoesThroughConnectIsARequestOfThePod},
		{"old clients are answered", oldClientsAreAnswered},
		{"replies of the gateway itself", repliesOfTheGatewayItself},
		{"access logs have the original's columns", accessLogsHaveTheOriginalsColumns},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, pair{p.alice.in(t), p.bob.in(t), p.carol.in(t)}) })
	}
}

func podsReachServices(t *testing.T, p pair) {
	try(t, (*gate).internal, p.alice, []attempt{
		{"of a partner", call{host: "echo.bob.svc"}, "echo"},
		{"of a partner over HTTP/2", call{host: "echo.bob.svc", http2: true}, "echo"},
		{"of a partner by a host with a port", call{host: "echo.bob.svc:8080"}, "echo"},
		{"of a partner by a host in capitals", call{host: "ECHO.bob.svc"}, 404},
		{"of a partner that they may not call", call{host: "own.bob.svc"}, 404},
		{"of a partner behind a partner", call{host: "echo.carol.svc"}, "echo of carol"},
		{"of a partner behind a proxy", call{host: "x.prefixed.svc", path: "/a?b"}, "proxy"},
		{"of their own domain", call{host: "here.alice.svc"}, "here"},
		{"of their own domain with a dot behind", call{host: "here.alice.svc."}, "here"},
		{"of their own domain by the short name", call{host: "here"}, "here"},
		{"of their own domain by the short name with a port", call{host: "here:80"}, "here"},
		{"of their own domain alone", call{host: "closed.alice.svc"}, "closed"},
		{"of their own domain alone by the short name", call{host: "closed"}, "closed"},
		{"of Entente", call{host: "datamesh"}, "datamesh"},
		{"that a forged header names", call{host: "nobody.alice.svc", header: map[string]string{names.HeaderFullHost: "here.alice.svc"}}, 404},
		{"that do not exist", call{host: "nobody.alice.svc"}, 404},
		{"that do not exist by a short name", call{host: "nobody"}, 404},
		{"of domains that do not exist", call{host: "echo.nowhere.svc"}, 404},
		{"by the name of a cluster", call{host: "alice-to-bob-http"}, 404},
		{"by the name of the cluster of the control plane", call{host: "xds"}, 404},
		{"of Entente's own", call{host: "apiserver.alice.svc"}, 404},
		{"of a partner for Entente", call{host: "apiserver.bob.svc"}, 404},
		{"of a partner for Entente with a dot behind", call{host: "apiserver.bob.svc.:80"}, 404},
		{"for handshakes of a partner", call{host: "kuscia-handshake.bob.svc"}, 404},
		{"for handshakes of a partner in capitals", call{host: "Kuscia-Handshake.bob.svc"}, 404},
		{"where bodies should be encrypted", call{host: "x.sealed.svc"}, 501},
		{"where the partner should dial", call{host: "x.behind.svc"}, 501},
		{"of their own queue", call{host: "transport.alice.svc", path: "/v1/interconn/chan/push"}, "own transport"},
		{"of their own queue, by name", call{host: "transport.alice.svc", path: "/v1/interconn/chan/push", header: map[string]string{"x-ptp-target-node-id": "alice"}}, "own transport"},
		{"of a partner's queue", call{host: "transport.alice.svc", path: "/v1/interconn/chan/push", header: map[string]string{"x-ptp-target-node-id": "bob"}}, "transport"},
		{"of a BFIA partner's queue", call{host: "transport.alice.svc", path: "/v1/interconn/chan/push", header: map[string]string{"x-ptp-target-node-id": "bank"}}, "bank"},
		{"of a BFIA partner's other services", call{host: "echo.bank.svc"}, 404},
	})
}

func whatAPartnersServiceSees(t *testing.T, p pair) {
	forged := map[string]string{
		names.HeaderSource: "carol", names.HeaderOriginSource: "carol", names.HeaderToken: "x", names.HeaderHost: "secret.bob.svc", names.HeaderTransitFlag: "true",
		names.HeaderEncryptVersion: "1", names.HeaderEncryptIV: "x", names.HeaderInterConnProtocol: "bfia", "X-Forwarded-For": "10.0.0.1", "x-envoy-retry-on": "5xx",
		"x-envoy-original-path": "/x", "kuscia_origin_source": "carol",
	}
	for _, c := range []struct {
		host string
		want map[string][]string
	}{
		{"echo.bob.svc", map[string][]string{
			names.HeaderHost: {"echo.bob.svc"}, names.HeaderSource: {"alice"}, names.HeaderOriginSource: {"alice"}, "X-Interconn-Protocol": {"kuscia"},
		}},
		{"echo.carol.svc", map[string][]string{
			names.HeaderHost: {"echo.carol.svc"}, names.HeaderSource: {"bob"}, names.HeaderOriginSource: {"alice"}, "X-Interconn-Protocol": {"kuscia"},
		}},
		{"x.prefixed.svc", map[string][]string{
			names.HeaderHost: {"x.prefixed.svc"}, names.HeaderSource: {"alice"}, names.HeaderOriginSource: {"alice"}, "X-Interconn-Protocol": {"kuscia"},
			names.HeaderToken: {token("alice", "prefixed", 'P')},
		}},
		{"here", map[string][]string{names.HeaderOriginSource: {"alice"}}},
	} {
		got := p.alice.internal(call{host: c.host, header: forged, path: "/a?b"}).Seen
		for _, usual := range []string{"User-Agent", "Accept-Encoding", "X-Forwarded-Proto", "X-Envoy-External-Address", "Content-Length"} {
			got.Header.Del(usual)
		}
		if diff := cmp.Diff(c.want, map[string][]string(got.Header)); diff != "" {
			t.Errorf("headers at %s (-want +got):\n%s", c.host, diff)
		}
	}
	proxied := p.alice.internal(call{host: "x.prefixed.svc", path: "/a?b"}).Seen
	if proxied.Path != "/gate/a?b" || proxied.Host != "127.0.0.1" {
		t.Errorf("behind a proxy: path %q, host %q", proxied.Path, proxied.Host)
	}
	bank := p.alice.internal(call{host: "transport.alice.svc", path: "/v1/interconn/chan/push?x", header: map[string]string{"x-ptp-target-node-id": "bank"}}).Seen
	if bank.Path != "/gate/v1/interconn/chan/invoke?x" || bank.Header.Get("x-ptp-source-node-id") != "alice" || bank.Header.Get(names.HeaderHost) != "" {
		t.Errorf("at a BFIA partner: %+v", bank)
	}
}

func ententeCallsWhatPodsMayNot(t *testing.T, p pair) {
	for host, want := range map[string]string{
		"apiserver.alice.svc": "own API", "kuscia-handshake.bob.svc": "handshake", "apiserver.bob.svc": "apiserver",
		"echo.bob.svc": "echo", "kuscia-handshake.carol.svc": "handshake of carol",
	} {
		path := "/"
		switch want {
		case "handshake":
			path = "/handshake"
		case "apiserver":
			path = "/healthz"
		}
		if got := p.alice.control(call{host: host, path: path}); got.Code != 200 || got.Seen.Service != want {
			t.Errorf("Entente asks for %s: %v, want %s", host, got, want)
		}
	}
	handshake := p.alice.control(call{host: "kuscia-handshake.prefixed.svc", path: "/handshake", header: map[string]string{names.HeaderToken: "x", names.HeaderTokenRevision: "2"}}).Seen
	if handshake.Path != "/gate/handshake" || handshake.Header.Get(names.HeaderToken) != "" || handshake.Header.Get(names.HeaderTokenRevision) != "2" ||
		handshake.Header.Get(names.HeaderHost) != "kuscia-handshake.prefixed.svc" || handshake.Header.Get(names.HeaderSource) != "alice" {
		t.Errorf("a handshake as the partner sees it: %+v", handshake)
	}
}

func partnersPassThroughToThoseTheyMay(t *testing.T, p pair) {
	try(t, (*gate).external, p.bob, []attempt{
		{"to where they may go", call{header: as("alice", "bob", "echo.carol.svc", 'A')}, "echo of carol"},
		{"to where they may go, with the right of nobody", call{header: as("mallory", "bob", "echo.carol.svc", 'M')}, 403},
		{"with a host of this domain before", call{header: as("alice", "bob", "secret.bob.svc|echo.carol.svc", 'A')}, 404},
		{"with a second host", call{header: as("alice", "bob", "echo.carol.svc|secret.bob.svc", 'A')}, 404},
		{"to an API that would take them for this domain", call{header: as("alice", "bob", "apiserver.carol.svc", 'A')}, 404},
		{"to their own services", call{header: as("alice", "bob", "echo.alice.svc", 'A')}, 404},
		{"by another spelling", call{header: as("alice", "bob", "echo.Carol.svc", 'A')}, 404},
		{"to a service that is not there", call{header: as("alice", "bob", "none.carol.svc", 'A')}, 404},
	})
}

func grpcPassesBothGateways(t *testing.T, p pair) {
	conn, err := grpc.NewClient("passthrough:///"+p.alice.address(translate.ListenerInternal).String(),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("grpc.bob.svc"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }() // the test is over
	client := healthv1.NewHealthClient(conn)
	if _, err := client.Check(t.Context(), &healthv1.HealthCheckRequest{}); err != nil {
		t.Errorf("unary: %v", err)
	}
	watch, err := client.Watch(t.Context(), &healthv1.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := watch.Recv(); err != nil {
		t.Errorf("stream: %v", err)
	}
}

func webSocketPassesBothGateways(t *testing.T, p pair) {
	conn := dial(t, p.alice.address(translate.ListenerInternal))
	upgrade(t, conn, "GET / HTTP/1.1\r\nHost: socket.bob.svc\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 101)
	if got := say(t, conn, "hello\n"); got != "HELLO\n" {
		t.Errorf("the other side says %q", got)
	}
}

func whatGoesThroughConnectIsARequestOfThePod(t *testing.T, p pair) {
	conn := dial(t, p.alice.address(translate.ListenerInternal))
	upgrade(t, conn, "CONNECT echo.bob.svc:80 HTTP/1.1\r\nHost: echo.bob.svc:80\r\n\r\n", 200)
	for _, c := range []struct {
		request string
		want    int
	}{
		{"GET /a HTTP/1.1\r\nHost: echo.bob.svc\r\nKuscia-Origin-Source: carol\r\n\r\n", 200},
		{"GET /a HTTP/1.1\r\nHost: apiserver.bob.svc\r\n\r\n", 404},
	} {
		response := upgrade(t, conn, c.request, c.want)
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		if c.want == 200 && !strings.Contains(string(body), `"Kuscia-Origin-Source":["alice"]`) {
			t.Errorf("at the partner's service: %s", body)
		}
	}
	conn = dial(t, p.alice.address(translate.ListenerInternal))
	upgrade(t, conn, "CONNECT echo.bob.svc:80 HTTP/1.1\r\nHost: echo.bob.svc:80\r\n\r\n", 200)
	upgrade(t, conn, "CONNECT echo.bob.svc:80 HTTP/1.1\r\nHost: echo.bob.svc:80\r\n\r\n", 403)
}

func oldClientsAreAnswered(t *testing.T, p pair) {
	conn := dial(t, p.alice.address(translate.ListenerInternal))
	upgrade(t, conn, "GET / HTTP/1.0\r\nHost: echo.bob.svc\r\n\r\n", 200)
}

// peer is a connection and what has been read ahead of it.
type peer struct {
	net.Conn
	*bufio.Reader
}

func (p peer) Read(b []byte) (int, error) { return p.Reader.Read(b) }

func dial(t testing.TB, at netip.AddrPort) peer {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	stop := context.AfterFunc(t.Context(), func() { _ = conn.Close() }) // so that nothing waits for ever
	t.Cleanup(func() { stop(); _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(confirmTimeout)); err != nil {
		t.Fatal(err)
	}
	return peer{conn, bufio.NewReader(conn)}
}

func upgrade(t testing.TB, p peer, request string, want int) *http.Response {
	t.Helper()
	if _, err := io.WriteString(p.Conn, request); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(request, " ")
	response, err := http.ReadResponse(p.Reader, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", request, err)
	}
	if response.StatusCode != want {
		t.Fatalf("%q: %s, want %d", request, response.Status, want)
	}
	return response
}

func say(t testing.TB, p peer, line string) string {
	t.Helper()
	if _, err := io.WriteString(p.Conn, line); err != nil {
		t.Fatal(err)
	}
	answer, err := p.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func repliesOfTheGatewayItself(t *testing.T, p pair) {
	for _, c := range []struct {
		name           string
		got            answer
		code           int
		message, exact string
	}{
		{
			"to strangers", p.bob.external(call{}), 401, "<bob/bob-0/external $missing_credentials$ unauthorized>",
			`{"domain":"bob","instance":"bob-0","kuscia":"test","reason":"unauthorized."}` + "\n",
		},
		{"to those without right", p.bob.external(call{header: as("mallory", "bob", "secret.bob.svc", 'M')}), 403, "<bob/bob-0/external $rbac_access_denied_matched_policy[none]$ 403>", "RBAC: access denied"},
		{
			"to those who claim another's origin", p.bob.external(call{header: with(as("alice", "bob", "echo.bob.svc", 'A'), names.HeaderOriginSource, "x")}), 403,
			"<bob/bob-0/external $rbac_access_denied_matched_policy[origin_not_bound_to_source]$ 403>", "RBAC: access denied",
		},
		{"where nothing is", p.bob.external(call{header: as("alice", "bob", "none.alice.svc", 'A')}), 404, `<bob/bob-0/external $direct_response$ Service "none.alice.svc" not found.>`, ""},
		{"about a dead service, to partners", p.bob.external(call{header: as("alice", "bob", "dead.bob.svc", 'A')}), 503, "<bob/bob-0/external $upstream_failure$ 503>", "the service cannot be reached\n"},
		{"where nothing is, to pods", p.alice.internal(call{host: "x.nowhere.svc"}), 404, `<alice/alice-0/internal $direct_response$ Service "x.nowhere.svc" not found.>`, ""},
		{"of a partner", p.alice.internal(call{host: "none.bob.svc"}), 404, "<bob/bob-0/external $cluster_not_found$ 404>", ""},
		{"of a partner behind a partner", p.alice.internal(call{host: "none.carol.svc"}), 404, "<carol/carol-0/external $cluster_not_found$ 404>", ""},
		{"where bodies should be encrypted", p.alice.internal(call{host: "x.sealed.svc"}), 501, "<alice/alice-0/internal $direct_response$ body encryption is not supported, and the route asks for it>", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.got.Code != c.code || c.got.Header.Get(names.HeaderErrorMessage) != c.message || c.got.Text != c.exact {
				t.Errorf("got  %d %q %q\nwant %d %q %q", c.got.Code, c.got.Header.Get(names.HeaderErrorMessage), c.got.Text, c.code, c.message, c.exact)
			}
		})
	}
	if got := p.alice.internal(call{host: "dead"}); got.Code != 503 || !strings.Contains(got.Header.Get(names.HeaderErrorMessage), "connection_failure") {
		t.Errorf("about a dead service, to pods: %v; they may know why", got)
	}
	grpc := p.alice.internal(call{host: "x.nowhere.svc", header: map[string]string{"Content-Type": "application/grpc"}})
	if grpc.Header.Get("Grpc-Status") != "14" || !strings.Contains(grpc.Header.Get(names.HeaderErrorMessage), "not found") {
		t.Errorf("to gRPC where nothing is: %v %v", grpc, grpc.Header)
	}
	trace := p.alice.internal(call{host: "echo.bob.svc", header: map[string]string{names.HeaderTraceID: "7"}})
	if trace.Header.Get(names.HeaderTraceID) != "7" || trace.Header.Get(names.HeaderAccelBuffering) != "no" || trace.Header.Values(names.HeaderSpanID) != nil {
		t.Errorf("headers of an answer: %v", trace.Header)
	}
}

// The columns are those that `kuscia diagnose log` of the original reads.
func accessLogsHaveTheOriginalsColumns(t *testing.T, p pair) {
	trace := map[string]string{names.HeaderTraceID: "0af7", names.HeaderSpanID: "b7ad"}
	p.alice.internal(call{host: "echo.bob.svc", path: "/work", method: "POST", body: "12345", header: trace})
	p.alice.internal(call{host: "echo.bob.svc", path: "/apis/x"})
	p.alice.internal(call{host: "echo.bob.svc", path: "/prometheus"})
	p.alice.internal(call{host: "echo.bob.svc", path: "/zipkin/api"})
	const when = `\[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\]`
	for _, c := range []struct {
		gate *gate
		file string
		want string
	}{
		{p.alice, "internal.log", `127\.0\.0\.1 - ` + when + ` alice echo\.bob\.svc "POST /work HTTP/1\.1" 0af7 b7ad 200 - 5 \d+ \d+ \d+ \d+ \d+ - -\n`},
		{p.bob, "external.log", `127\.0\.0\.1 - ` + when + ` alice echo\.bob\.svc "POST /work HTTP/1\.1" 0af7 b7ad 200 - 5 \d+ \d+ - -\n`},
		{p.bob, "kubernetes.log", `127\.0\.0\.1 - ` + when + ` echo\.bob\.svc "GET /apis/x HTTP/1\.1" - - 200 - - \d+ \d+ \d+ \d+ \d+\n`},
		{p.bob, "prometheus.log", `127\.0\.0\.1 - ` + when + ` echo\.bob\.svc "GET /prometheus HTTP/1\.1" - - 200 - - \d+ \d+ \d+ \d+ \d+\n`},
		{p.bob, "zipkin.log", `127\.0\.0\.1 - ` + when + ` echo\.bob\.svc "GET /zipkin/api HTTP/1\.1" - - 200 - - \d+ \d+ \d+ \d+ \d+\n`},
	} {
		c.gate.envoy.Await(c.file+" is written", "filesystem.flushed_by_timer", func(map[string]int64) bool {
			text, err := os.ReadFile(filepath.Join(c.gate.dir, c.file))
			return err == nil && regexp.MustCompile(`(?m)^`+c.want).Match(text)
		})
	}
}
