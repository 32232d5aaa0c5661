package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/entente-mesh/entente/benchmarks/proc"
)

// A mistake is a configuration, or a folder, that a user gets wrong.
type mistake struct {
	name   string
	config string // the configuration file
	home   string // below the folder of the case
}

// mistakes are one of each sort that must be refused at once. busy is an address that something listens on.
func mistakes(busy string) []mistake {
	const right = "mode: autonomy\ndomainID: alice\n"
	free := right + "entente: {cluster: {listen: '127.0.0.1:0'}}\n"
	return []mistake{
		{"an unknown key", right + "domainld: alice\n", "home"},
		{"a wrong type", right + "logRotate: often\n", "home"},
		{"no domain id", "mode: autonomy\n", "home"},
		{"a bad key", right + "domainKeyData: bm90IGEga2V5\n", "home"},
		{"a bad datastore", right + "datastoreEndpoint: mongodb://127.0.0.1/db\n", "home"},
		{"a busy port", right + "entente: {cluster: {listen: '" + busy + "'}}\n", "home"},
		{"a data folder that cannot be made", free, "kuscia.yaml/home"},
	}
}

// refuse takes the time until each wrong configuration is refused. A program that starts on one has no figure: that is an error.
func (b *bench) refuse(ctx context.Context) (err error) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("take a port: %w", err)
	}
	defer func() { err = errors.Join(err, taken.Close()) }()
	b.say.printf("wrong configurations")
	for _, m := range mistakes(taken.Addr().String()) {
		took, err := b.refused(ctx, m)
		if err != nil {
			return fmt.Errorf("start with %s: %w", m.name, err)
		}
		b.addSeconds(refused, b.systems[0], took)
	}
	return nil
}

func (b *bench) refused(ctx context.Context, m mistake) (time.Duration, error) {
	dir := b.folder()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	config := filepath.Join(dir, "kuscia.yaml")
	if err := os.WriteFile(config, []byte(m.config), 0o600); err != nil {
		return 0, err
	}
	const tooLong = 10 * time.Second
	ctx, cancel := context.WithTimeoutCause(ctx, tooLong, fmt.Errorf("it was not refused within %v", tooLong))
	defer cancel()
	p, err := proc.Start(ctx, proc.Command{Name: "entente", Path: b.binary, Args: []string{"start", "-c", config, "--home", filepath.Join(dir, m.home)}})
	if err != nil {
		return 0, err
	}
	<-p.Done() // it is killed when ctx ends
	took := time.Since(p.Started())
	if p.ExitCode() <= 0 {
		return 0, fmt.Errorf("want it refused, got exit code %d: %w; its words:\n%s", p.ExitCode(), context.Cause(ctx), p.Words())
	}
	return took, os.RemoveAll(dir)
}
