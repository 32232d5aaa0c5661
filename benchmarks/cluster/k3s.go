package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/entente-mesh/entente/benchmarks/proc"
	"github.com/entente-mesh/entente/benchmarks/report"
)

// onK3s is K3s with the flags with which the original starts it: no agent, none of the optional parts, its own SQLite. It is measured
// when $K3S_BIN names the program. Its definitions come from the client, as they do where somebody installs the product on K3s.
func onK3s(definitions []unstructured.Unstructured) system {
	s := system{System: report.System{Key: "k3s", Title: "K3s"}}
	binary := os.Getenv("K3S_BIN")
	if binary == "" {
		s.Absent = "K3S_BIN is not set"
		return s
	}
	s.launch = func(ctx context.Context, dir string) (*server, error) {
		port, err := freePorts()
		if err != nil {
			return nil, err
		}
		kubeconfig := filepath.Join(dir, "kubeconfig.yaml")
		p, err := proc.Start(ctx, proc.Command{Name: "k3s", Path: binary, Args: k3sArguments(filepath.Join(dir, "data"), kubeconfig, port)})
		if err != nil {
			return nil, err
		}
		server := &server{parts: []*proc.Process{p}, folder: dir, anyEnd: true}
		return server.begun(ctx, p, func(ctx context.Context) (*rest.Config, error) {
			c, err := k3sIn(ctx, p, kubeconfig, port)
			if err != nil {
				return nil, err
			}
			return c, define(ctx, c, definitions)
		})
	}
	return s
}

func k3sArguments(data, kubeconfig string, port int) []string {
	return []string{
		"server", "-d", data, "-o", kubeconfig, "--disable-agent",
		"--bind-address=127.0.0.1", "--https-listen-port=" + strconv.Itoa(port), "--node-ip=127.0.0.1",
		"--disable-cloud-controller", "--disable-network-policy", "--disable-scheduler", "--flannel-backend=none",
		"--disable=traefik,coredns,servicelb,local-storage,metrics-server", "--disable-helm-controller",
	}
}

// k3sIn waits until the API server says that it is ready. K3s has no word of its own for it, so it is asked again and again. It writes
// its kubeconfig anew at each start; one of the run before names another port.
func k3sIn(ctx context.Context, p *proc.Process, kubeconfig string, port int) (*rest.Config, error) {
	const pause = 20 * time.Millisecond
	tick := time.NewTicker(pause)
	defer tick.Stop()
	wanted := fmt.Sprintf("https://127.0.0.1:%d", port)
	reason := fmt.Errorf("it has not written %s", kubeconfig)
	for {
		if c, err := administrator(kubeconfig); err == nil && c.Host == wanted {
			if reason = healthy(ctx, c); reason == nil {
				return c, nil
			}
		}
		select {
		case <-tick.C:
		case <-p.Done():
			return nil, fmt.Errorf("K3s ended before it was ready: %w", reason)
		case <-ctx.Done():
			return nil, fmt.Errorf("K3s is not ready: %w: %w", context.Cause(ctx), reason)
		}
	}
}

// freePorts finds a port that is free together with the next one: K3s takes both. Something else may take them before K3s does; then
// K3s says so, and the run ends.
func freePorts() (int, error) {
	const tries = 20
	for range tries {
		one, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, fmt.Errorf("find a free port: %w", err)
		}
		port := one.Addr().(*net.TCPAddr).Port
		two, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		_ = one.Close() // nobody was connected
		if err == nil {
			_ = two.Close() // nobody was connected
			return port, nil
		}
	}
	return 0, fmt.Errorf("found no two free ports side by side in %d tries", tries)
}
