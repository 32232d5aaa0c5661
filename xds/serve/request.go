package serve

import (
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/entente-mesh/entente/xds/cache"
)

// A dialect is one of the two ways to speak xDS.
type dialect uint8

const (
	delta dialect = iota // incremental: DeltaDiscoveryRequest and -Response
	sotw                 // state of the world: DiscoveryRequest and -Response
)

func (d dialect) String() string {
	if d == sotw {
		return "sotw"
	}
	return "delta"
}

// A request is what the server reads of a DiscoveryRequest or a DeltaDiscoveryRequest. It is decoded by hand: the node of an Envoy lists
// several hundred extensions that nobody here asks for, and bounds hold before anything is allocated.
type request struct {
	dialect dialect
	bounds  *Bounds

	// What was asked.
	node    *node // nil when the request has none
	kind    cache.Type
	typeURL string // of a type that is not served; kind is cache.Types then
	nonce   string
	version string // sotw: the version that the client runs

	names       []string          // sotw: all that the client wants; delta: what it wants in addition
	unsubscribe []string          // delta
	initial     map[string]string // delta: resource → version that the client holds already

	rejected bool   // the client refused the response that nonce names
	code     int32  // why, as a gRPC status code
	reason   string // why, in the client's words: secret, since Envoy quotes credentials in it

	fault error // set by the codec: why the request is none; a gRPC status
}

// maxReason is how many bytes are kept of the words in which a client refuses a response.
const maxReason = 4096

// The fields of both messages by the numbers of envoy/service/discovery/v3/discovery.proto. In each message they have another meaning, so
// that a map from number to meaning is what differs between the dialects.
type field uint8

const (
	fieldNone field = iota
	fieldNode
	fieldTypeURL
	fieldNonce
	fieldVersion
	fieldNames
	fieldUnsubscribe
	fieldInitial
	fieldError
)

func (d dialect) field(number protowire.Number) field {
	if d == sotw {
		switch number {
		case 1:
			return fieldVersion
		case 2:
			return fieldNode
		case 3:
			return fieldNames
		case 4:
			return fieldTypeURL
		case 5:
			return fieldNonce
		case 6:
			return fieldError
		}
		return fieldNone
	}
	switch number {
	case 1:
		return fieldNode
	case 2:
		return fieldTypeURL
	case 3:
		return fieldNames
	case 4:
		return fieldUnsubscribe
	case 5:
		return fieldInitial
	case 6:
		return fieldNonce
	case 7:
		return fieldError
	}
	return fieldNone
}

// decode reads the request from the wire in place of what r held before. Its errors are gRPC statuses. Nothing of wire is kept.
func (r *request) decode(wire []byte) error {
	r.clear()
	left := r.bounds.Names
	return fields(wire, func(number protowire.Number, value []byte) error {
		f := r.dialect.field(number)
		switch f {
		case fieldNames, fieldUnsubscribe, fieldInitial:
			if left--; left < 0 {
				return tooMuch("resource names", r.bounds.Names)
			}
		}
		return r.set(f, value)
	})
}

// clear lets go of what the request holds, so that an idle stream does not.
func (r *request) clear() { *r = request{dialect: r.dialect, bounds: r.bounds, kind: cache.Types} }

func (r *request) set(f field, value []byte) (err error) {
	switch f {
	case fieldNode:
		if r.node == nil {
			r.node = &node{}
		}
		return r.node.decode(value, r.bounds)
	case fieldTypeURL:
		if t, ok := cache.TypeOf(string(value)); ok { // the compiler sees that this string is not kept
			r.kind, r.typeURL = t, ""
			return nil
		}
		r.kind = cache.Types
		r.typeURL, err = r.bounds.text("a type", value)
	case fieldNonce:
		r.nonce, err = r.bounds.text("a nonce", value)
	case fieldVersion:
		r.version, err = r.bounds.text("a version", value)
	case fieldNames:
		r.names, err = r.bounds.appendName(r.names, value)
	case fieldUnsubscribe:
		r.unsubscribe, err = r.bounds.appendName(r.unsubscribe, value)
	case fieldInitial:
		return r.addInitial(value)
	case fieldError:
		return r.addError(value)
	}
	return err
}

// addInitial reads one entry of initial_resource_versions.
func (r *request) addInitial(wire []byte) error {
	var pair [2]string
	err := fields(wire, func(number protowire.Number, value []byte) (err error) {
		if number == 1 || number == 2 {
			pair[number-1], err = r.bounds.text("a resource's name or version", value)
		}
		return err
	})
	if err != nil {
		return err
	}
	if r.initial == nil {
		r.initial = map[string]string{}
	}
	r.initial[pair[0]] = pair[1]
	return nil
}

// addError reads a google.rpc.Status.
func (r *request) addError(wire []byte) error {
	r.rejected = true
	for len(wire) > 0 {
		number, kind, n := protowire.ConsumeTag(wire)
		if n < 0 {
			return malformed("error_detail: " + protowire.ParseError(n).Error())
		}
		wire = wire[n:]
		n = protowire.ConsumeFieldValue(number, kind, wire)
		if n < 0 {
			return malformed("error_detail: " + protowire.ParseError(n).Error())
		}
		switch {
		case number == 1 && kind == protowire.VarintType:
			code, _ := protowire.ConsumeVarint(wire)
			r.code = int32(code) //nolint:gosec // an enumeration: what does not fit is some unknown code either way
		case number == 2 && kind == protowire.BytesType:
			text, _ := protowire.ConsumeBytes(wire)
			r.reason = string(text[:min(len(text), maxReason)])
		}
		wire = wire[n:]
	}
	return nil
}

// fields goes through the length-delimited fields of a message; all others are checked and skipped, as protobuf does with what it does not
// know.
func fields(wire []byte, yield func(number protowire.Number, value []byte) error) error {
	for len(wire) > 0 {
		number, kind, n := protowire.ConsumeTag(wire)
		if n < 0 {
			return malformed(protowire.ParseError(n).Error())
		}
		wire = wire[n:]
		if kind != protowire.BytesType {
			n = protowire.ConsumeFieldValue(number, kind, wire)
			if n < 0 {
				return malformed(protowire.ParseError(n).Error())
			}
			wire = wire[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(wire)
		if n < 0 {
			return malformed(protowire.ParseError(n).Error())
		}
		wire = wire[n:]
		if err := yield(number, value); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bounds) appendName(names []string, value []byte) ([]string, error) {
	name, err := b.text("a resource name", value)
	if err != nil {
		return names, err
	}
	return append(names, name), nil
}

// text copies a string out of the wire.
func (b *Bounds) text(what string, value []byte) (string, error) {
	if len(value) > b.Text {
		return "", tooMuch("bytes in "+what, b.Text)
	}
	if !utf8.Valid(value) {
		return "", malformed(what + " is not UTF-8")
	}
	return string(value), nil
}
