package archtest

// A Kind says what a room's packages may do.
type Kind string

// The kinds of rooms, from the inside outwards.
const (
	Words  Kind = "words"  // object types, protobuf, wire names: imports nothing of ours
	Rule   Kind = "rules"  // decides: no I/O, no clock, no randomness
	Leaf   Kind = "leaf"   // a small helper under internal/
	Shell  Kind = "shell"  // touches the world; never imports another room's shell unless the table says so
	Wiring Kind = "wiring" // plugs everything together; nobody imports it
)

// A Room is a folder with one promise and the rooms that it may lean on.
type Room struct {
	// Path is the folder below the module's root, with everything under it that no longer Path claims. A last element "*"
	// stands for each child folder: these are rooms apart.
	Path string
	Kind Kind
	// May lists what the room's packages may import of ours, besides words, leaves and their own room. An entry is a room's
	// Path, a prefix of one that ends in "/...", or "..." for everything but wiring.
	May []string
	// MayIn lists what single files (by name) may import beyond May.
	MayIn map[string][]string

	name string // the child folder that a starred row stands for; set by roomOf
}

// A Door says which rooms may import a heavy dependency directly.
type Door struct {
	Import string   // import path prefix
	Rooms  []string // as in Room.May
	Tests  bool     // tests of other rooms may import it too
}

// Rooms is the import table of docs/architecture.md. A package that no row claims fails the test: new rooms are decided, not grown.
func Rooms() []Room {
	identity := []string{"auth/keys", "auth/token", "auth/issue"}
	return []Room{
		{Path: "api", Kind: Words},
		{Path: "internal/*", Kind: Leaf},
		// These leaves hold values and touch nothing, so rules lean on them too, and they keep to the walls of rules.
		{Path: "internal/latest", Kind: Rule},
		{Path: "internal/live", Kind: Rule},
		{Path: "internal/sorted", Kind: Rule},

		{Path: "mesh", Kind: Rule},
		{Path: "mesh/source", Kind: Shell, May: []string{"mesh", "auth/seal", "auth/keys"}},

		{Path: "auth/token", Kind: Rule},
		{Path: "auth/keys", Kind: Rule},
		{Path: "auth/seal", Kind: Rule, May: []string{"auth/keys"}},
		{Path: "auth/issue", Kind: Rule, May: []string{"auth/keys"}},
		{Path: "auth/handshake", Kind: Rule, May: []string{"auth/seal", "auth/token", "auth/keys"}},
		{Path: "auth/gate", Kind: Shell, May: []string{"mesh", "auth/token", "auth/keys", "auth/seal", "auth/issue", "auth/handshake"}},

		{Path: "xds/bootstrap", Kind: Rule},
		{Path: "xds/cache", Kind: Rule},
		{Path: "xds/translate", Kind: Rule, May: []string{"mesh", "xds/cache"}},
		{Path: "xds/proxy", Kind: Shell, May: []string{"xds/bootstrap"}},
		{Path: "xds/publish", Kind: Shell, May: []string{"mesh", "xds/translate", "xds/cache"}},
		{Path: "xds/serve", Kind: Shell, May: []string{"xds/cache"}},

		{Path: "dns", Kind: Shell, May: []string{"mesh"}, MayIn: map[string][]string{"setup.go": {"mesh/source"}}},

		{Path: "scheduler/gang", Kind: Rule},
		{Path: "scheduler/plugin", Kind: Shell, May: []string{"scheduler/gang"}},

		{Path: "controllers/*", Kind: Shell},
		{Path: "controllers/domain", Kind: Shell, May: identity},
		{Path: "controllers/gateway", Kind: Shell, May: identity},
		{Path: "controllers/domainroute", Kind: Shell, May: identity},
		{Path: "controllers/clusterdomainroute", Kind: Shell, May: identity},
		{Path: "controllers/task", Kind: Shell, May: []string{"scheduler/gang"}},
		{Path: "controllers/taskgroup", Kind: Shell, May: []string{"scheduler/gang"}},
		{Path: "controllers/interop", Kind: Shell, May: []string{"interop/..."}},

		{Path: "interop/*", Kind: Rule},

		{Path: "agent/plan", Kind: Rule},
		{Path: "agent/runtime", Kind: Shell, May: []string{"agent/plan"}},
		{Path: "agent/runtime/*", Kind: Shell, May: []string{"agent/plan", "agent/runtime"}},
		{Path: "agent/node", Kind: Shell, May: []string{"agent/plan", "agent/runtime"}},
		{Path: "agent/pods", Kind: Shell, May: []string{"agent/plan", "agent/runtime", "auth/keys", "auth/issue"}},
		{Path: "agent/image", Kind: Shell, May: []string{"agent/plan", "agent/runtime"}},
		{Path: "agent/logs", Kind: Shell, May: []string{"agent/plan", "agent/runtime"}},

		{Path: "bpf", Kind: Shell},
		{Path: "server/*", Kind: Shell, May: []string{"auth/keys", "auth/issue", "interop/..."}},

		{Path: "cluster", Kind: Shell, May: []string{"cluster/..."}},
		{Path: "cluster/embedded", Kind: Shell, May: []string{"cluster/embedded/..."}},
		{Path: "cluster/embedded/pki", Kind: Shell},
		{Path: "cluster/embedded/store", Kind: Shell},
		{Path: "cluster/k3s", Kind: Shell, May: []string{"cluster/kubeconfig"}},
		{Path: "cluster/kubeconfig", Kind: Shell},
		{Path: "cluster/scheduler", Kind: Shell, May: []string{"scheduler/plugin"}},
		{Path: "cluster/crds", Kind: Shell},
		{Path: "cluster/rbac", Kind: Shell},

		{Path: "cmd/*", Kind: Wiring, May: []string{"..."}},
		{Path: "test", Kind: Wiring, May: []string{"..."}},
		{Path: "examples", Kind: Wiring, May: []string{"..."}},
	}
}

