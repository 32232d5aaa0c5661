// Package embedded runs a Kubernetes API server and the controllers that it cannot do without inside this process: one folder,
// one listener, ready in about a second, and a clean stop.
//
// One process holds at most one Server, because feature gates, metrics and the controller-manager of Kubernetes are one per
// process. A binary built with the tag lite has none: New says so.
package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
)

// DefaultServiceCIDR is where services get their addresses unless Config says otherwise: the range that K3s uses, so that the
// original's users find what they know.
var DefaultServiceCIDR = netip.MustParsePrefix("10.43.0.0/16")

// Config says where the control plane keeps its state and how it is reached. Dir, RunDir and Listener are required.
type Config struct {
	// Dir keeps what must survive a restart: keys, certificates and, unless Datastore names another place, every object.
	// The caller makes sure that no second process uses it.
	Dir string
	// RunDir keeps unix sockets. Its path is short: a socket's path may have 107 bytes.
	RunDir string
	// Listener is where the API server serves HTTPS. It is open already, so that whoever opened it has met a busy port.
	// The server closes it.
	Listener net.Listener
	// AdvertiseAddress is under what other machines and pods reach the API server. The zero value means the listener's own
	// address, or 127.0.0.1 when that is unspecified. A loopback address is not published as an endpoint of the service
	// kubernetes.
	AdvertiseAddress netip.Addr
	// SANs are more names and addresses for the serving certificate.
	SANs []string
	// Datastore is empty for SQLite in Dir, else a data source as K3s takes it. The files, in PEM and all optional, are for TLS
	// to it.
	Datastore                                            string
	DatastoreCAFile, DatastoreCertFile, DatastoreKeyFile string
	// Synchronous is how hard SQLite pushes each commit to the disk: FULL (also when empty) or NORMAL, which may lose the last ones when
	// the power fails.
	Synchronous string
	// ServiceCIDR is where services get their addresses; the zero value means DefaultServiceCIDR.
	ServiceCIDR netip.Prefix
	// Version is the version of this product; the API server's own carries it as build metadata.
	Version string
	// Log receives what a user would want to know; nil discards it. What Kubernetes' libraries log is led by
	// internal/kubelog, which is the wiring's to call.
	Log *slog.Logger
}

// StoreDir is where a control plane in dir keeps its SQLite store, for backup and restore.
func StoreDir(dir string) string { return filepath.Join(dir, "store") }

// PKIDir is where a control plane in dir keeps its keys and certificates.
func PKIDir(dir string) string { return filepath.Join(dir, "pki") }

// complete returns the configuration with its defaults, or what is wrong with it.
func (c Config) complete() (Config, error) {
	switch {
	case c.Dir == "":
		return c, errors.New("embedded cluster: no data folder given")
	case c.RunDir == "":
		return c, errors.New("embedded cluster: no folder for sockets given")
	case c.Listener == nil:
		return c, errors.New("embedded cluster: no open listener given")
	}
	if _, ok := c.Listener.Addr().(*net.TCPAddr); !ok {
		return c, fmt.Errorf("embedded cluster: listener %s is not TCP: Kubernetes clients need a TCP port", c.Listener.Addr())
	}
	if !c.ServiceCIDR.IsValid() {
		c.ServiceCIDR = DefaultServiceCIDR
	}
	if err := checkServiceCIDR(c.ServiceCIDR); err != nil {
		return c, err
	}
	if !c.AdvertiseAddress.IsValid() {
		c.AdvertiseAddress = c.local().Addr()
	}
	if c.AdvertiseAddress.IsUnspecified() {
		return c, fmt.Errorf("advertise address %s is no address that a client can connect to: give one of this machine's own", c.AdvertiseAddress)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}

// checkServiceCIDR holds the bounds of Kubernetes: at least 8 addresses, at most 20 bits of them.
func checkServiceCIDR(p netip.Prefix) error {
	free := p.Addr().BitLen() - p.Bits()
	if p != p.Masked() {
		return fmt.Errorf("service range %s has bits set after its prefix: write %s", p, p.Masked())
	}
	if free < 3 || free > 20 {
		size := p.Addr().BitLen()
		return fmt.Errorf("service range %s: the prefix must be between /%d and /%d", p, size-20, size-3)
	}
	return nil
}

// local is where this machine's own clients connect: the listener's address, with the unspecified one made concrete.
func (c Config) local() netip.AddrPort {
	a := c.Listener.Addr().(*net.TCPAddr).AddrPort()
	addr := a.Addr().Unmap()
	switch {
	case addr.IsUnspecified() && addr.Is4():
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	case addr.IsUnspecified():
		// A listener on :: takes IPv4 too unless told otherwise, and more machines have 127.0.0.1 than ::1.
		addr = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.AddrPortFrom(addr, a.Port())
}

// addresses are the IPs that the serving certificate must carry.
func (c Config) addresses() []netip.Addr {
	all := []netip.Addr{c.AdvertiseAddress, c.local().Addr(), c.ServiceCIDR.Addr().Next()}
	slices.SortFunc(all, netip.Addr.Compare)
	return slices.Compact(all)
}

// gitVersion is what /version reports: Kubernetes' own version with the product's as semantic-version build metadata, which
// compares as equal everywhere.
func gitVersion(kubernetes, product string) string {
	if product == "" {
		return kubernetes
	}
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '.', r == '-':
			return r
		}
		return '.'
	}, product)
	return kubernetes + "+entente-" + clean
}
