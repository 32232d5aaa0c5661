//go:build lite

package embedded

import (
	"context"
	"errors"

	"k8s.io/client-go/rest"
)

// ErrLite is what New returns in a binary without the embedded API server.
var ErrLite = errors.New("this binary was built without the embedded API server (build tag lite): set the cluster kind to k3s or kubeconfig, or use the full binary")

// Server is the embedded control plane, which this binary does not have.
type Server struct{}

// New always fails with ErrLite.
func New(context.Context, Config) (*Server, error) { return nil, ErrLite }

// Run always fails with ErrLite.
func (*Server) Run(context.Context) error { return ErrLite }

// Ready is never closed.
func (*Server) Ready() <-chan struct{} { return nil }

// String names the part.
func (*Server) String() string { return "embedded cluster" }

// REST returns nil.
func (*Server) REST() *rest.Config { return nil }
