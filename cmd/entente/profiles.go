package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"
)

// profiles serves Go's profiles on this machine alone: whoever can read them can read much of the process' memory.
type profiles struct {
	listener net.Listener
	ready    chan struct{}
}

// newProfiles opens the port, so that a busy one is found before anything starts.
func (n *node) newProfiles() (*profiles, error) {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(n.config.DebugPort))
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, n.config.Problem("debugPort", fmt.Sprintf("profiles cannot be served on %s: %v", address, innermost(err)), "choose another port, or set debug: false")
	}
	return &profiles{listener: listener, ready: make(chan struct{})}, nil
}

// String names the part.
func (p *profiles) String() string {
	return "profiles on http://" + p.listener.Addr().String() + "/debug/pprof/"
}

// Ready is closed when profiles are served.
func (p *profiles) Ready() <-chan struct{} { return p.ready }

// Run serves until ctx ends.
func (p *profiles) Run(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() }) // Serve returns what matters
	close(p.ready)
	if err := server.Serve(p.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
