//go:build modules

package embedded

// Kubernetes' go.mod names its own parts at v0.0.0. Two of them nobody here imports, so `go mod tidy` would drop them from go.mod, and then
// `go list -m all`, on which editors and inventories of dependencies stand, fails. This file is never built; it keeps them.
import (
	_ "k8s.io/cri-streaming/pkg/streaming"
	_ "k8s.io/sample-apiserver/pkg/apis/wardle"
)
