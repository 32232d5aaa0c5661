package fabric

import (
	"encoding/binary"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// openPort is the one TCP port that a node offers to others: that of its gateway.
const openPort = 1080

// Offsets and bits of what the firewall reads.
const (
	etherType    = 12 // In an Ethernet frame.
	ipProtocol   = 9  // In an IPv4 header.
	tcpFlags     = 13 // In a TCP header.
	synAck       = 0x12
	syn          = 0x02
	etherLen     = 14
	fragmentBits = 0x1fff
)

// pair is a direction between two ports, by name.
type pair struct{ from, to string }

// loadFirewall replaces the rules of the current network namespace's bridge, all in one step: nothing passes between blocked
// pairs; between the others passes what opens a TCP connection to port 1080 or belongs to one; nothing else passes, and
// nothing enters the outer namespace itself.
//
// Rules are by packet, not by connection, since few kernels can track connections on a bridge. An answer from port 1080 is
// told from a new connection that merely starts there by its flags: only the first packet of a connection has SYN without ACK.
func loadFirewall(blocked []pair) error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	table := &nftables.Table{Family: nftables.TableFamilyBridge, Name: "lab"}
	c.AddTable(table)
	c.DelTable(table) // After adding it, so that the first time needs no special case.
	c.AddTable(table)
	drop := nftables.ChainPolicyDrop
	c.AddChain(&nftables.Chain{
		Name: "input", Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookInput, Priority: nftables.ChainPriorityFilter, Policy: &drop,
	})
	forward := c.AddChain(&nftables.Chain{
		Name: "forward", Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityFilter, Policy: &drop,
	})
	for _, p := range blocked {
		c.AddRule(&nftables.Rule{Table: table, Chain: forward, Exprs: between(p)})
	}
	for _, exprs := range [][]expr.Any{request(), reply()} {
		c.AddRule(&nftables.Rule{Table: table, Chain: forward, Exprs: exprs})
	}
	return c.Flush()
}

// between drops what goes from one port to another.
func between(p pair) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1}, equal(linkName(p.from)),
		&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1}, equal(linkName(p.to)),
		&expr.Verdict{Kind: expr.VerdictDrop},
	}
}

// request accepts TCP to the open port.
func request() []expr.Any {
	return append(tcp4(),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}, equal(bigEndian(openPort)),
		&expr.Verdict{Kind: expr.VerdictAccept},
	)
}

// reply accepts TCP from the open port, but for the first packet of a connection.
func reply() []expr.Any {
	return append(tcp4(),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 0, Len: 2}, equal(bigEndian(openPort)),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: tcpFlags, Len: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 1, Mask: []byte{synAck}, Xor: []byte{0}},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: []byte{syn}},
		&expr.Verdict{Kind: expr.VerdictAccept},
	)
}

// tcp4 goes on for TCP over IPv4 only.
func tcp4() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyPROTOCOL, Register: 1}, equal(bigEndian(unix.ETH_P_IP)),
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: ipProtocol, Len: 1}, equal([]byte{unix.IPPROTO_TCP}),
	}
}

func equal(value []byte) expr.Any {
	return &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: value}
}

// linkName pads a link's name as the kernel keeps it.
func linkName(name string) []byte {
	padded := make([]byte, unix.IFNAMSIZ)
	copy(padded, name)
	return padded
}

func bigEndian(v uint16) []byte { return binary.BigEndian.AppendUint16(nil, v) }

// relayFilter is the same firewall for frames that the relay takes past the bridge: it accepts frames to the node with the
// given MAC address that the bridge would accept.
func relayFilter(mac []byte) []bpf.Instruction {
	const refuse, accept = 0, 1 << 18
	program := []bpf.Instruction{
		bpf.LoadAbsolute{Off: 0, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: binary.BigEndian.Uint32(mac), SkipTrue: 1},
		bpf.RetConstant{Val: refuse},
		bpf.LoadAbsolute{Off: 4, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(binary.BigEndian.Uint16(mac[4:])), SkipTrue: 1},
		bpf.RetConstant{Val: refuse},
		bpf.LoadAbsolute{Off: etherType, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.ETH_P_IP, SkipTrue: 1},
		bpf.RetConstant{Val: refuse},
		bpf.LoadAbsolute{Off: etherLen + ipProtocol, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_TCP, SkipTrue: 1},
		bpf.RetConstant{Val: refuse},
		bpf.LoadAbsolute{Off: etherLen + 6, Size: 2}, // A later fragment has no ports; what looks like them is payload.
		bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: fragmentBits, SkipTrue: 1},
		bpf.RetConstant{Val: refuse},
		bpf.LoadMemShift{Off: etherLen},
		bpf.LoadIndirect{Off: etherLen + 2, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: openPort, SkipTrue: 1},
		bpf.RetConstant{Val: accept},
		bpf.LoadIndirect{Off: etherLen, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: openPort, SkipTrue: 1},
		bpf.RetConstant{Val: refuse},
		bpf.LoadIndirect{Off: etherLen + tcpFlags, Size: 1},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: synAck},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: syn, SkipTrue: 1},
		bpf.RetConstant{Val: refuse},
		bpf.RetConstant{Val: accept},
	}
	return program
}
