package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"go.etcd.io/etcd/server/v3/embed"

	"github.com/entente-mesh/entente/benchmarks/proc"
	"github.com/entente-mesh/entente/benchmarks/report"
)

// etcdArgument makes this program be etcd in the folder that follows. It is not for people.
const etcdArgument = "serve-etcd"

// onEtcd is the same API server with etcd for a store. etcd runs in a process of its own, this program started once more, so that what
// it costs can be told from what the benchmark itself costs.
func onEtcd(binary string) system {
	return system{
		System: report.System{Key: "etcd", Title: "with etcd"},
		launch: func(ctx context.Context, dir string) (*server, error) {
			store, endpoint, err := startEtcd(ctx, filepath.Join(dir, "etcd"))
			if err != nil {
				return nil, err
			}
			p, err := startEntente(ctx, binary, dir, endpoint)
			if err != nil {
				store.Kill()
				return nil, err
			}
			s := &server{parts: []*proc.Process{p, store}, folder: dir}
			return s.begun(ctx, store, ententeIn(p, dir))
		},
	}
}

func startEtcd(ctx context.Context, dir string) (p *proc.Process, endpoint string, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", fmt.Errorf("start etcd: %w", err)
	}
	const ready = "serving "
	if p, err = proc.Start(ctx, proc.Command{Name: "etcd", Path: self, Args: []string{etcdArgument, dir}, Ready: ready}); err != nil {
		return nil, "", err
	}
	waiting, cancel := context.WithTimeoutCause(ctx, patience, errPatience)
	defer cancel()
	if endpoint, err = p.AwaitReady(waiting); err != nil {
		p.Kill()
		return nil, "", err
	}
	return p, endpoint, nil
}

// serveEtcd is etcd with its defaults: one member, every commit synced to the disk, on loopback ports that the kernel chooses.
func serveEtcd(dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	c := embed.NewConfig()
	c.Dir = dir
	c.LogLevel = "error"
	loopback := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	c.ListenPeerUrls, c.AdvertisePeerUrls = loopback, loopback
	c.ListenClientUrls, c.AdvertiseClientUrls = loopback, loopback
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	e, err := embed.StartEtcd(c)
	if err != nil {
		return fmt.Errorf("start etcd in %s: %w", dir, err)
	}
	defer e.Close()
	select {
	case <-e.Server.ReadyNotify():
		fmt.Println("serving http://" + e.Clients[0].Addr().String())
	case err := <-e.Err():
		return fmt.Errorf("serve etcd: %w", err)
	case <-ctx.Done():
		return nil
	}
	select {
	case err := <-e.Err():
		return fmt.Errorf("serve etcd: %w", err)
	case <-ctx.Done():
		return nil
	}
}
