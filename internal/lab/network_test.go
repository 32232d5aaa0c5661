package lab_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/entente-mesh/entente/internal/lab"
	"golang.org/x/sys/unix"
)

// unanswered is how long a test waits for what must not come. It is no limit for what must come.
const unanswered = 300 * time.Millisecond

func TestNodesHaveAddressesAndPortsOfTheirOwn(t *testing.T) {
	t.Parallel()
	asEachUser(t, func(t *testing.T) {
		alice, bob := start(t)
		for i, n := range []*lab.Node{alice, bob} {
			if got, want := n.IP().String(), fmt.Sprintf("10.%d.0.1", i+1); got != want {
				t.Errorf("address of %s: want %s, got %s", n, want, got)
			}
			for _, port := range []string{"80", "1080", "53"} {
				l, err := n.Listen(t.Context(), "tcp4", "0.0.0.0:"+port)
				if err != nil {
					t.Fatal(err)
				}
				defer l.Close()
			}
			u, err := n.ListenPacket(t.Context(), "udp4", "0.0.0.0:53")
			if err != nil {
				t.Fatal(err)
			}
			defer u.Close()
		}
		if l, err := alice.Listen(t.Context(), "tcp4", "0.0.0.0:80"); err == nil {
			l.Close()
			t.Error("a port was given out twice in one node")
		}
	})
}

func TestBetweenNodesOnlyTheGatewayPortPasses(t *testing.T) {
	t.Parallel()
	asEachUser(t, func(t *testing.T) {
		alice, bob := start(t)
		relayed := func(t *testing.T) {
			if err := alice.Link(bob).Set(t.Context(), lab.Condition{Delay: time.Millisecond}); err != nil {
				t.Skip(err)
			}
		}
		for _, at := range []*lab.Node{alice, bob} {
			for _, port := range []int{80, 1080, 8080} {
				serveEcho(t, at, fmt.Sprintf("0.0.0.0:%d", port))
			}
			servePackets(t, at, "0.0.0.0:53")
		}
		check := func(t *testing.T) {
			for _, d := range [][2]*lab.Node{{alice, bob}, {bob, alice}} {
				from, to := d[0], d[1]
				if err := echo(t, from, to, 1080); err != nil {
					t.Errorf("tcp 1080 from %s to %s: %v", from, to, err)
				}
				for _, port := range []int{80, 8080} {
					expectBlocked(t, from, to, port)
					if err := echo(t, to, to, port); err != nil {
						t.Errorf("tcp %d within %s: %v", port, to, err)
					}
				}
				if answered(t, from, "udp4", to.IP().String()+":53", []byte("question")) {
					t.Errorf("udp 53 passed from %s to %s", from, to)
				}
				if answered(t, from, "ip4:icmp", to.IP().String(), ping) {
					t.Errorf("a ping passed from %s to %s", from, to)
				}
			}
		}
		check(t)
		for _, n := range []*lab.Node{alice, bob} {
			if !answeredEver(t, n, "udp4", n.IP().String()+":53", []byte("question")) {
				t.Errorf("udp 53 within %s did not pass", n)
			}
			if !answeredEver(t, n, "ip4:icmp", n.IP().String(), ping) {
				t.Errorf("a ping within %s did not pass", n)
			}
		}
		relayed(t)
		check(t)
	})
}

