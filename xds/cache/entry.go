package cache

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/entente-mesh/entente/internal/live"
)

// An Entry is a resource as it goes over the wire. It never changes and is shared by all streams.
type Entry struct {
	Key
	// Version is a hash of the content: equal versions of one name are equal content, also after a restart with the same salt.
	Version string
	// Seq is the commit that brought this content, and At the time of it.
	Seq uint64
	At  time.Time
	// Follow, Secret and From are those of the Resource.
	Follow []Key
	Secret bool
	From   []live.Ref

	wire  []byte
	state int // where the part that a state-of-the-world response carries begins in wire
}

// Delta is the whole field of a DeltaDiscoveryResponse that holds this resource: tag, length, name, version, body. It must not be changed.
func (e *Entry) Delta() []byte { return e.wire }

// State is the whole field of a DiscoveryResponse that holds this resource: tag, length, body. It must not be changed.
func (e *Entry) State() []byte { return e.wire[e.state:] }

// Field numbers of envoy.service.discovery.v3 and google.protobuf.Any. DiscoveryResponse.resources, DeltaDiscoveryResponse.resources and
// Resource.resource have the same number, so the end of the one field is the other.
const (
	fieldResources       = 2
	fieldResourceVersion = 1
	fieldResourceName    = 3
	fieldAnyURL          = 1
	fieldAnyValue        = 2
)

// versionBytes is the length of a version before it is written as text: 128 bits.
const versionBytes = 16

// maker makes entries. It is not safe for concurrent use; its buffers are what makes it cheap.
type maker struct {
	plain hash.Hash
	keyed hash.Hash // nil: without a salt
	body  []byte
	sum   [sha256.Size]byte
}

func newMaker(salt []byte) *maker {
	m := &maker{plain: sha256.New()}
	if len(salt) > 0 {
		m.keyed = hmac.New(sha256.New, salt)
	}
	return m
}

// entry marshals r. Its Seq and At are set by the commit.
func (m *maker) entry(r Resource) (*Entry, error) {
	name, ok := nameOf(r.Type, r.Body)
	if !ok {
		return nil, fmt.Errorf("resource %q: a %T is not what %s carries", r.Name, r.Body, r.Type)
	}
	if name != r.Name || name == "" || name == wildcard {
		return nil, fmt.Errorf("resource %q of %s: its body is named %q; both must be the same, not empty and not %q", r.Name, r.Type, name, wildcard)
	}
	var err error
	if m.body, err = (proto.MarshalOptions{Deterministic: true}).MarshalAppend(m.body[:0], r.Body); err != nil {
		return nil, fmt.Errorf("marshal resource %q of %s: %w", r.Name, r.Type, err)
	}
	version, err := m.version(r)
	if err != nil {
		return nil, err
	}
	e := &Entry{Key: r.Key, Version: version, Follow: r.Follow, Secret: r.Secret, From: r.From}
	e.wire, e.state = wire(r.Key, version, m.body)
	return e, nil
}

// errNoSalt is returned rather than to publish the hash of a content that can be guessed.
var errNoSalt = errors.New("a secret resource needs a cache with a salt, else its version would tell its content")

func (m *maker) version(r Resource) (string, error) {
	h := m.plain
	if r.Secret {
		if h = m.keyed; h == nil {
			return "", fmt.Errorf("resource %q of %s: %w", r.Name, r.Type, errNoSalt)
		}
		// Two secrets with the same content must not be known as such.
		h.Reset()
		h.Write([]byte(r.Name))
		h.Write([]byte{0, byte(r.Type)})
	} else {
		h.Reset()
	}
	h.Write(m.body)
	return base64.RawURLEncoding.EncodeToString(h.Sum(m.sum[:0])[:versionBytes]), nil
}

// wire encodes the field of a delta response, and says where the field of a state-of-the-world response begins in it.
func wire(key Key, version string, body []byte) ([]byte, int) {
	url := key.Type.URL()
	anySize := protowire.SizeTag(fieldAnyURL) + protowire.SizeBytes(len(url)) + protowire.SizeTag(fieldAnyValue) + protowire.SizeBytes(len(body))
	headSize := protowire.SizeTag(fieldResourceVersion) + protowire.SizeBytes(len(version)) + protowire.SizeTag(fieldResourceName) + protowire.SizeBytes(len(key.Name))
	resourceSize := headSize + protowire.SizeTag(fieldResources) + protowire.SizeBytes(anySize)

	b := make([]byte, 0, protowire.SizeTag(fieldResources)+protowire.SizeBytes(resourceSize))
	b = protowire.AppendTag(b, fieldResources, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(resourceSize))
	b = appendString(b, fieldResourceVersion, version)
	b = appendString(b, fieldResourceName, key.Name)
	state := len(b)
	b = protowire.AppendTag(b, fieldResources, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(anySize))
	b = appendString(b, fieldAnyURL, url)
	b = protowire.AppendTag(b, fieldAnyValue, protowire.BytesType)
	return protowire.AppendBytes(b, body), state
}

func appendString(b []byte, field protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), s)
}
