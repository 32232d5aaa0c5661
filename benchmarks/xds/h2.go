package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A call is one gRPC stream on an HTTP/2 connection of its own, as the client of thousands of them needs it: one goroutine, few bytes, and so
// little CPU time that the server is what is measured. It never has more on the way than the server's first window allows, so it keeps no
// count of it.
type call struct {
	raw    net.Conn
	frames *http2.Framer
	in     []byte // what has come and was not handed out, behind the first done bytes
	done   int
	out    []byte
}

// window is how many bytes the server may send ahead: more than any measurement does, so that none waits for a permission.
const window = 1 << 30

// largest is how many bytes fit into a frame, unless a server says otherwise.
const largest = 16_384

// openCall begins a call of the method. The caller closes raw.
func openCall(raw net.Conn, method string) (*call, error) {
	c := &call{raw: raw}
	w := bufio.NewWriterSize(raw, 512)
	c.frames = http2.NewFramer(w, bufio.NewReaderSize(raw, 4<<10))
	c.frames.SetReuseFrames()
	c.frames.SetMaxReadFrameSize(largest)
	headers, err := headersOf(method)
	if err != nil {
		return nil, err
	}
	_, err = w.WriteString(http2.ClientPreface)
	err = errors.Join(err,
		c.frames.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}, http2.Setting{ID: http2.SettingEnablePush, Val: 0}),
		c.frames.WriteWindowUpdate(0, window-65_535),
		c.frames.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: headers, EndHeaders: true}),
		w.Flush())
	if err != nil {
		return nil, fmt.Errorf("begin a call: %w", err)
	}
	return c, nil
}

func headersOf(method string) ([]byte, error) {
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, f := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", method}, {":authority", "localhost"}, {"te", "trailers"}, {"content-type", "application/grpc"},
	} {
		if err := e.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			return nil, fmt.Errorf("begin a call: %w", err)
		}
	}
	return block.Bytes(), nil
}

// send sends one message.
func (c *call) send(message []byte) error {
	const prefix = 5
	data := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))) //nolint:gosec // it is small
	data = append(data, message...)
	c.out = c.out[:0]
	for len(data) > 0 {
		part := data[:min(len(data), largest)]
		data = data[len(part):]
		c.out = appendFrame(c.out, http2.FrameData, 0, 1, part)
	}
	_, err := c.raw.Write(c.out)
	if cap(c.out) > largest+prefix {
		c.out = nil // a long first message is sent once
	}
	return err
}

func appendFrame(b []byte, kind http2.FrameType, flags http2.Flags, stream uint32, payload []byte) []byte {
	n := len(payload)
	b = append(b, byte(n>>16), byte(n>>8), byte(n), byte(kind), byte(flags))
	return append(binary.BigEndian.AppendUint32(b, stream), payload...)
}

// errEnded is what receive returns when the server has ended the call.
var errEnded = errors.New("the server has ended the stream")

// receive waits for one message, which is valid until the next call.
func (c *call) receive() ([]byte, error) {
	const prefix = 5
	c.in = append(c.in[:0], c.in[c.done:]...)
	c.done = 0
	if len(c.in) == 0 && cap(c.in) > largest {
		c.in = nil // the first message is longer than all others
	}
	for {
		if len(c.in) >= prefix {
			if end := prefix + int(binary.BigEndian.Uint32(c.in[1:])); len(c.in) >= end {
				c.done = end
				return c.in[prefix:end], nil
			}
		}
		f, err := c.frames.ReadFrame()
		if err != nil {
			return nil, err
		}
		if err := c.take(f); err != nil {
			return nil, err
		}
	}
}

// take deals with one frame.
func (c *call) take(f http2.Frame) error {
	switch f := f.(type) {
	case *http2.DataFrame:
		c.in = append(c.in, f.Data()...)
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return c.write(http2.FrameSettings, nil)
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return c.write(http2.FramePing, f.Data[:])
		}
	case *http2.HeadersFrame:
		if f.StreamEnded() {
			return fmt.Errorf("%w: %s", errEnded, trailers(f))
		}
	case *http2.RSTStreamFrame:
		return fmt.Errorf("%w: %v", errEnded, f.ErrCode)
	case *http2.GoAwayFrame:
		return io.EOF
	}
	return nil
}

// trailers are the words with which the server has ended a stream.
func trailers(f *http2.HeadersFrame) string {
	var words string
	d := hpack.NewDecoder(4096, func(h hpack.HeaderField) {
		if h.Name == "grpc-status" || h.Name == "grpc-message" {
			words += " " + h.Name + "=" + h.Value
		}
	})
	if _, err := d.Write(f.HeaderBlockFragment()); err != nil {
		return err.Error() // of a block that refers to an earlier one
	}
	return words
}

func (c *call) write(kind http2.FrameType, payload []byte) error {
	const ack = 1
	c.out = appendFrame(c.out[:0], kind, ack, 0, payload)
	_, err := c.raw.Write(c.out)
	return err
}
