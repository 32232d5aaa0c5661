package fabric

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

func TestRelayFilterLetsThroughWhatTheBridgeWould(t *testing.T) {
	t.Parallel()
	here := hardware(1)
	for _, c := range []struct {
		name  string
		frame []byte
		want  bool
	}{
		{"a new connection to the gateway", frame(here, 40000, openPort, 0x02), true},
		{"data to the gateway", frame(here, 40000, openPort, 0x18), true},
		{"the gateway's acceptance", frame(here, openPort, 40000, 0x12), true},
		{"the gateway's data", frame(here, openPort, 40000, 0x18), true},
		{"the gateway's reset", frame(here, openPort, 40000, 0x04), true},
		{"a new connection from the gateway's port to another", frame(here, openPort, 80, 0x02), false},
		{"a new connection to another port", frame(here, 40000, 80, 0x02), false},
		{"a frame for another node", frame(hardware(2), 40000, openPort, 0x02), false},
		{"a datagram", change(frame(here, 40000, openPort, 0x02), etherLen+ipProtocol, unix.IPPROTO_UDP), false},
		{"IPv6", change(frame(here, 40000, openPort, 0x02), etherType, 0x86), false},
		{"a later fragment", change(frame(here, 40000, openPort, 0x02), etherLen+7, 1), false},
		{"a header with options", withOptions(frame(here, 40000, openPort, 0x02)), true},
		{"a truncated frame", frame(here, 40000, openPort, 0x02)[:20], false},
		{"nothing", nil, false},
	} {
		if got := passes(t, here, c.frame); got != c.want {
			t.Errorf("%s: want %v, got %v", c.name, c.want, got)
		}
	}
}

func FuzzRelayFilterPassesNothingButTheGatewaysTraffic(f *testing.F) {
	here := hardware(1)
	f.Add(frame(here, 40000, openPort, 0x02))
	f.Add(frame(here, openPort, 80, 0x02))
	f.Fuzz(func(t *testing.T, frame []byte) {
		if !passes(t, here, frame) {
			return
		}
		tcp := frame[etherLen+4*int(frame[etherLen]&0xf):]
		from, to := binary.BigEndian.Uint16(tcp), binary.BigEndian.Uint16(tcp[2:])
		if to != openPort && (from != openPort || tcp[tcpFlags]&synAck == syn) {
			t.Errorf("passed from port %d to %d", from, to)
		}
	})
}

func TestLinksOutOfConditionAreBlockedInBothDirectionsAndInASteadyOrder(t *testing.T) {
	t.Parallel()
	ports := []port{{name: "node1"}, {name: "node2"}, {name: "node3"}}
	state := map[ends]Condition{{1, 2}: {Delay: time.Second}, {0, 1}: {Cut: true}, {0, 2}: {}}
	want := []pair{{"node1", "node2"}, {"node2", "node1"}, {"node2", "node3"}, {"node3", "node2"}}
	for range 10 {
		if diff := cmp.Diff(want, blocked(state, ports), cmp.AllowUnexported(pair{})); diff != "" {
			t.Fatalf("-want +got:\n%s", diff)
		}
	}
}

func TestOnlyLinksThatPassSomethingLateOrIncompletelyAreRelayed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		c       Condition
		relayed bool
	}{
		{"a perfect link", Condition{}, false},
		{"a cut link", Condition{Cut: true, Delay: time.Second}, false},
		{"a link that loses everything", Condition{Loss: 100, Delay: time.Second}, false},
		{"a slow link", Condition{Delay: 1}, true},
		{"a lossy link", Condition{Loss: 0.1}, true},
	} {
		if got := c.c.relayed(); got != c.relayed {
			t.Errorf("%s: want relayed %v, got %v", c.name, c.relayed, got)
		}
	}
}

// passes runs the filter as the kernel would.
func passes(t *testing.T, mac, frame []byte) bool {
	t.Helper()
	vm, err := bpf.NewVM(relayFilter(mac))
	if err != nil {
		t.Fatal(err)
	}
	n, err := vm.Run(frame)
	return err == nil && n > 0
}

// frame is a TCP segment without data.
func frame(mac []byte, from, to uint16, flags byte) []byte {
	b := make([]byte, etherLen+20+20)
	copy(b, mac)
	binary.BigEndian.PutUint16(b[etherType:], unix.ETH_P_IP)
	b[etherLen] = 0x45
	b[etherLen+ipProtocol] = unix.IPPROTO_TCP
	binary.BigEndian.PutUint16(b[etherLen+20:], from)
	binary.BigEndian.PutUint16(b[etherLen+22:], to)
	b[etherLen+20+tcpFlags] = flags
	return b
}

func change(frame []byte, at int, to byte) []byte {
	frame[at] = to
	return frame
}

// withOptions lengthens the IPv4 header by one word.
func withOptions(frame []byte) []byte {
	longer := append([]byte(nil), frame[:etherLen+20]...)
	longer = append(longer, 0, 0, 0, 0)
	longer[etherLen] = 0x46
	return append(longer, frame[etherLen+20:]...)
}
