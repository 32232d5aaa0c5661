package mesh

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	grpctest "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/protobuf/proto"

	"github.com/entente-mesh/entente/api/names"
)

// TestTheGatewaysCarryEveryProtocol: a service of bob answers calls from alice in all protocols that engines speak. What it sees is what the
// original's services see: who called, proved by the token, and no token.
func TestTheGatewaysCarryEveryProtocol(t *testing.T) {
	world(t)
	bob.serveEcho(t, "10.2.0.1:8001")
	if err := bob.serve(t.Context(), "carry", 8001); err != nil {
		t.Fatal(err)
	}
	const host = "carry.bob.svc"
	await(t, alice, host)

	t.Run("HTTP/1.1", func(t *testing.T) {
		got := get(t, alice.http1(), "http://"+host+"/path")
		if got.Proto != "HTTP/1.1" || got.Path != "/path" {
			t.Errorf("the service saw %s %s, want HTTP/1.1 /path", got.Proto, got.Path)
		}
		checkIdentity(t, got)
	})
	t.Run("HTTP/2", func(t *testing.T) {
		got := get(t, alice.http2(), "http://"+host+"/path")
		if got.Proto != "HTTP/2.0" {
			t.Errorf("the service saw %s, want HTTP/2.0", got.Proto)
		}
		checkIdentity(t, got)
	})
	t.Run("gRPC", func(t *testing.T) { pingPong(t, alice, host) })
	t.Run("WebSocket", func(t *testing.T) {
		dialer := websocket.Dialer{NetDialContext: alice.gatewayDialer}
		conn, answer, err := dialer.DialContext(t.Context(), "ws://"+host+"/socket", nil)
		if err != nil {
			t.Fatal(err, answer)
		}
		defer conn.Close()
		for i := range 3 {
			want := fmt.Sprintf("message %d", i)
			if err := conn.WriteMessage(websocket.TextMessage, []byte(want)); err != nil {
				t.Fatal(err)
			}
			if _, got, err := conn.ReadMessage(); err != nil || string(got) != want {
				t.Fatalf("got %q, %v, want %q", got, err, want)
			}
		}
	})
	t.Run("CONNECT", func(t *testing.T) {
		conn, err := alice.through(t.Context(), host+":80")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/inside", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := request.Write(conn); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(conn), request)
		if err != nil {
			t.Fatal(err)
		}
		checkIdentity(t, decode(t, answer))
	})
}

// TestAGigabytePassesBothWays: no gateway collects a body.
func TestAGigabytePassesBothWays(t *testing.T) {
	world(t)
	const size = 1 << 30
	bob.serveEcho(t, "10.2.0.1:8002")
	if err := bob.serve(t.Context(), "bulk", 8002); err != nil {
		t.Fatal(err)
	}
	await(t, alice, "bulk.bob.svc")
	t.Run("down", func(t *testing.T) {
		answer := do(t, alice.http1(), http.MethodGet, fmt.Sprintf("http://bulk.bob.svc/source?bytes=%d", size), nil)
		defer answer.Body.Close()
		if n, err := io.Copy(io.Discard, answer.Body); n != size || err != nil {
			t.Errorf("%d bytes came, %v, want %d", n, err, size)
		}
	})
	t.Run("up", func(t *testing.T) {
		answer := do(t, alice.http1(), http.MethodPost, "http://bulk.bob.svc/", io.LimitReader(zeros{}, size))
		if got := decode(t, answer); got.Bytes != size {
			t.Errorf("%d bytes arrived, want %d", got.Bytes, size)
		}
	})
}

// checkIdentity checks whom the service takes the caller for.
func checkIdentity(t *testing.T, got seen) {
	t.Helper()
	for header, want := range map[string]string{names.HeaderSource: "alice", names.HeaderOriginSource: "alice"} {
		if values := got.Header.Values(header); len(values) != 1 || values[0] != want {
			t.Errorf("the service saw %s: %q, want %q once", header, values, want)
		}
	}
	if got.Header.Get(names.HeaderToken) != "" {
		t.Error("the service was shown the route's token")
	}
}

// await waits until calls of a domain's pods reach a host.
func await(t *testing.T, from *domain, host string) {
	t.Helper()
	client := from.http1()
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	last := "nothing"
	for tick := time.NewTicker(5 * time.Millisecond); ; {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+host+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(request)
		switch {
		case err != nil:
			last = err.Error()
		default:
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				tick.Stop()
				return
			}
			last = answer.Status + " " + answer.Header.Get(names.HeaderErrorMessage)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s cannot be reached from %s: the last answer was %s", host, from.id, last)
		}
	}
}

func do(t *testing.T, client *http.Client, method, url string, body io.Reader) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<10)) // a courtesy to the reader of the failure
		t.Fatalf("%s %s was answered %s: %s%s", method, url, answer.Status, answer.Header.Get(names.HeaderErrorMessage), text)
	}
	return answer
}

func get(t *testing.T, client *http.Client, url string) seen {
	t.Helper()
	return decode(t, do(t, client, http.MethodGet, url, nil))
}

func decode(t *testing.T, answer *http.Response) seen {
	t.Helper()
	defer answer.Body.Close()
	var got seen
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	return got
}

// pingPong exchanges messages on one gRPC stream, each only after the answer to the one before.
func pingPong(t *testing.T, from *domain, host string) {
	t.Helper()
	dial := func(ctx context.Context, _ string) (net.Conn, error) { return from.gatewayDialer(ctx, "", "") }
	conn, err := grpc.NewClient("passthrough:///"+host, grpc.WithContextDialer(dial), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	calls := grpctest.NewTestServiceClient(conn)
	if _, err := calls.EmptyCall(t.Context(), &grpctest.Empty{}); err != nil {
		t.Fatal(err)
	}
	stream, err := calls.FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		want := &grpctest.Payload{Body: fmt.Appendf(nil, "ping %d", i)}
		if err := stream.Send(&grpctest.StreamingOutputCallRequest{Payload: want}); err != nil {
			t.Fatal(err)
		}
		got, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if !proto.Equal(got.GetPayload(), want) {
			t.Fatalf("got %v, want %v", got.GetPayload(), want)
		}
	}
	if err := stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); err != io.EOF {
		t.Errorf("the stream ended with %v", err)
	}
}
