package lab

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/entente-mesh/entente/internal/lab/fabric"
)

// Node is one machine of a lab, as far as the network is concerned: within it everything is free, out of it leads TCP port
// 1080 of the other nodes and nothing else. It shares the caller's files, but for /etc/hosts, which knows all nodes by
// name, and /etc/resolv.conf, which names the node's own address.
type Node struct {
	lab   *Lab
	name  string
	index int
	dir   string
}

// Name is the node's name.
func (n *Node) Name() string { return n.name }

// String is the node's name.
func (n *Node) String() string { return n.name }

// IP is the node's address, 10.N.0.1.
func (n *Node) IP() netip.Addr { return fabric.Address(n.index) }

// Dir is the node's own folder inside the lab's: a path short enough for sockets with names of up to 32 bytes.
func (n *Node) Dir() string { return n.dir }

// Dial connects as [net.Dialer.DialContext] does, but from within the node. The address is literal: names are not looked
// up. It is good for tcp, udp, ip and unix networks. The connection works on when the lab has ended, but reaches nobody.
func (n *Node) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	f, err := n.socket(ctx, dialSocket, network, address)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FileConn(f)
}

// Listen announces as [net.Listen] does, but within the node; ports below 1024 are free too. It is good for tcp and unix
// networks; the file of a unix socket stays until the lab ends.
func (n *Node) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	f, err := n.socket(ctx, listenSocket, network, address)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FileListener(f)
}

// ListenPacket announces as [net.ListenPacket] does, but within the node. It is good for udp, ip and unixgram networks.
func (n *Node) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	f, err := n.socket(ctx, packetSocket, network, address)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FilePacketConn(f)
}

// socket has the holder open a socket in the node and hand it over.
func (n *Node) socket(ctx context.Context, kind socketKind, network, address string) (*os.File, error) {
	q := question{Socket: &socketQuestion{Node: n.index, Kind: kind, Network: network, Address: address}}
	c, _, files, err := n.lab.ask(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("%s in node %s: %w", kind, n.name, err)
	}
	c.close()
	if len(files) != 1 {
		closeAll(files)
		return nil, fmt.Errorf("%s in node %s: the holder sent %d sockets instead of one", kind, n.name, len(files))
	}
	return files[0], nil
}

// Link is the connection between n and to, the same in both directions. A node has no link to itself.
func (n *Node) Link(to *Node) *Link { return &Link{a: n, b: to} }
