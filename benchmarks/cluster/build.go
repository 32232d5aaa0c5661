package main

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/entente-mesh/entente/benchmarks/proc"
)

// measureSize takes the size of the programs as they were built.
func (b *bench) measureSize() error {
	for _, sys := range b.present() {
		path := map[string]string{"entente": b.binary, "k3s": os.Getenv("K3S_BIN")}[sys.Key]
		if path == "" {
			continue // the same program as ours
		}
		info, err := os.Stat(path)
		if err != nil {
			return fmt.Errorf("measure the size of %s: %w", sys.Title, err)
		}
		b.add(binarySize, sys, float64(info.Size()))
		if sys.Key == "entente" && !stripped(path) {
			b.note("the binary was built with its symbols; `make build` strips them")
		}
	}
	return nil
}

// stripped reports whether a program has no symbol table.
func stripped(path string) bool {
	file, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	_, err = file.Symbols()
	return errors.Is(err, elf.ErrNoSymbols)
}

// coldBuild builds the program as `make build` does, with an empty build cache. Modules that were downloaded before stay.
func (b *bench) coldBuild(ctx context.Context, source string) error {
	const limit = time.Hour
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the build has taken longer than %v", limit))
	defer cancel()
	source, err := filepath.Abs(source)
	if err != nil {
		return err
	}
	cache := b.folder()
	b.say.printf("cold build of %s", source)
	p, err := proc.Start(ctx, proc.Command{
		Name: "go build",
		Path: "go",
		Args: []string{"build", "-C", source, "-ldflags", "-s -w", "-o", filepath.Join(b.dir, "built"), "./cmd/entente"},
		Env:  []string{"CGO_ENABLED=0", "GOCACHE=" + cache},
	})
	if err != nil {
		return err
	}
	defer p.Kill()
	b.tellUntil(p)
	took := time.Since(p.Started())
	if err := p.Wait(ctx); err != nil {
		return because(ctx, err)
	}
	b.addSeconds(buildWall, b.systems[0], took)
	b.addSeconds(buildCPU, b.systems[0], p.CPU())
	b.say.printf("  built in %.0f s with %.0f s of CPU time", took.Seconds(), p.CPU().Seconds())
	return os.RemoveAll(cache)
}

// tellUntil says once a minute that a build goes on, until it has ended.
func (b *bench) tellUntil(p *proc.Process) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			b.say.printf("  building for %.0f minutes", time.Since(p.Started()).Minutes())
		case <-p.Done():
			return
		}
	}
}
