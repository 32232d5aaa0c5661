package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A protocol is how the load is sent.
type protocol struct {
	key   string // for benchstat
	title string
	conns int
	open  func(net.Conn, []field) (exchanger, error)
}

// Enough at a time to keep Envoy busy without a pause.
const (
	connsHTTP1   = 32
	connsHTTP2   = 4
	streamsHTTP2 = 16 // at a time on each connection
)

func protocols() []protocol {
	return []protocol{
		{"HTTP1", "HTTP/1.1", connsHTTP1, openHTTP1},
		{"HTTP2", "HTTP/2", connsHTTP2, openHTTP2},
	}
}

// A field is one header.
type field struct{ name, value string }

// An exchanger sends some requests over one connection and reads the answers; it returns how many there were.
type exchanger interface{ exchange() (int, error) }

// errStatus tells of an answer that is not the service's.
var errStatus = errors.New("the answer is not the service's")

// A crowd is the connections to one gateway.
type crowd struct {
	protocol protocol
	conns    []net.Conn
	members  []exchanger
}

func dialCrowd(ctx context.Context, p protocol, address string, headers []field) (*crowd, error) {
	c := &crowd{protocol: p}
	for range p.conns {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err != nil {
			return c, err
		}
		c.conns = append(c.conns, conn)
		member, err := p.open(conn, headers)
		if err != nil {
			return c, err
		}
		c.members = append(c.members, member)
	}
	return c, nil
}

func (c *crowd) close() {
	for _, conn := range c.conns {
		_ = conn.Close() // nothing more is wanted of it
	}
}

// send makes at least n requests and returns how many it has made. It ends early with ctx.
func (c *crowd) send(ctx context.Context, n int) (int, error) {
	stop := context.AfterFunc(ctx, func() {
		for _, conn := range c.conns {
			_ = conn.SetDeadline(time.Unix(1, 0)) // a connection that has ended needs none
		}
	})
	defer stop()
	done, failed := make([]int, len(c.members)), make([]error, len(c.members))
	var wait sync.WaitGroup
	for i, member := range c.members {
		wait.Go(func() {
			for done[i] < n/len(c.members) && failed[i] == nil {
				var answered int
				answered, failed[i] = member.exchange()
				done[i] += answered
			}
		})
	}
	wait.Wait()
	sum := 0
	for _, d := range done {
		sum += d
	}
	if err := errors.Join(failed...); err != nil {
		return sum, fmt.Errorf("%s: %w", c.protocol.title, errors.Join(context.Cause(ctx), err))
	}
	return sum, nil
}

// http1 has one request at a time on its connection.
type http1 struct {
	conn    net.Conn
	reader  *bufio.Reader
	request []byte
}

func openHTTP1(conn net.Conn, headers []field) (exchanger, error) {
	var request strings.Builder
	request.WriteString("GET / HTTP/1.1\r\nhost: " + serviceHost + "\r\n")
	for _, h := range headers {
		request.WriteString(h.name + ": " + h.value + "\r\n")
	}
	request.WriteString("\r\n")
	return &http1{conn, bufio.NewReader(conn), []byte(request.String())}, nil
}

func (h *http1) exchange() (int, error) {
	if _, err := h.conn.Write(h.request); err != nil {
		return 0, err
	}
	status, err := h.reader.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return 0, fmt.Errorf("%w: %s", errStatus, bytes.TrimSpace(status))
	}
	length := -1
	for {
		line, err := h.reader.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("content-length: ")); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, err
			}
		}
	}
	if length != len(answerBody) {
		return 0, fmt.Errorf("%w: it has %d bytes", errStatus, length)
	}
	_, err = h.reader.Discard(length)
	return 1, err
}

// multiplexed has streamsHTTP2 requests at a time on its connection.
type multiplexed struct {
	framer  *http2.Framer
	writer  *bufio.Writer
	encoder *hpack.Encoder
	block   bytes.Buffer
	headers []field
	next    uint32 // id of the next stream
}

func openHTTP2(conn net.Conn, headers []field) (exchanger, error) {
	m := &multiplexed{writer: bufio.NewWriter(conn), next: 1}
	m.headers = append([]field{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", serviceHost}}, headers...)
	m.framer = http2.NewFramer(m.writer, bufio.NewReader(conn))
	m.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	m.encoder = hpack.NewEncoder(&m.block)
	if _, err := io.WriteString(m.writer, http2.ClientPreface); err != nil {
		return nil, err
	}
	return m, errors.Join(m.framer.WriteSettings(), m.writer.Flush())
}

func (m *multiplexed) exchange() (int, error) {
	for range streamsHTTP2 {
		m.block.Reset()
		for _, h := range m.headers {
			if err := m.encoder.WriteField(hpack.HeaderField{Name: h.name, Value: h.value}); err != nil {
				return 0, err
			}
		}
		err := m.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: m.next, BlockFragment: m.block.Bytes(), EndStream: true, EndHeaders: true})
		if err != nil {
			return 0, err
		}
		m.next += 2
	}
	// What the last answers will take of the connection's window.
	if err := m.framer.WriteWindowUpdate(0, streamsHTTP2*uint32(len(answerBody))); err != nil {
		return 0, err
	}
	for answered := 0; answered < streamsHTTP2; {
		if err := m.writer.Flush(); err != nil {
			return answered, err
		}
		ended, err := m.read()
		if err != nil {
			return answered, err
		}
		answered += ended
	}
	return streamsHTTP2, nil
}

// read deals with one frame, and returns how many answers ended with it.
func (m *multiplexed) read() (int, error) {
	frame, err := m.framer.ReadFrame()
	if err != nil {
		return 0, err
	}
	switch frame := frame.(type) {
	case *http2.SettingsFrame:
		if !frame.IsAck() {
			return 0, m.framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !frame.IsAck() {
			return 0, m.framer.WritePing(true, frame.Data)
		}
	case *http2.MetaHeadersFrame:
		if status := frame.PseudoValue("status"); status != "200" || frame.StreamEnded() {
			return 0, fmt.Errorf("%w: status %s", errStatus, status)
		}
	case *http2.DataFrame:
		if frame.StreamEnded() {
			return 1, nil
		}
	case *http2.RSTStreamFrame, *http2.GoAwayFrame:
		return 0, fmt.Errorf("%w: %v", errStatus, frame)
	}
	return 0, nil
}