// Doors lists the heavy dependencies and their only doors, so that one room can change a dependency alone and tests link quickly.
func Doors() []Door {
	return []Door{
		{Import: "k8s.io/kubernetes", Rooms: []string{"cluster/embedded", "cluster/scheduler"}},
		{Import: "github.com/k3s-io/kine", Rooms: []string{"cluster/embedded", "cluster/embedded/store"}},
		{Import: "modernc.org/sqlite", Rooms: []string{"cluster/embedded/store"}},
		{Import: "github.com/mattn/go-sqlite3", Rooms: []string{"cluster/embedded/store"}},
		{Import: "github.com/envoyproxy/go-control-plane", Rooms: []string{"xds/..."}, Tests: true},
		{Import: "github.com/coredns", Rooms: []string{"dns", "cmd/..."}},
		{Import: "github.com/cilium/ebpf", Rooms: []string{"bpf"}},
		{Import: "github.com/containerd", Rooms: []string{"agent/runtime/...", "agent/image"}},
		{Import: "github.com/google/go-containerregistry", Rooms: []string{"agent/runtime/...", "agent/image"}},
		{Import: "k8s.io/cri-api", Rooms: []string{"agent/runtime/...", "agent/image"}},
		{Import: "github.com/virtual-kubelet", Rooms: []string{"agent/node", "agent/pods"}},
		{Import: "github.com/google/nftables", Rooms: []string{"internal/lab", "bpf", "agent/runtime/..."}},
		{Import: "github.com/vishvananda/netlink", Rooms: []string{"internal/lab", "bpf", "agent/runtime/..."}},
		{Import: "github.com/spf13/cobra", Rooms: []string{"cmd/..."}},
		{Import: "github.com/spf13/pflag", Rooms: []string{"cmd/..."}},
	}
}
