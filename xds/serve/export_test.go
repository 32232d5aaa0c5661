package serve

import (
	"google.golang.org/grpc"
)

// NewWithDefaults is New with grpc-go's own options: a peer of the measurement of memory.
func NewWithDefaults(config Config) *Server {
	s := New(config)
	s.grpc = grpc.NewServer(grpc.Creds(transport{s.config.Authenticator, s.refuseConnection}), grpc.ForceServerCodecV2(codec{}))
	s.grpc.RegisterService(service(), s)
	return s
}

// NewBare is New with streams that answer one request and then wait, with nothing of ours: the other peer.
func NewBare(config Config) *Server {
	s := New(config)
	s.grpc = grpc.NewServer(s.options()...)
	description := service()
	for i := range description.Streams {
		description.Streams[i].Handler = func(_ any, wire grpc.ServerStream) error {
			r := request{bounds: &s.config.Bounds}
			if err := wire.RecvMsg(&r); err != nil {
				return err
			}
			if err := wire.SendMsg(&response{typeURL: s.urls[r.kind], nonce: "1"}); err != nil {
				return err
			}
			for {
				if err := wire.RecvMsg(&r); err != nil {
					return err
				}
			}
		}
	}
	s.grpc.RegisterService(description, s)
	return s
}
