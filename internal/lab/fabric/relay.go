package fabric

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const (
	// queueFrames bounds what waits in one direction; a full queue loses the newest frame, as a router does.
	queueFrames = 512
	// burstBytes is what may wait in the kernel until the relay reads it.
	burstBytes = 8 << 20
	// largestFrame is an unsegmented TCP packet with its headers, and the kernel's note on how to segment it.
	largestFrame = 64<<10 + 128
)

// relay carries the frames of one link past the bridge, late or not at all.
type relay struct {
	condition Condition
	sockets   [2]*os.File
	stopped   chan struct{}
	running   sync.WaitGroup
}

// delayed is a frame on its way.
type delayed struct {
	due   time.Time
	frame []byte
}

// newRelay starts to carry frames between two ports. It runs until stop.
func newRelay(a, b port, c Condition, dice *rand.Rand) (*relay, error) {
	fromA, err := openPacketSocket(a, b.mac)
	if err != nil {
		return nil, err
	}
	fromB, err := openPacketSocket(b, a.mac)
	if err != nil {
		fromA.Close()
		return nil, err
	}
	r := &relay{condition: c, sockets: [2]*os.File{fromA, fromB}, stopped: make(chan struct{})}
	r.carry(fromA, fromB, rand.New(rand.NewPCG(dice.Uint64(), dice.Uint64())))
	r.carry(fromB, fromA, rand.New(rand.NewPCG(dice.Uint64(), dice.Uint64())))
	return r, nil
}

// stop ends the relay; what waits is lost.
func (r *relay) stop() {
	close(r.stopped)
	for _, s := range r.sockets {
		s.Close()
	}
	r.running.Wait()
}

// carry starts one direction. All frames wait equally long, so a queue keeps them in order.
func (r *relay) carry(in, out *os.File, dice *rand.Rand) {
	queue := make(chan delayed, queueFrames)
	r.running.Go(func() {
		defer close(queue)
		buffer := make([]byte, largestFrame)
		for {
			n, err := in.Read(buffer)
			if err != nil {
				return // Closed by stop.
			}
			if dice.Float64()*100 < r.condition.Loss {
				continue
			}
			select {
			case queue <- delayed{due: time.Now().Add(r.condition.Delay), frame: append([]byte(nil), buffer[:n]...)}:
			default: // Full: the frame is lost.
			}
		}
	})
	r.running.Go(func() {
		timer := time.NewTimer(0)
		defer timer.Stop()
		for d := range queue {
			timer.Reset(time.Until(d.due))
			select {
			case <-timer.C:
			case <-r.stopped:
				return
			}
			_, _ = out.Write(d.frame) // A frame that the port does not take is lost, as on a wire.
		}
	})
}

// openPacketSocket opens a socket that reads the frames which the node behind p sends to mac, as far as they may pass, and
// that writes frames to the node. Frames carry the kernel's note about their checksum and segments in front
// (PACKET_VNET_HDR), which goes from one socket to the other as it is.
func openPacketSocket(p port, mac []byte) (*os.File, error) {
	// Protocol 0: nothing arrives before the filter is in place and the socket is bound.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	f := os.NewFile(uintptr(fd), "port "+p.name)
	if err := preparePacketSocket(fd, p, mac); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func preparePacketSocket(fd int, p port, mac []byte) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1); err != nil {
		return os.NewSyscallError("setsockopt PACKET_VNET_HDR", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err != nil {
		return os.NewSyscallError("setsockopt PACKET_IGNORE_OUTGOING", err)
	}
	// What overflows is lost as in a router. Root may have more room; an ordinary user gets what net.core.rmem_max allows.
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, burstBytes) != nil {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, burstBytes); err != nil {
			return os.NewSyscallError("setsockopt SO_RCVBUF", err)
		}
	}
	program, err := bpf.Assemble(relayFilter(mac))
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(program))
	for i, in := range program {
		filter[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: unsafe.SliceData(filter)}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog); err != nil {
		return os.NewSyscallError("setsockopt SO_ATTACH_FILTER", err)
	}
	every := binary.NativeEndian.Uint16(bigEndian(unix.ETH_P_ALL)) // The structure wants network order.
	return os.NewSyscallError("bind", unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: every, Ifindex: p.index}))
}
