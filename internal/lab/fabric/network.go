package fabric

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const (
	bridgeName = "lab"
	// inside is the name of a node's only link but lo.
	inside = "eth0"
	// prefixBits puts all nodes on one wire: 10.0.0.0/8.
	prefixBits = 8
)

// port is where a node's link enters the outer network namespace.
type port struct {
	index int
	name  string
	mac   net.HardwareAddr // Of the node's end.
}

// connect makes the bridge and joins every node to it. When it returns, the links carry traffic.
//
// Neighbors and the bridge's forwarding table are written down instead of learnt: so no ARP passes between nodes, nothing is
// flooded, and a partition that heals leaves no stale entry behind.
func connect(namespaces []int) ([]port, error) {
	bridge := &netlink.Bridge{LinkAttrs: netlink.NewLinkAttrs()}
	bridge.Name = bridgeName
	if err := netlink.LinkAdd(bridge); err != nil {
		return nil, &Error{Step: StepBridge, Err: err}
	}
	if err := netlink.LinkSetUp(bridge); err != nil {
		return nil, &Error{Step: StepBridge, Err: err}
	}
	var ports []port
	for i, ns := range namespaces {
		p, err := newPort(ns, i, len(namespaces))
		if err != nil {
			return nil, &Error{Step: StepLink, Err: fmt.Errorf("%s: %w", Address(i), err)}
		}
		ports = append(ports, p)
	}
	if err := awaitCarrier(ports); err != nil {
		return nil, &Error{Step: StepLink, Err: err}
	}
	for _, p := range ports {
		if err := plug(bridge, p); err != nil {
			return nil, &Error{Step: StepBridge, Err: fmt.Errorf("port %s: %w", p.name, err)}
		}
	}
	return ports, nil
}

// newPort makes a node's link, its addresses and what it knows of its neighbors.
func newPort(namespace, i, nodes int) (port, error) {
	p := port{name: fmt.Sprintf("node%d", i+1), mac: hardware(i)}
	veth := netlink.NewVeth(netlink.NewLinkAttrs())
	veth.Name, veth.PeerName = p.name, inside
	veth.PeerHardwareAddr, veth.PeerNamespace = p.mac, netlink.NsFd(namespace)
	if err := netlink.LinkAdd(veth); err != nil {
		return p, err
	}
	outer, err := netlink.LinkByName(p.name)
	if err != nil {
		return p, err
	}
	p.index = outer.Attrs().Index
	if err := netlink.LinkSetUp(outer); err != nil {
		return p, err
	}
	node, err := netlink.NewHandleAt(netns.NsHandle(namespace))
	if err != nil {
		return p, err
	}
	defer node.Close()
	return p, configure(node, i, nodes)
}

// configure sets up the inside of the node at index i.
func configure(node *netlink.Handle, i, nodes int) error {
	lo, err := node.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := node.LinkSetUp(lo); err != nil {
		return err
	}
	eth, err := node.LinkByName(inside)
	if err != nil {
		return err
	}
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: Address(i).AsSlice(), Mask: net.CIDRMask(prefixBits, 32)}}
	if err := node.AddrAdd(eth, addr); err != nil {
		return err
	}
	if err := node.LinkSetUp(eth); err != nil {
		return err
	}
	for other := range nodes {
		if other == i {
			continue
		}
		n := &netlink.Neigh{LinkIndex: eth.Attrs().Index, State: netlink.NUD_PERMANENT, IP: Address(other).AsSlice(), HardwareAddr: hardware(other)}
		if err := node.NeighSet(n); err != nil {
			return err
		}
	}
	return nil
}

// plug joins a port to the bridge. Its carrier is up by now, so it forwards at once.
func plug(bridge netlink.Link, p port) error {
	outer, err := netlink.LinkByIndex(p.index)
	if err != nil {
		return err
	}
	if err := netlink.LinkSetMaster(outer, bridge); err != nil {
		return err
	}
	// NOARP is a static entry; to a bridge, PERMANENT would mean an address of its own.
	return netlink.NeighSet(&netlink.Neigh{LinkIndex: p.index, Family: unix.AF_BRIDGE, State: netlink.NUD_NOARP, Flags: netlink.NTF_MASTER, HardwareAddr: p.mac})
}

// awaitCarrier waits until the kernel has noticed that both ends of every link are up, which it does in its own time. The
// caller bounds the wait: it kills the holder.
func awaitCarrier(ports []port) error {
	updates, done := make(chan netlink.LinkUpdate), make(chan struct{})
	defer close(done)
	var broken error
	err := netlink.LinkSubscribeWithOptions(updates, done, netlink.LinkSubscribeOptions{
		ListExisting:  true,
		ErrorCallback: func(err error) { broken = err },
	})
	if err != nil {
		return err
	}
	waiting := map[int]bool{}
	for _, p := range ports {
		waiting[p.index] = true
	}
	for u := range updates {
		if u.Attrs().OperState == netlink.OperUp {
			delete(waiting, u.Attrs().Index)
		}
		if len(waiting) == 0 {
			return nil
		}
	}
	return fmt.Errorf("watch links: %w", broken)
}

// hardware is the locally administered MAC address of the node at index i.
func hardware(i int) net.HardwareAddr {
	ip := Address(i).As4()
	return net.HardwareAddr{0x02, 0x00, ip[0], ip[1], ip[2], ip[3]}
}

// Address is 10.N.0.1 for node N-1.
func Address(node int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(node + 1), 0, 1}) }
