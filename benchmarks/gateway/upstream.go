package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// answerBody is what the service behind the gateways says.
const answerBody = "ok"

// An upstream is the service behind the gateways. It answers every request at once, over HTTP/1.1 or HTTP/2, at the least cost: Envoy must be
// what is busy.
type upstream struct {
	listener net.Listener
	wait     sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{} // guarded by mu; nil when it has ended
}

func startUpstream() (*upstream, error) {
	address, err := ownAddress()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		return nil, err
	}
	u := &upstream{listener: listener, conns: map[net.Conn]struct{}{}}
	u.wait.Go(u.accept)
	return u, nil
}

func (u *upstream) address() *net.TCPAddr { return u.listener.Addr().(*net.TCPAddr) }

// ownAddress is one of the machine's that is not loopback, where Kubernetes lets no endpoint be.
func ownAddress() (string, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return "", err
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && n.IP.IsGlobalUnicast() {
			return n.IP.String(), nil
		}
	}
	return "", errors.New("this machine has no IPv4 address but loopback, and Kubernetes takes none of these for an endpoint")
}

func (u *upstream) accept() {
	for {
		conn, err := u.listener.Accept()
		if err != nil {
			return // closed
		}
		u.mu.Lock()
		if u.conns == nil {
			u.mu.Unlock()
			_ = conn.Close() // too late for anybody
			return
		}
		u.conns[conn] = struct{}{}
		u.mu.Unlock()
		u.wait.Go(func() { serve(conn) })
	}
}

// end closes all connections and waits for who served them.
func (u *upstream) end() {
	_ = u.listener.Close() // nothing was written to it
	u.mu.Lock()
	for conn := range u.conns {
		_ = conn.Close() // Envoy is about to end, or has
	}
	u.conns = nil
	u.mu.Unlock()
	u.wait.Wait()
}

// serve answers on one connection until its end, which is no error: Envoy closes what it no longer needs.
func serve(conn net.Conn) {
	defer func() { _ = conn.Close() }() // as above
	r, w := bufio.NewReader(conn), bufio.NewWriter(conn)
	start, err := r.Peek(len(http2.ClientPreface))
	if err == nil && string(start) == http2.ClientPreface {
		_ = serveHTTP2(r, w)
		return
	}
	_ = serveHTTP1(r, w)
}

// serveHTTP1 answers requests without a body.
func serveHTTP1(r *bufio.Reader, w *bufio.Writer) error {
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(line)) > 0 {
			continue
		}
		if _, err := w.WriteString("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n" + answerBody); err != nil {
			return err
		}
		if r.Buffered() == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
}

func serveHTTP2(r *bufio.Reader, w *bufio.Writer) error {
	if _, err := io.CopyN(io.Discard, r, int64(len(http2.ClientPreface))); err != nil {
		return err
	}
	f := http2.NewFramer(w, r)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if err := f.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1 << 20}); err != nil {
		return err
	}
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for {
		if r.Buffered() == 0 {
			if err := w.Flush(); err != nil {
				return err
			}
		}
		frame, err := f.ReadFrame()
		if err != nil {
			return err
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				err = f.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				err = f.WritePing(true, frame.Data)
			}
		case *http2.MetaHeadersFrame:
			block.Reset()
			err = errors.Join(
				encoder.WriteField(hpack.HeaderField{Name: ":status", Value: "200"}),
				encoder.WriteField(hpack.HeaderField{Name: "content-length", Value: "2"}),
				f.WriteHeaders(http2.HeadersFrameParam{StreamID: frame.StreamID, BlockFragment: block.Bytes(), EndHeaders: true}),
				f.WriteData(frame.StreamID, true, []byte(answerBody)))
		}
		if err != nil {
			return err
		}
	}
}
