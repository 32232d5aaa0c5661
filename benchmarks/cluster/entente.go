package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/entente-mesh/entente/benchmarks/proc"
	"github.com/entente-mesh/entente/benchmarks/report"
)

// entente returns the program that is measured: $ENTENTE_BIN.
func entente() (string, error) {
	path := os.Getenv("ENTENTE_BIN")
	if path == "" {
		return "", errors.New("ENTENTE_BIN is not set: `make bench` builds the program and sets it")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("ENTENTE_BIN: %w; `make build` makes it", err)
	}
	return path, nil
}

// ours is the product as it is without any further word: SQLite in its folder, every commit synced.
func ours(binary string) system {
	return system{
		System: report.System{Key: "entente", Title: "Entente"},
		launch: func(ctx context.Context, dir string) (*server, error) {
			p, err := startEntente(ctx, binary, dir, "")
			if err != nil {
				return nil, err
			}
			s := &server{parts: []*proc.Process{p}, folder: dir}
			return s.begun(ctx, p, ententeIn(p, dir))
		},
	}
}

// startEntente starts a node whose data is below dir.
func startEntente(ctx context.Context, binary, dir, datastore string) (*proc.Process, error) {
	config := filepath.Join(dir, "kuscia.yaml")
	if err := os.WriteFile(config, []byte(configuration(datastore)), 0o600); err != nil {
		return nil, fmt.Errorf("write the configuration: %w", err)
	}
	return proc.Start(ctx, proc.Command{
		Name:  "entente",
		Path:  binary,
		Args:  []string{"start", "-c", config, "--home", home(dir)},
		Ready: "ready after ",
	})
}

func home(dir string) string { return filepath.Join(dir, "home") }

// configuration is that of an autonomy node on a free port.
func configuration(datastore string) string {
	lines := []string{"mode: autonomy", "domainID: alice"}
	if datastore != "" {
		lines = append(lines, "datastoreEndpoint: "+datastore)
	}
	lines = append(lines, "entente:", "  cluster:", "    listen: 127.0.0.1:0", "")
	return strings.Join(lines, "\n")
}

// ententeIn waits for the node's own word and reads its kubeconfig. A kubeconfig of the run before may lie there until then.
func ententeIn(p *proc.Process, dir string) func(context.Context) (*rest.Config, error) {
	return func(ctx context.Context) (*rest.Config, error) {
		if _, err := p.AwaitReady(ctx); err != nil {
			return nil, err
		}
		return administrator(filepath.Join(home(dir), "etc", "kubeconfig"))
	}
}

// administrator reads a kubeconfig for a client that does not hold itself back.
func administrator(kubeconfig string) (*rest.Config, error) {
	c, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", kubeconfig, err)
	}
	c.QPS = -1
	return c, nil
}
