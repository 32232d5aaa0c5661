package serve

import (
	"fmt"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/entente-mesh/entente/xds/cache"
)

// A response is what goes to one stream: a head of its own around resources that were marshaled once for all streams.
type response struct {
	dialect dialect
	typeURL string
	nonce   string
	version string
	set     []*cache.Entry
	removed []string // delta only

	size int // set by the codec: bytes on the wire
}

// Field numbers of DiscoveryResponse and DeltaDiscoveryResponse; where they have a field in common, it has the same number.
const (
	fieldResponseVersion = 1 // version_info, system_version_info
	fieldResponseType    = 4
	fieldResponseNonce   = 5
	fieldResponseRemoved = 6 // removed_resources
)

// codec is how a server turns responses into bytes and bytes into requests. It takes the place of protobuf's own codec, whose name it
// bears, since that would marshal each resource again for each stream.
type codec struct{}

// Name is the name of what is on the wire.
func (codec) Name() string { return "proto" }

// Unmarshal decodes a request within its bounds. What is wrong with the request is noted in it: grpc-go would hide the status of an error
// that was returned here.
func (codec) Unmarshal(wire mem.BufferSlice, v any) error {
	r, ok := v.(*request)
	if !ok {
		return fmt.Errorf("decode into a %T: only requests come in", v)
	}
	whole := wire.MaterializeToBuffer(mem.DefaultBufferPool())
	defer whole.Free()
	r.fault = r.decode(whole.ReadOnlyData())
	return nil
}

// Marshal writes a response. Large resources are handed on as they are, without a copy; small ones are gathered into buffers, which is
// cheaper than to keep count of them.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	r, ok := v.(*response)
	if !ok {
		return nil, fmt.Errorf("encode a %T: only responses go out", v)
	}
	gathered := r.headSize()
	r.size = gathered
	for _, e := range r.set {
		field := r.field(e)
		r.size += len(field)
		if len(field) < shared {
			gathered += len(field)
		}
	}
	w := writer{left: gathered}
	w.room(r.headSize())
	w.chunk = r.appendHead(w.chunk)
	for _, e := range r.set {
		w.add(r.field(e))
	}
	return w.finish(), nil
}

func (r *response) field(e *cache.Entry) []byte {
	if r.dialect == sotw {
		return e.State()
	}
	return e.Delta()
}

func (r *response) headSize() int {
	n := sizeString(r.typeURL) + sizeString(r.nonce) + sizeString(r.version)
	for _, name := range r.removed {
		n += protowire.SizeTag(fieldResponseRemoved) + protowire.SizeBytes(len(name))
	}
	return n
}

// appendHead writes everything but the resources. Protobuf lets the fields of a message stand in any order.
func (r *response) appendHead(b []byte) []byte {
	b = appendString(b, fieldResponseVersion, r.version)
	b = appendString(b, fieldResponseType, r.typeURL)
	b = appendString(b, fieldResponseNonce, r.nonce)
	for _, name := range r.removed {
		b = protowire.AppendTag(b, fieldResponseRemoved, protowire.BytesType)
		b = protowire.AppendString(b, name)
	}
	return b
}

// sizeString is the size of a string field with a number below 16.
func sizeString(s string) int {
	if s == "" {
		return 0
	}
	return protowire.SizeTag(1) + protowire.SizeBytes(len(s))
}

func appendString(b []byte, number protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, number, protowire.BytesType), s)
}

const (
	shared    = 4 << 10  // resources of this size are not copied
	pooled    = 1 << 10  // smaller buffers are not worth a pool; grpc-go draws the line at the same size
	chunkSize = 32 << 10 // what is copied goes into buffers of at most this size, a size of grpc-go's pool
)

// A writer gathers pieces into buffers.
type writer struct {
	out   mem.BufferSlice
	left  int     // bytes still to be gathered, those in chunk included
	chunk []byte  // what was gathered since the last flush
	lent  *[]byte // what chunk is a part of, if that is of the pool
}

// room makes sure that n more bytes fit into the chunk.
func (w *writer) room(n int) {
	if len(w.chunk)+n <= cap(w.chunk) {
		return
	}
	w.flush()
	size := max(n, min(w.left, chunkSize))
	if size <= pooled {
		w.chunk = make([]byte, 0, size)
		return
	}
	w.lent = mem.DefaultBufferPool().Get(size)
	w.chunk = (*w.lent)[:0]
}

func (w *writer) add(piece []byte) {
	if len(piece) >= shared {
		w.flush()
		w.out = append(w.out, mem.SliceBuffer(piece))
		return
	}
	w.room(len(piece))
	w.chunk = append(w.chunk, piece...)
}

// flush puts what was gathered behind the pieces before it.
func (w *writer) flush() {
	w.left -= len(w.chunk)
	switch {
	case w.lent != nil:
		*w.lent = w.chunk
		w.out = append(w.out, mem.NewBuffer(w.lent, mem.DefaultBufferPool()))
	case len(w.chunk) > 0:
		w.out = append(w.out, mem.SliceBuffer(w.chunk))
	}
	w.chunk, w.lent = nil, nil
}

func (w *writer) finish() mem.BufferSlice {
	w.flush()
	return w.out
}