func TestPartition(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		lab.Condition
	}{
		{"a cut link", lab.Condition{Cut: true}},
		{"a link that loses everything", lab.Condition{Loss: 100}},
	} {
		t.Run(c.name+" refuses new connections, stalls established ones and heals", func(t *testing.T) {
			t.Parallel()
			asEachUser(t, func(t *testing.T) {
				alice, bob := start(t)
				serveEcho(t, bob, "0.0.0.0:1080")
				established := dial(t, alice, bob, 1080)
				exchange(t, established, "before")
				link := alice.Link(bob)
				if err := link.Set(t.Context(), c.Condition); err != nil {
					t.Fatal(err)
				}
				expectBlocked(t, alice, bob, 1080)
				if _, err := io.WriteString(established, "during"); err != nil {
					t.Fatal(err)
				}
				if err := established.SetReadDeadline(time.Now().Add(unanswered)); err != nil {
					t.Fatal(err)
				}
				if n, err := established.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("read over the cut link: want a timeout, got %d bytes, %v", n, err)
				}
				if err := bob.Link(alice).Heal(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := established.SetReadDeadline(time.Time{}); err != nil {
					t.Fatal(err)
				}
				expectRead(t, established, "during")
				if err := echo(t, alice, bob, 1080); err != nil {
					t.Errorf("dial after healing: %v", err)
				}
			})
		})
	}
}

func TestDelayAddsToTheRoundTripAndCanBeChangedAndRemoved(t *testing.T) {
	t.Parallel()
	asEachUser(t, func(t *testing.T) {
		alice, bob := start(t)
		serveEcho(t, bob, "0.0.0.0:1080")
		c := dial(t, alice, bob, 1080)
		exchange(t, c, "warm")
		for _, delay := range []time.Duration{20 * time.Millisecond, 60 * time.Millisecond} {
			if err := alice.Link(bob).Set(t.Context(), lab.Condition{Delay: delay}); err != nil {
				t.Skip(err)
			}
			for range 3 {
				begin := time.Now()
				exchange(t, c, "hello")
				if took := time.Since(begin); took < 2*delay {
					t.Errorf("round trip with %v each way: want %v at least, got %v", delay, 2*delay, took)
				}
			}
		}
		if err := alice.Link(bob).Heal(t.Context()); err != nil {
			t.Fatal(err)
		}
		fastest := time.Hour
		for range 20 {
			begin := time.Now()
			exchange(t, c, "hello")
			fastest = min(fastest, time.Since(begin))
		}
		if fastest >= 120*time.Millisecond {
			t.Errorf("the healed link is still slow: %v", fastest)
		}
	})
}

func TestLossStillDeliversATransferCompletely(t *testing.T) {
	t.Parallel()
	asEachUser(t, func(t *testing.T) {
		alice, bob := start(t)
		serveEcho(t, bob, "0.0.0.0:1080")
		c := dial(t, alice, bob, 1080)
		if err := alice.Link(bob).Set(t.Context(), lab.Condition{Loss: 30}); err != nil {
			t.Skip(err)
		}
		for range 10 {
			exchange(t, c, "hello")
		}
		if n := retransmissions(t, c); n == 0 {
			t.Error("nothing was lost")
		}
		sent := bytes.Repeat([]byte("0123456789abcdef"), 8<<10)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := c.Write(sent); err != nil {
				t.Error(err)
			}
		})
		got := make([]byte, len(sent))
		_, err := io.ReadFull(c, got)
		wg.Wait()
		if err != nil || !bytes.Equal(sent, got) {
			t.Errorf("%d bytes over a lossy link: %v, equal %v", len(sent), err, bytes.Equal(sent, got))
		}
	})
}

func TestALinkRefusesConditionsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	alice, bob := start(t)
	for _, c := range []struct {
		name string
		link *lab.Link
		lab.Condition
	}{
		{"a negative delay", alice.Link(bob), lab.Condition{Delay: -1}},
		{"a delay of an hour", alice.Link(bob), lab.Condition{Delay: time.Hour}},
		{"more than everything lost", alice.Link(bob), lab.Condition{Loss: 101}},
		{"a link to itself", alice.Link(alice), lab.Condition{}},
		{"a link to nowhere", alice.Link(nil), lab.Condition{}},
	} {
		if err := c.link.Set(t.Context(), c.Condition); err == nil {
			t.Errorf("%s was accepted", c.name)
		}
	}
}

