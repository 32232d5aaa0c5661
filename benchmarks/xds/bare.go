package main

import (
	"context"
	"fmt"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
)

// bare is grpc-go alone: it sends bytes as long as a server's response to a change and receives the confirmation. No xDS server on grpc-go can
// cost less.
type bare struct {
	options []grpc.ServerOption
	count   confirmations
	first   []byte // what a stream begins with

	mu   sync.Mutex
	wake map[chan []byte]struct{} // guarded by mu
}

func newBare(options []grpc.ServerOption) *bare {
	return &bare{options: options, wake: make(map[chan []byte]struct{})}
}

// tuned are the options by which our server spares work on each message: fixed windows, so that grpc-go does not measure the bandwidth with pings.
func tuned() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.StaticStreamWindowSize(256 << 10), grpc.StaticConnWindowSize(512 << 10)}
}

func (b *bare) fill(_, newest int) (err error) {
	b.first, err = responseLike(newest)
	return err
}

func (b *bare) serve(ctx context.Context, on net.Listener, id *identity) error {
	options := append([]grpc.ServerOption{grpc.ForceServerCodecV2(rawCodec{})}, b.options...)
	secure, err := credentialsOf(id)
	if err != nil {
		return err
	}
	if secure != nil {
		options = append(options, grpc.Creds(secure))
	}
	s := grpc.NewServer(options...)
	s.RegisterService(&grpc.ServiceDesc{
		ServiceName: "envoy.service.discovery.v3.AggregatedDiscoveryService", HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{StreamName: "DeltaAggregatedResources", Handler: b.stream, ServerStreams: true, ClientStreams: true}},
	}, struct{}{})
	return serveUntil(ctx, s, on)
}

// stream sends whatever it is woken with, and waits for the answer to each. While nothing happens, one goroutine stands for the stream.
func (b *bare) stream(_ any, wire grpc.ServerStream) error {
	next := make(chan []byte, 1)
	next <- b.first
	b.mu.Lock()
	b.wake[next] = struct{}{}
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		delete(b.wake, next)
		b.mu.Unlock()
	}()
	var got []byte
	if err := wire.RecvMsg(&got); err != nil {
		return err
	}
	for {
		select {
		case message := <-next:
			if err := wire.SendMsg(&message); err != nil {
				return err
			}
			if err := wire.RecvMsg(&got); err != nil {
				return err
			}
			b.count.one()
		case <-wire.Context().Done():
			return nil
		}
	}
}

func (b *bare) change(number, streams int) (func(context.Context) error, error) {
	message, err := responseLike(number)
	if err != nil {
		return nil, err
	}
	b.count.expect(streams)
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.wake) != streams && streams > 0 {
		return nil, fmt.Errorf("%d streams are connected instead of %d", len(b.wake), streams)
	}
	for next := range b.wake {
		next <- message
	}
	return b.count.wait, nil
}

// rawCodec sends and receives bytes as they are.
type rawCodec struct{}

// Name is the name of what is on the wire.
func (rawCodec) Name() string { return "proto" }

// Marshal takes a *[]byte.
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(*v.(*[]byte))}, nil
}

// Unmarshal fills a *[]byte.
func (rawCodec) Unmarshal(wire mem.BufferSlice, v any) error {
	*v.(*[]byte) = wire.Materialize()
	return nil
}
