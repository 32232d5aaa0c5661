package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/k3s-io/kine/pkg/drivers"
	"github.com/k3s-io/kine/pkg/drivers/generic"
	_ "github.com/k3s-io/kine/pkg/drivers/mysql"  // kine's drivers register themselves
	_ "github.com/k3s-io/kine/pkg/drivers/pgsql"  // likewise
	_ "github.com/k3s-io/kine/pkg/drivers/sqlite" // likewise; not pkg/endpoint, which links every driver there is
	"github.com/k3s-io/kine/pkg/server"
	kinetls "github.com/k3s-io/kine/pkg/tls"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

const (
	// etcdVersion is what the store answers when asked which etcd it is. The API server asks, to learn whether watches
	// report their progress, which kine's do.
	etcdVersion = "3.6.11"

	// maxRequest is etcd's own limit of 1.5 MiB for a request plus room for gRPC's framing: the API server is built for it.
	maxRequest = 2 << 20
	// maxStreams bounds the calls in flight on one connection; a caller over it waits. The API server opens one
	// connection per resource type with one watch stream and its requests in flight on it.
	maxStreams = 1 << 16

	// sqliteConns: one connection hangs kine at start, an unlimited pool makes SQLite's writers spin on its lock.
	sqliteConns = 4
	// serverConns leaves room on a database server that several parties share.
	serverConns = 16

	// openTime bounds the opening of an external database, which kine would try for five minutes.
	openTime = 15 * time.Second
)

// kine is an open backend. Close ends its goroutines and database connections.
type kine struct {
	backend server.Backend
	cancel  context.CancelFunc
	wg      sync.WaitGroup
}

// openKine opens the backend; it does not end with ctx but with close, so that requests can be drained after ctx.
func openKine(ctx context.Context, endpoint string, files kinetls.Config, log *slog.Logger) (*kine, error) {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	routeKineLog(life, log)
	conns := serverConns
	k := &kine{cancel: cancel}
	stop := context.AfterFunc(ctx, cancel)
	timer := time.AfterFunc(openTime, cancel)
	if strings.HasPrefix(endpoint, "sqlite:") {
		conns = sqliteConns
		timer.Reset(math.MaxInt64) // rewriting a bloated store takes what it takes
	}
	_, backend, err := drivers.New(life, &k.wg, &drivers.Config{
		Endpoint:         endpoint,
		BackendTLSConfig: files,
		ConnectionPoolConfig: generic.ConnectionPoolConfig{
			MaxOpen: conns, MaxIdle: conns, MaxIdleTime: 2 * time.Minute,
		},
		// The API server compacts; kine must then not do so too, or it ignores the API server's wish.
		CompactInterval:  0,
		CompactTimeout:   5 * time.Second,
		CompactMinRetain: 1000,
		CompactBatchSize: 1000,
		PollInterval:     time.Second,
		PollBatchSize:    500,
	})
	if err == nil {
		if err = backend.Start(life); err != nil {
			err = fmt.Errorf("start kine: %w", err)
		}
	}
	stopped, inTime := stop(), timer.Stop()
	switch {
	case err == nil && stopped && inTime:
		k.backend = backend
		return k, nil
	case !stopped:
		err = ctx.Err()
	case !inTime:
		err = errors.Join(fmt.Errorf("not open after %v", openTime), err)
	}
	k.close()
	return nil, err
}

// close returns when the connections are closed. Call it after the last request.
func (k *kine) close() {
	k.cancel()
	k.wg.Wait()
}

// grpcServer serves the backend as etcd.
func (k *kine) grpcServer() *grpc.Server {
	s := grpc.NewServer(
		grpc.MaxRecvMsgSize(maxRequest),
		grpc.MaxSendMsgSize(math.MaxInt32), // a list is answered whole
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.WaitForHandlers(true), // Stop returns when nothing uses the backend any more
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second}),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 2 * time.Hour, Timeout: 20 * time.Second}),
	)
	server.New(k.backend, "unix", 5*time.Second, etcdVersion).Register(s)
	return s
}
