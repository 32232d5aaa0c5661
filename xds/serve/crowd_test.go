package serve_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"

	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// crowdEnv makes the test binary a crowd of clients, in a process of its own, so that the server's process can be measured alone.
const crowdEnv = "ENTENTE_XDS_CROWD"

// A crowdTask is what a crowd shall do.
type crowdTask struct {
	Target  string // as gRPC names it
	Method  string
	Clients int    // each on a connection of its own
	Hello   []byte // the first message of each stream
	Key     []byte // of the client certificate; empty: plaintext
	Cert    []byte
}

// crowd connects, confirms every response, and ends with its standard input. It writes a line when every client has had one response.
func crowd(text string) {
	var task crowdTask
	if err := json.Unmarshal([]byte(text), &task); err != nil {
		panic(err)
	}
	var ready sync.WaitGroup
	ready.Add(task.Clients)
	gate := make(chan struct{}, 50) // clients that connect at the same time
	for range task.Clients {
		gate <- struct{}{}
		go task.client(func() { <-gate; ready.Done() })
	}
	ready.Wait()
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent closes it, or is gone
}

func (task crowdTask) client(ready func()) {
	conn, err := grpc.NewClient(task.Target, grpc.WithTransportCredentials(task.credentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{}), grpc.MaxCallRecvMsgSize(64<<20)))
	if err != nil {
		panic(err)
	}
	stream, err := conn.NewStream(context.Background(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, task.Method)
	if err != nil {
		panic(err)
	}
	send := task.Hello
	ready = sync.OnceFunc(ready)
	for {
		if err := stream.SendMsg(&send); err != nil {
			return // the server has stopped
		}
		var got []byte
		if err := stream.RecvMsg(&got); err != nil {
			return
		}
		send = confirmation(got)
		ready()
	}
}

func (task crowdTask) credentials() credentials.TransportCredentials {
	if len(task.Key) == 0 {
		return insecure.NewCredentials()
	}
	key, err := x509.ParseECPrivateKey(task.Key)
	if err != nil {
		panic(err)
	}
	certificate := tls.Certificate{Certificate: [][]byte{task.Cert}, PrivateKey: key}
	return credentials.NewTLS(&tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{certificate}}) //nolint:gosec // the server is not what is tested
}

// confirmation is the ACK of a response.
func confirmation(response []byte) []byte {
	var typeURL, nonce []byte
	for len(response) > 0 {
		number, _, n := protowire.ConsumeTag(response)
		value, m := protowire.ConsumeBytes(response[n:])
		response = response[n+m:]
		switch number {
		case 4:
			typeURL = value
		case 5:
			nonce = value
		}
	}
	b := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), typeURL)
	return protowire.AppendBytes(protowire.AppendTag(b, 6, protowire.BytesType), nonce)
}

// rawCodec sends and receives bytes as they are.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

func (rawCodec) Unmarshal(wire mem.BufferSlice, v any) error {
	*v.(*[]byte) = wire.Materialize()
	return nil
}

// startCrowd runs a crowd until the returned function is called. It returns when every client has had its first response.
func startCrowd(b *testing.B, task crowdTask) (stop func()) {
	b.Helper()
	text, err := json.Marshal(task)
	if err != nil {
		b.Fatal(err)
	}
	command := exec.CommandContext(b.Context(), os.Args[0]) //nolint:gosec // ourselves
	command.Env = append(os.Environ(), crowdEnv+"="+string(text))
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		b.Fatalf("the clients said %q instead of ready: %v", line, err)
	}
	return func() {
		_ = in.Close() // ends the crowd
		if err := command.Wait(); err != nil {
			b.Errorf("the clients ended with %v", err)
		}
	}
}

// hello is the first request of an Envoy of alice, as long as a real one's because of the extensions that it lists.
func hello(b *testing.B, typeURL string, padding int) []byte {
	b.Helper()
	n := proto.CloneOf(envoy)
	n.UserAgentName = string(slices.Repeat([]byte{'x'}, padding))
	wire, err := proto.Marshal(&discoveryv3.DeltaDiscoveryRequest{Node: n, TypeUrl: typeURL})
	if err != nil {
		b.Fatal(err)
	}
	return wire
}

// keyOf is a certificate's private key as a crowd takes it.
func keyOf(b *testing.B, c *tls.Certificate) []byte {
	b.Helper()
	der, err := x509.MarshalECPrivateKey(c.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		b.Fatal(err)
	}
	return der
}
