package main

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/entente-mesh/entente/auth/keys"
	"github.com/entente-mesh/entente/benchmarks/proc"
)

// A clerk is the way to the writer. One goroutine owns it.
type clerk struct {
	conn net.Conn
	in   *json.Decoder
	out  *json.Encoder
}

// newClerk starts the writer, which ends with ctx.
func newClerk(ctx context.Context, kubeconfig, dir string, key *rsa.PublicKey) (*clerk, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	socket := filepath.Join(dir, "writer.sock")
	p, err := proc.Start(ctx, proc.Command{
		Name: "writer", Path: program, Args: []string{writerArgument, kubeconfig, keys.EncodePublic(key), socket}, Ready: writerReady,
	})
	if err != nil {
		return nil, err
	}
	if _, err := p.AwaitReady(ctx); err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("reach the writer: %w", err)
	}
	context.AfterFunc(ctx, func() { _ = conn.Close() }) // ends a wait for an answer
	return &clerk{conn: conn, in: json.NewDecoder(conn), out: json.NewEncoder(conn)}, nil
}

// order sends an order and does not wait for its answer.
func (c *clerk) order(o order) error {
	if err := c.out.Encode(o); err != nil {
		return fmt.Errorf("order the writer to %s: %w", o.Op, err)
	}
	return nil
}

// answer waits for the answer to an order, and returns when its last write was sent.
func (c *clerk) answer() (time.Duration, error) {
	var a answer
	if err := c.in.Decode(&a); err != nil {
		return 0, fmt.Errorf("wait for the writer: %w", err)
	}
	if a.Err != "" {
		return 0, errors.New("the writer: " + a.Err)
	}
	return a.Sent, nil
}

// fill has objects created.
func (c *clerk) fill(op string, from, to, workers int) error {
	if err := c.order(order{Op: op, From: from, To: to, Workers: workers}); err != nil {
		return err
	}
	_, err := c.answer()
	return err
}
