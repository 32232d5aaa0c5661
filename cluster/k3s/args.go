package k3s

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// layout is where one child K3s keeps things below its folder.
type layout struct {
	dir string
}

func (l layout) kubeconfig() string { return filepath.Join(l.dir, "kubeconfig.yaml") }
func (l layout) token() string      { return filepath.Join(l.dir, "token") }

// ownToken is the file in which K3s keeps its token, also one that it made itself.
func (l layout) ownToken() string { return filepath.Join(l.dir, "server", "token") }

// tls is a file of the administrator's credentials or of the authority; K3s writes them at its first start.
func (l layout) tls(name string) string { return filepath.Join(l.dir, "server", "tls", name) }

// arguments is the command line: the original's, without what is of no use or no good. It leaves out the log verbosity of 5
// (it costs more than the work that it describes), the token on the command line (every local user could read it; a file
// is named instead), and --rootless, which moves the data folder and is not needed without an agent. The helm controller is
// switched off because nothing here is installed by it.
func arguments(c Config, tokenFile string) []string {
	at := layout{c.Dir}
	args := []string{
		"server",
		"--data-dir=" + c.Dir,
		"--write-kubeconfig=" + at.kubeconfig(),
		"--write-kubeconfig-mode=600",
		"--disable-agent",
		"--bind-address=" + c.Listen.Addr().String(),
		"--https-listen-port=" + strconv.Itoa(int(c.Listen.Port())),
		"--disable-cloud-controller",
		"--disable-network-policy",
		"--disable-scheduler",
		"--disable-helm-controller",
		"--flannel-backend=none",
		"--disable=traefik,coredns,servicelb,local-storage,metrics-server",
		"--kube-apiserver-arg=event-ttl=10m",
	}
	if c.NodeIP.IsValid() {
		args = append(args, "--node-ip="+c.NodeIP.String())
	}
	if ip := c.Listen.Addr(); !ip.IsUnspecified() && !ip.IsLoopback() {
		args = append(args, "--tls-san="+ip.String())
	}
	if tokenFile != "" {
		args = append(args, "--token-file="+tokenFile)
	}
	return args
}

// environment is what the child sees: the parent's, without what would tell an installed K3s which cluster to be, and with
// what does not belong on a command line.
func environment(parent []string, datastore string) []string {
	env := slices.DeleteFunc(slices.Clone(parent), func(entry string) bool {
		return strings.HasPrefix(entry, "K3S_") || strings.HasPrefix(entry, "CATTLE_") || strings.HasPrefix(entry, "NOTIFY_SOCKET=")
	})
	// K3s renews its certificates only when it starts, and this one may run for years; ten years are also the original's choice.
	env = append(env, "CATTLE_NEW_SIGNED_CERT_EXPIRATION_DAYS=3650")
	if datastore != "" {
		env = append(env, "K3S_DATASTORE_ENDPOINT="+datastore) // it may hold a password
	}
	return env
}

// reach is the address at which a client on this machine reaches a listener.
func reach(listen netip.AddrPort) netip.AddrPort {
	switch ip := listen.Addr(); {
	case !ip.IsUnspecified():
		return listen
	case ip.Is6():
		return netip.AddrPortFrom(netip.IPv6Loopback(), listen.Port())
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), listen.Port())
}

// needed lists what K3s will listen on: the given address, the API server behind it on the next port, and its
// controller-manager, whose port cannot be chosen.
func needed(listen netip.AddrPort) []netip.AddrPort {
	local := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	return []netip.AddrPort{listen, netip.AddrPortFrom(local, listen.Port()+1), netip.AddrPortFrom(local, 10257)}
}

// goodToken says whether K3s can use a token: it reads it from a file, up to the end of the line.
func goodToken(token string) bool {
	return len(token) >= 16 && len(token) <= 1024 && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}
