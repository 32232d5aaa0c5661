package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// control answers the commands that talk to a running process, over a unix socket that only this user can open.
type control struct {
	listener net.Listener
	status   func(context.Context) any // as it is printed in JSON
	restart  func()                    // nil: the process cannot begin again
	ready    chan struct{}
}

// newControl opens the socket. The data folder is locked by now, so a socket that is there belonged to a process that was killed.
func newControl(path string, status func(context.Context) any, restart func()) (*control, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove the socket of a former process: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("make the control socket private: %w", err), listener.Close())
	}
	return &control{listener: listener, status: status, restart: restart, ready: make(chan struct{})}, nil
}

// String names the part.
func (c *control) String() string { return "control socket" }

// Ready is closed when commands are answered.
func (c *control) Ready() <-chan struct{} { return c.ready }

// Run serves until ctx ends.
func (c *control) Run(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(c.status(r.Context())) // the caller has gone if this fails
	})
	if c.restart != nil {
		mux.HandleFunc("POST /restart", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			c.restart()
		})
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
	context.AfterFunc(ctx, func() { _ = server.Close() }) // Serve returns what matters
	close(c.ready)
	if err := server.Serve(c.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// errNotRunning says that no process works on the data folder.
var errNotRunning = errors.New("not running")

// call sends one request to the running node and decodes its answer into out, if there is one.
func call(ctx context.Context, h home, method, path string, out any) error {
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", h.control())
		},
		DisableKeepAlives: true,
	}}
	request, err := http.NewRequestWithContext(ctx, method, "http://entente"+path, nil)
	if err != nil {
		return fmt.Errorf("ask the node: %w", err)
	}
	answer, err := client.Do(request)
	if err != nil {
		if errors.Is(err, os.ErrPermission) {
			return fmt.Errorf("the node at %s belongs to another user: %w", h.dir, err)
		}
		return fmt.Errorf("the node at %s is %w", h.dir, errNotRunning)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("read the node's answer: %w", err)
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the node answered %s: %s", answer.Status, strings.TrimSpace(string(body)))
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("read the node's answer: %w", err)
	}
	return nil
}