func TestADialEndsWithItsContext(t *testing.T) {
	t.Parallel()
	alice, bob := start(t)
	if err := alice.Link(bob).Partition(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), unanswered)
	defer cancel()
	c, err := alice.Dial(ctx, "tcp4", bob.IP().String()+":1080")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("dial over a cut link: want %v, got %v, %v", context.DeadlineExceeded, c, err)
	}
	if _, err := alice.Dial(t.Context(), "tcp4", "bob:1080"); err == nil {
		t.Error("a name was looked up outside of the node")
	}
}

// ping is an ICMP echo request with its checksum.
var ping = []byte{8, 0, 0xf7, 0xfe, 0, 1, 0, 0}

// dial connects to a port of another node; the connection ends with the test.
func dial(t *testing.T, from, to *lab.Node, port int) net.Conn {
	t.Helper()
	c, err := from.Dial(t.Context(), "tcp4", fmt.Sprintf("%s:%d", to.IP(), port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// retransmissions is how often the connection had to send something again.
func retransmissions(t *testing.T, c net.Conn) uint32 {
	t.Helper()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var info *unix.TCPInfo
	var asked error
	if err := raw.Control(func(fd uintptr) { info, asked = unix.GetsockoptTCPInfo(int(fd), unix.SOL_TCP, unix.TCP_INFO) }); err != nil {
		t.Fatal(err)
	}
	if asked != nil {
		t.Fatal(asked)
	}
	return info.Total_retrans
}

// echo dials and exchanges one word.
func echo(t *testing.T, from, to *lab.Node, port int) error {
	t.Helper()
	c, err := from.Dial(t.Context(), "tcp4", fmt.Sprintf("%s:%d", to.IP(), port))
	if err != nil {
		return err
	}
	defer c.Close()
	exchange(t, c, "hello")
	return nil
}

// exchange sends a word and expects it back.
func exchange(t *testing.T, c net.Conn, word string) {
	t.Helper()
	if _, err := io.WriteString(c, word); err != nil {
		t.Fatal(err)
	}
	expectRead(t, c, word)
}

func expectRead(t *testing.T, c net.Conn, word string) {
	t.Helper()
	got := make([]byte, len(word))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != word {
		t.Fatalf("want %q, got %q, %v", word, got, err)
	}
}

// expectBlocked expects that nobody answers a dial.
func expectBlocked(t *testing.T, from, to *lab.Node, port int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), unanswered)
	defer cancel()
	c, err := from.Dial(ctx, "tcp4", fmt.Sprintf("%s:%d", to.IP(), port))
	if err == nil {
		c.Close()
		t.Errorf("tcp %d passed from %s to %s", port, from, to)
	}
}

// answered sends a packet and reports whether anything comes back soon.
func answered(t *testing.T, from *lab.Node, network, address string, packet []byte) bool {
	t.Helper()
	return exchangePacket(t, from, network, address, packet, time.Now().Add(unanswered))
}

// answeredEver is answered for what must come.
func answeredEver(t *testing.T, from *lab.Node, network, address string, packet []byte) bool {
	t.Helper()
	return exchangePacket(t, from, network, address, packet, time.Time{})
}

func exchangePacket(t *testing.T, from *lab.Node, network, address string, packet []byte, deadline time.Time) bool {
	t.Helper()
	c, err := from.Dial(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetReadDeadline(deadline); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(packet); err != nil {
		t.Fatal(err)
	}
	_, err = c.Read(make([]byte, 1500))
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	return err == nil
}

// serveEcho answers in a node until the test ends.
func serveEcho(t *testing.T, at *lab.Node, address string) {
	t.Helper()
	l, err := at.Listen(t.Context(), "tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			serving.Go(func() {
				_, _ = io.Copy(c, c)
				c.Close()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		serving.Wait()
	})
}

// servePackets sends datagrams back until the test ends.
func servePackets(t *testing.T, at *lab.Node, address string) {
	t.Helper()
	p, err := at.ListenPacket(t.Context(), "udp4", address)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := p.ReadFrom(buffer)
			if err != nil {
				return
			}
			_, _ = p.WriteTo(buffer[:n], from)
		}
	})
	t.Cleanup(func() {
		p.Close()
		serving.Wait()
	})
}
