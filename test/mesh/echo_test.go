package mesh

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc"
	grpctest "google.golang.org/grpc/interop/grpc_testing"
)

// A seen is what the echo service saw of a request.
type seen struct {
	Method, Host, Path, Proto string
	Header                    http.Header
	Bytes                     int64 // of the body
}

// serveEcho serves the echo service on a port of the domain's machine: over HTTP/1.1, HTTP/2 without TLS, gRPC and WebSocket.
func (d *domain) serveEcho(t *testing.T, address string) {
	t.Helper()
	listener, err := d.node.Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	calls := grpc.NewServer()
	grpctest.RegisterTestServiceServer(calls, duplex{})
	server := &http.Server{Handler: echo(calls), Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	done := make(chan struct{})
	go func() { // ends with the server
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("echo service: %v", err)
		}
	}()
	t.Cleanup(func() {
		_ = server.Close() // the connections of this test
		<-done
	})
}

func echo(calls *grpc.Server) http.Handler {
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	mux := http.NewServeMux()
	mux.HandleFunc("/socket", func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return // the upgrader has answered
		}
		defer conn.Close()
		for {
			kind, message, err := conn.ReadMessage()
			if err != nil || conn.WriteMessage(kind, message) != nil {
				return
			}
		}
	})
	mux.HandleFunc("/source", func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.ParseInt(r.URL.Query().Get("bytes"), 10, 64)
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
		_, _ = io.CopyN(w, zeros{}, n) // the caller counts
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body) // the caller counts
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(seen{Method: r.Method, Host: r.Host, Path: r.URL.Path, Proto: r.Proto, Header: r.Header, Bytes: n})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
			calls.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// duplex answers each message of a stream with one of the size that it asks for.
type duplex struct {
	grpctest.UnimplementedTestServiceServer
}

func (duplex) EmptyCall(context.Context, *grpctest.Empty) (*grpctest.Empty, error) {
	return &grpctest.Empty{}, nil
}

func (duplex) FullDuplexCall(stream grpctest.TestService_FullDuplexCallServer) error {
	for {
		in, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(&grpctest.StreamingOutputCallResponse{Payload: in.GetPayload()}); err != nil {
			return err
		}
	}
}

// http1 and http2 are clients of a domain's pods, which reach everything through their gateway.
func (d *domain) http1() *http.Client {
	return d.httpClient(func(p *http.Protocols) { p.SetHTTP1(true) })
}

func (d *domain) http2() *http.Client {
	return d.httpClient(func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) })
}

func (d *domain) httpClient(protocols func(*http.Protocols)) *http.Client {
	transport := &http.Transport{DialContext: d.gatewayDialer, Protocols: new(http.Protocols), MaxIdleConnsPerHost: 64}
	protocols(transport.Protocols)
	return &http.Client{Transport: transport}
}

// through returns a connection to host:port by CONNECT at the domain's gateway, as pods make it that use it as their proxy.
func (d *domain) through(ctx context.Context, target string) (net.Conn, error) {
	conn, err := d.gatewayDialer(ctx, "", "")
	if err != nil {
		return nil, err
	}
	if _, err := io.WriteString(conn, "CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\n\r\n"); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	// The answer to CONNECT has no body, so it is read byte by byte up to its empty line.
	var head strings.Builder
	for b := make([]byte, 1); !strings.HasSuffix(head.String(), "\r\n\r\n"); {
		if _, err := conn.Read(b); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		head.WriteByte(b[0])
	}
	if !strings.HasPrefix(head.String(), "HTTP/1.1 200") {
		return nil, errors.Join(errors.New("CONNECT was answered "+head.String()), conn.Close())
	}
	return conn, nil
}
